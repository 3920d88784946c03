"""`softspoken backbone`: a dialog adapter is made from utterances; graphs for servers without torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skills.errors import InputError
from skills.job import JobProgress
from training.cli.options import FILE, FOLDER, backbone_options, json_option, setting
from training.cli.output import Table, cell, print_json, print_message, print_table
from training.cli.progress import training_progress

if TYPE_CHECKING:
    from nlu.adapter import Adapter
    from nlu.prompt import Floats

OnProgress = Callable[[JobProgress], None]


@click.group()
def backbone() -> None:
    """The frozen model that all skills share."""


@backbone.command()
@json_option
@backbone_options
def export(**options: Any) -> None:
    """Make what servers without torch need of the backbone, below the cache directory.

    Give them a copy of that directory, and its place as --cache-dir or SOFTSPOKEN_CACHE_DIR.
    """
    from nlu.backbone import Backbone
    from nlu.engine.export import export_backbone

    loaded = Backbone.load(options["backbone"], cache=options["cache_dir"])
    export_backbone(loaded)
    found = {
        "backbone": loaded.fingerprint,
        "adapted": loaded.adapted_fingerprint,
        "cache": str(loaded.cache),
    }
    if options["json"]:
        print_json(found)
        return
    rows = [(cell(name), cell(value or "-")) for name, value in found.items()]
    print_table(Table(("exported", loaded.name), rows))


@backbone.command()
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
@setting("--out", type=FILE, required=True, help="Where the adapter goes: a .safetensors file.")
@setting(
    "--teacher",
    type=FOLDER,
    help="Directory of a sentence-transformers model.  [default: all-MiniLM-L6-v2, of the extra adapt]",
)
@setting("--steps", type=click.IntRange(min=1), help="Batches to learn from.  [default: 1000]")
@setting("--rank", type=click.IntRange(1, 512), help="Of each matrix's change.  [default: 64]")
@setting("--seed", type=click.IntRange(min=0), help="Same seed, same machine, same bytes.  [default: 13]")
@setting("--force", is_flag=True, help="Replace the file that is there.")
@json_option
@backbone_options
def adapt(files: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Make an adapter: the encoder learns from a teacher which utterances are alike.

    Files are text, one utterance a line, or JSON Lines with a "text"; no labels are read. Use the adapter
    with --backbone NAME+FILE.safetensors, in training and in serving.
    """
    _check_out(out, options["force"])
    began = time.monotonic()
    texts = _texts(files)
    with training_progress(quiet=options["json"]) as on_progress:
        adapter = _adapted(texts, options, on_progress)
    adapter.write(out)
    found = {
        "utterances": len(texts),
        "bytes": out.stat().st_size,
        "seconds": round(time.monotonic() - began),
    }
    if options["json"]:
        print_json(
            {"out": str(out), "backbone": adapter.backbone, "fingerprint": adapter.fingerprint, **found}
        )
        return
    rows = [(cell("fingerprint"), cell(adapter.fingerprint))]
    rows += [(cell(name), cell(f"{value:,}")) for name, value in found.items()]
    print_table(Table(("adapter in", str(out)), rows))


def _check_out(out: Path, force: bool) -> None:
    if out.suffix != ".safetensors":
        raise InputError(
            f"an adapter is a safetensors file: name it {out.with_suffix('.safetensors')}", field="out"
        )
    if out.exists() and not force:
        raise InputError(f"{out} is there already: name another file, or give --force", field="out")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is no folder: make it, or name another one", field="out")


def _texts(files: Sequence[Path]) -> list[str]:
    from skills.formats import read_sentences

    return list(dict.fromkeys(text for path in files for text in read_sentences(path)))


def _adapted(texts: Sequence[str], options: dict[str, Any], on_progress: OnProgress) -> Adapter:
    from nlu.backbone import Backbone
    from nlu.compute import choose
    from training.adapter_training import AdapterConfig, make_adapter

    given = {name: options[name] for name in ("steps", "rank", "seed") if options[name] is not None}
    config = AdapterConfig(**given)
    compute = choose("cpu", "auto", options["threads"])
    loaded = Backbone.load(options["backbone"], cache=options["cache_dir"])
    print_message(f"{len(texts):,} utterances; the teacher reads them first")
    vectors = _embedded(texts, options["teacher"], on_progress)
    return make_adapter(
        loaded, texts, vectors, config, compute, lambda step: on_progress(JobProgress("adapt", **vars(step)))
    )


def _embedded(texts: Sequence[str], directory: Path | None, on_progress: OnProgress) -> Floats:
    from training.teacher import embed, teacher_directory

    began = time.monotonic()

    def told(done: int) -> None:
        left = (time.monotonic() - began) / done * (len(texts) - done)
        on_progress(JobProgress("teacher", done, len(texts), seconds_left=left))

    return embed(texts, directory or teacher_directory(), told)
