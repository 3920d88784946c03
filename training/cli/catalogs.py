"""The catalog, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from skills.errors import CatalogError

if TYPE_CHECKING:
    from storage.catalog import Catalog


@contextmanager
def open_catalog(url: str, *, create: bool = False) -> Iterator[Catalog]:
    """Open the catalog; only with `create` is a new SQLite file made.

    Raises:
        SchemaError: its schema is older or newer than this program.
        CatalogError: it does not exist, or cannot be reached or read.
    """
    from storage.catalog import Catalog
    from storage.database import Database

    path = Database(url).path
    if path is not None and not create and not path.exists():
        raise CatalogError(
            f"there is no catalog {url}: train a skill to make it, or name another one with --catalog"
        )
    catalog = Catalog.open(url)
    try:
        yield catalog
    finally:
        catalog.close()
