"""`softspoken skills explain`: what a skill's prompt leans on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from skills.errors import InputError
from skills.skill import SkillRef, SkillVersion
from training.cli.catalogs import load_version, open_catalog
from training.cli.measuring import read_rows
from training.cli.options import FILE_OR_FOLDER, backbone_options, catalog_option, json_option, setting
from training.cli.output import Table, cell, percent, print_json, print_message, print_table

if TYPE_CHECKING:
    from training.prompt_study import LayerStudy, NearWord

_TEXTS = 200
_BAR = 30  # characters for all of the attention
_SOFT_CAVEAT = (
    "near is not alike: a tuned vector is far from every word (mind the cosines), and what it does depends "
    "on all others; read the words as a hint of the topic at best"
)
_DEEP_CAVEAT = (
    "attention shows where a layer looks, not why an answer is what it is (Jain and Wallace 2019); "
    "'change' is what leaving that layer's prompt out does to the encoder's output, and layers can stand in "
    "for each other"
)


@click.command()
@click.argument("skill", metavar="NAME[@VERSION|@ALIAS]")
@setting("--data", type=FILE_OR_FOLDER, multiple=True, help="Rows to look at, not those it was trained on.")
@setting("--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number.")
@setting("--skip-bad-rows", is_flag=True, help="Leave bad rows out and say which.")
@setting("--texts", type=click.IntRange(1, 10_000), default=_TEXTS, help="Rows looked at, at most.")
@json_option
@backbone_options
@catalog_option
def explain(skill: str, **options: Any) -> None:
    """Show what a prompt leans on: words near a soft one, attention and effect of a deep one by layer."""
    from nlu.tokens import tokenise
    from training.prompt_study import nearest_words, study_layers

    loaded, backbone = load_version(SkillRef.parse(skill), options)
    prompt = loaded.prompt
    encoder = backbone.encoder(adapted=prompt.adapted)
    if prompt.soft is not None:
        words = nearest_words(prompt.soft, encoder.embedding.weight.numpy(), backbone.tokenizer)
        _show(options["json"], loaded.version, "vectors", words, _words_table(words), _SOFT_CAVEAT)
        return
    if prompt.deep is None:
        raise InputError(f"{loaded.version} has no prompt: there is nothing to explain", field="skill")
    texts = _texts(loaded.version, options)
    study = study_layers(encoder, [tokenise(backbone, text).ids for text in texts], prompt.deep)
    title = f"{loaded.version}, {prompt.length} vectors a layer, {len(texts)} texts"
    _show(options["json"], loaded.version, "layers", study, _layers_table(study, title), _DEEP_CAVEAT)


def _texts(version: SkillVersion, options: dict[str, Any]) -> list[str]:
    """Return the texts of --data, or those that the version was trained on."""
    from skills.training_data import TrainingData

    if options["data"]:
        rows = read_rows(version.kind, options)
    else:
        with open_catalog(options["catalog"]) as catalog:
            stored = catalog.dataset(version)
        if stored is None:
            raise InputError(f"the rows of {version} are not kept: give some with --data", field="data")
        rows = TrainingData.from_bytes(stored).train
    texts = [row.text for row in rows if row.text.strip()]
    if not texts:
        raise InputError("there is no row with a text", field="data")
    step = max(1, len(texts) // options["texts"])
    return texts[::step][: options["texts"]]  # rows are often ordered by intent


def _show(
    json: bool, version: SkillVersion, name: str, found: Sequence[Any], table: Table, caveat: str
) -> None:
    if json:
        document = [
            [asdict(word) for word in each] if isinstance(each, list) else asdict(each) for each in found
        ]
        print_json({"skill": version.name, "version": version.version, name: document, "caveat": caveat})
        return
    print_table(table)
    print_message(caveat)


def _words_table(vectors: Sequence[Sequence[NearWord]]) -> Table:
    rows = [
        (cell(number), cell(", ".join(f"{word.token.strip('▁') or '▁'} {word.cosine:.2f}" for word in words)))
        for number, words in enumerate(vectors, start=1)
    ]
    return Table(("vector", "nearest tokens, cosine"), rows, "what each vector is near to")


def _layers_table(study: Sequence[LayerStudy], title: str) -> Table:
    rows = [
        (
            cell(each.layer),
            cell(percent(each.attention)),
            cell("█" * round(_BAR * each.attention), "cyan"),
            cell(percent(each.even)),
            cell(f"{each.change:.3f}"),
        )
        for each in study
    ]
    columns = ("layer", "attention to the prompt", "", "if it were even", "change without it")
    return Table(columns, rows, title)
