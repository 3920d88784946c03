"""The catalog, opened for one command."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from skills.errors import CatalogError
from training.cli.lazy import large_imports

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from nlu.loaded import LoadedSkill
    from skills.skill import SkillRef
    from storage.catalog import Catalog


@contextmanager
def open_catalog(url: str, *, create: bool = False) -> Iterator[Catalog]:
    """Open the catalog; only with `create` is a new SQLite file made.

    Raises:
        SchemaError: its schema is older or newer than this program.
        CatalogError: it does not exist, or cannot be reached or read.
    """
    with large_imports():
        from storage.catalog import Catalog
        from storage.database import Database

    path = Database(url).path
    if path is not None and not create and not path.exists():
        raise CatalogError(
            f"there is no catalog {url}: train a skill to make it, or name another one with --catalog"
        )
    catalog = Catalog.open(url, by=_user())
    try:
        yield catalog
    finally:
        catalog.close()


def _user() -> str:
    """Return who runs this command, for the audit log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


def load_version(ref: SkillRef, options: dict[str, Any]) -> tuple[LoadedSkill, Backbone]:
    """Return a stored version ready to answer, and the backbone of --backbone that it needs.

    Raises:
        UnknownSkillError: there is no such version.
        SkillRefusedError: it is damaged or belongs to another backbone.
    """
    [skill], backbone = load_versions([ref], options)
    return skill, backbone


def load_versions(
    refs: Sequence[SkillRef], options: dict[str, Any]
) -> tuple[tuple[LoadedSkill, ...], Backbone]:
    """Return stored versions ready to answer, and the one backbone; the rest as `load_version`."""
    from nlu.backbone import Backbone
    from nlu.loaded import load_skill

    with open_catalog(options["catalog"]) as catalog:
        versions = [catalog.get(ref) for ref in refs]
        stored = [(version, catalog.tensors(version)) for version in versions]
    backbone = Backbone.load(options["backbone"], cache=options["cache_dir"])
    return tuple(load_skill(*each, backbone) for each in stored), backbone
