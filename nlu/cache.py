"""Directories that are made once, whole, and shared by all processes of a user."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from skills.errors import BackboneError


def default_cache() -> Path:
    """Return where converted models are kept unless a setting says otherwise."""
    return Path.home() / ".cache" / "softspoken"


def cached_directory(target: Path, make: Callable[[Path], None]) -> Path:
    """Return `target`, having `make` fill it first if it is not there yet.

    Safe when several processes start at once and when one is killed midway: each makes a directory of its
    own, and the one rename that comes first wins.

    Raises:
        BackboneError: the cache cannot be written.
    """
    if target.exists():
        return target
    scratch: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        make(scratch)
        os.rename(scratch, target)
    except (OSError, SafetensorError) as error:  # safetensors wraps what the disk says
        if not target.exists():  # otherwise another process was first, and its result is the same
            raise BackboneError(
                f"cannot write the model cache {target}: {error}; "
                "set --cache-dir or SOFTSPOKEN_CACHE_DIR to a writable directory with 500 MB free"
            ) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    return target
