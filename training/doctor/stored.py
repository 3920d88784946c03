"""What a server reads: the catalog, its clock, and the backbone that its skills were trained on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from nlu.backbone import EMBEDDED, Backbone
from nlu.cache import default_cache
from nlu.embedded import converted_directory, source_directory
from nlu.server_settings import ServerSettings
from skills.errors import CatalogError
from skills.skill import SkillVersion
from storage.catalog import Catalog
from storage.database import Database
from storage.probe import probe
from training.doctor.finding import Finding, ok, problem, warning

CLOCK_WARNING = 2.0  # s between two machines: more than a time server leaves
CLOCK_PROBLEM = 60.0  # s: keys and certificates end at another time than was meant


def check_catalog(settings: ServerSettings) -> Iterator[Finding]:
    """Whether it can be reached, has the schema of this program, and can be written; and its clock."""
    database = Database(settings.catalog)
    found = probe(settings.catalog)
    if database.path and not database.path.exists():
        if os.access(database.path.parent, os.W_OK):
            yield warning(
                "catalog", f"{database} does not exist yet", "train or serve makes it: is it the right one?"
            )
        else:
            yield problem(
                "catalog",
                f"{database} does not exist, and {database.path.parent} cannot be written",
                "make the folder, and make it writable for this user",
            )
    elif not found.schema.is_current:
        yield problem(
            "catalog",
            f"{database} has schema {found.schema.current or 'none'}, this program needs {found.schema.head}",
            "softspoken db upgrade; if the schema is newer, upgrade softspoken",
        )
    else:
        yield ok("catalog", f"{database} can be read and written, schema {found.schema.current}")
        yield _clock(found.clock_ahead, database)


def _clock(ahead: float, database: Database) -> Finding:
    if database.is_sqlite:
        return ok("clock", "the catalog is a file of this machine: one clock")
    found = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the database's"
    if abs(ahead) < CLOCK_WARNING:
        return ok("clock", found)
    remedy = "let a time server set the clocks of both (chrony, systemd-timesyncd)"
    return (problem if abs(ahead) > CLOCK_PROBLEM else warning)("clock", found, remedy)


def check_backbone(settings: ServerSettings) -> Iterator[Finding]:
    """Whether it is there, and is the one that the served skills were trained on; nothing is converted."""
    cache = settings.cache or default_cache()
    missing = _not_there(settings.backbone, cache)
    if missing is not None:
        yield missing
        return
    backbone = Backbone.load(settings.backbone, cache=cache)
    yield ok("backbone", f"{backbone.name} {backbone.fingerprint[:12]}, in {backbone.directory}")
    served = _served(settings.catalog)
    own = (backbone.fingerprint, backbone.adapted_fingerprint)
    foreign = [version for version in served if version.backbone not in own]
    if not foreign:
        yield ok("skills", f"{len(served)} versions have an alias, none is of another backbone")
        return
    others = ", ".join(f"{version.name}@{version.version}" for version in foreign[:3])
    yield problem(
        "skills",
        f"{len(foreign)} of {len(served)} versions are of another backbone, and refused: {others}",
        f"name theirs with --backbone; if this should be theirs, delete {cache}, it is made anew",
    )


def _served(url: str) -> Sequence[SkillVersion]:
    """Return what a server would load; nothing where the catalog's own check tells why."""
    path = Database(url).path
    if path is not None and not path.exists():
        return ()
    with closing(Catalog(url)) as catalog, suppress(CatalogError):
        return catalog.aliased()
    return ()


def _not_there(name: str, cache: Path) -> Finding | None:
    """Return what is to be said of a backbone that a start would have to make or fetch first."""
    if name == EMBEDDED:
        if converted_directory(cache).exists():
            return None
        source_directory()
        if not os.access(_existing(cache), os.W_OK):
            return problem(
                "backbone", f"{cache} has no {name} model and cannot be written", "name another --cache-dir"
            )
        return warning("backbone", f"{name} is not in {cache} yet", "the first start converts it: 10 to 60 s")
    if Path(name).is_dir() or _is_fetched(name):
        return None
    return warning("backbone", f"{name} was not fetched yet", "the first start does, and needs the network")


def _is_fetched(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    repository, _, revision = name.partition("@")
    return isinstance(try_to_load_from_cache(repository, "config.json", revision=revision or None), str)


def _existing(folder: Path) -> Path:
    """Return the closest folder upwards that is there."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
