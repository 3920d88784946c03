"""Rasa NLU YAML, one file or a folder of them (https://rasa.com/docs/rasa/training-data-format)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from skills.errors import DataError
from skills.formats.entity_markup import strip_markup
from skills.formats.phrases import PhraseKind, PhraseList
from skills.formats.row import Place, check_label, make_utterance
from skills.formats.source import read_text
from skills.utterance import Utterance

SUFFIXES = (".yml", ".yaml")

Item = Utterance | PhraseList | DataError

_REMEDY = "mend the file, or name a folder that holds only NLU data"
_MAX_DEPTH = 100  # NLU data needs 4
_VERSIONS = ("2.", "3.")  # the nlu section reads the same in both
_KINDS = ("intent", *PhraseKind)
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C is 10 times as fast


@dataclass(frozen=True)
class _Example:
    """An example as written, and its place."""

    raw: str
    place: Place


def read_rasa(path: Path) -> Iterator[Item]:
    """Yield utterances, lists of phrases and, in their places, what is wrong with bad examples.

    Of a folder, reads every YAML file below it but hidden ones, in order of path; files without an `nlu`
    section (domain, stories, rules) are passed over.

    Raises:
        DataError: a file cannot be read, is not YAML, is of an unknown version, or has no `nlu` section
            though it was named itself.
    """
    if not path.is_dir():
        if (section := _nlu_section(path)) is None:
            raise DataError("no `nlu:` section: name a file with Rasa NLU data, or a folder", file=str(path))
        yield from _items(section, str(path))
        return
    for file in files_below(path, SUFFIXES):
        if (section := _nlu_section(file)) is not None:
            yield from _items(section, str(file))


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files below a folder that have one of the suffixes, but no hidden ones, in order of path."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in suffixes
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


def _nlu_section(path: Path) -> yaml.Node | None:
    root = compose(path)
    if not isinstance(root, yaml.MappingNode):
        return None
    sections = fields_of(root, str(path))
    version, section = sections.get("version"), sections.get("nlu")
    if section is None or _is_null(section):
        return None
    if version is not None and not str(version.value).startswith(_VERSIONS):
        raise _place(version, str(path)).error(
            f'version is {version.value!r}, known are "2.0" to "3.1": convert it with `rasa data migrate`',
            field="version",
        )
    return section


def compose(path: Path) -> yaml.Node | None:
    """Return the tree of YAML nodes, which know their lines; nothing is constructed, so no tag does harm.

    Raises:
        DataError: the file cannot be read, or is not YAML.
    """
    text = read_text(path)
    try:
        _check_depth(path, text)
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        row = error.problem_mark.line + 1 if error.problem_mark else None
        raise DataError(f"not valid YAML ({error.problem}): {_REMEDY}", file=str(path), row=row) from error
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"not valid YAML ({reason}): {_REMEDY}", file=str(path)) from error


def _check_depth(path: Path, text: str) -> None:
    """The C composer recurses without a limit: a deep enough file would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise DataError(f"nested more than {_MAX_DEPTH} deep: {_REMEDY}", file=str(path))


def _items(section: yaml.Node, file: str) -> Iterator[Item]:
    if not isinstance(section, yaml.SequenceNode):
        raise _place(section, file).error(
            "`nlu` is not a list: begin each item with `- intent: NAME`", field="nlu"
        )
    for node in section.value:
        try:
            yield from _item(node, file)
        except DataError as error:
            yield error


def _item(node: yaml.Node, file: str) -> Iterator[Item]:
    fields = fields_of(node, file)
    place = _place(node, file)
    kinds = [kind for kind in _KINDS if kind in fields]
    if len(kinds) != 1:
        raise place.error(
            f"item has {' and '.join(kinds) or 'none'} of the keys {', '.join(_KINDS)}: give it one"
        )
    kind = kinds[0]
    name = check_label(_place(fields[kind], file), scalar(fields[kind]), kind)
    examples = fields.get("examples")
    if examples is None or not examples.value:
        raise place.error(
            f"{kind} {name!r} has no examples: add `examples: |` and lines of `- …`", field="examples"
        )
    if kind == "intent":
        for example in _examples(examples, file):
            yield example if isinstance(example, DataError) else _utterance(example, name)
        return
    phrases = []
    for example in _examples(examples, file):
        if isinstance(example, DataError):
            yield example
        else:
            phrases.append(example.raw)
    yield PhraseList(PhraseKind(kind), name, tuple(phrases))


def _utterance(example: _Example, intent: str) -> Item:
    try:
        text, entities = strip_markup(example.raw, example.place)
        return make_utterance(example.place, text, intent, entities)
    except DataError as error:
        return error


def _examples(node: yaml.Node, file: str) -> Iterator[_Example | DataError]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield _listed_example(item, file)
    elif isinstance(node, yaml.ScalarNode) and node.style == ">":
        yield _place(node, file).error(
            "`examples: >` joins all lines into one: write `examples: |`", field="examples"
        )
    else:
        yield from _written_examples(node, file)


def _listed_example(node: yaml.Node, file: str) -> _Example | DataError:
    """Read the long form: `- text: …`, perhaps with metadata."""
    place = _place(node, file)
    try:
        text = fields_of(node, file).get("text") if isinstance(node, yaml.MappingNode) else node
    except DataError as error:
        return error
    raw = None if text is None else scalar(text)
    if raw is None:
        return place.error("text is missing: write `- text: …`", field="text")
    return _Example(raw.strip(), place)


def _written_examples(node: yaml.Node, file: str) -> Iterator[_Example | DataError]:
    """Read the short form, a block of text whose lines begin with `- `."""
    if not isinstance(node, yaml.ScalarNode):
        yield _place(node, file).error(
            "examples are neither a text nor a list: write `examples: |`", field="examples"
        )
        return
    first = node.start_mark.line + 1
    for index, line in enumerate(node.value.split("\n")):
        # A block begins on the line behind its `|`; a quoted text gives no lines of its own.
        place = Place(file, first + 1 + index if node.style == "|" else first)
        stripped = line.strip()
        if stripped.startswith("-"):
            yield _Example(stripped[1:].strip(), place)
        elif stripped:
            yield place.error(f"example {stripped[:40]!r} does not begin with `- `: add it", field="examples")


def fields_of(node: yaml.Node, file: str) -> dict[str, yaml.Node]:
    """Return the values of a mapping by their keys.

    Raises:
        DataError: it is none, or a key is there twice.
    """
    if not isinstance(node, yaml.MappingNode):
        raise _place(node, file).error("item has no keys: write `- intent: NAME`")
    fields: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if str(key.value) in fields:
            raise _place(key, file).error(f"key {key.value!r} is there twice: remove one")
        fields[str(key.value)] = value
    return fields


def scalar(node: yaml.Node) -> str | None:
    """Return the text as written: an intent called `yes` or `42` stays that."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) and not _is_null(node) else None


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _place(node: yaml.Node, file: str) -> Place:
    return Place(file, node.start_mark.line + 1)
