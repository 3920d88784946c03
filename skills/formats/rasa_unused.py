"""What of a Rasa project no skill learns, so that its owner knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from skills.errors import DataError
from skills.formats.phrases import PhraseKind
from skills.formats.rasa_yaml import SUFFIXES, compose, fields_of, files_below, scalar

_OLDER = (".json", ".md")  # of NLU data before Rasa 2
_READ = ("nlu", "version")

Reason = Callable[[PhraseKind, str], str]


@dataclass(frozen=True)
class Unused:
    """A part of a file; `row` is where it begins, None for all of the file."""

    file: str
    row: int | None
    what: str
    reason: str

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}:{self.row}"
        return f"{place}: {self.what}: {self.reason}"


def unused_parts(path: Path, reason: Reason) -> Iterator[Unused]:
    """Yield what is not used of a file or folder that `read_rasa` reads; files of other formats have nothing.

    Args:
        path: of the file or folder.
        reason: says of a list of phrases, by its kind and name, why it is not used; "" if it is.

    Raises:
        DataError: as `read_rasa`.
    """
    if not path.is_dir():
        if path.suffix.lower() in SUFFIXES:
            yield from _parts(path, reason)
        return
    for file in files_below(path, (*SUFFIXES, *_OLDER)):
        if file.suffix.lower() in _OLDER:
            yield Unused(str(file), None, "file", "not YAML; `rasa data convert nlu` makes it of NLU data")
        else:
            yield from _parts(file, reason)


def _parts(file: Path, reason: Reason) -> Iterator[Unused]:
    root = compose(file)
    if not isinstance(root, yaml.MappingNode):
        return
    sections = fields_of(root, str(file))
    if others := [name for name in sections if name not in _READ]:
        yield Unused(str(file), None, ", ".join(others), "not NLU data")
    nlu = sections.get("nlu")
    for item in nlu.value if isinstance(nlu, yaml.SequenceNode) else ():
        try:
            fields = fields_of(item, str(file))
        except DataError:  # which the reader has told of
            continue
        for kind in PhraseKind:
            name = scalar(fields[kind]) if kind in fields else None
            if name is not None and (why := reason(kind, name.strip())):
                yield Unused(str(file), item.start_mark.line + 1, f"{kind} {name.strip()}", why)
