"""A data file as lines of UTF-8 text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skills.errors import DataError

MAX_BYTES = 256 * 2**20  # a million rows of 256 bytes; keeps a wrong path from filling the memory


@dataclass(frozen=True)
class Line:
    """A line with its line end; `fault` says why it is not text, if it is not."""

    number: int  # 1-based
    text: str
    fault: str = ""


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file, with or without a byte order mark; only a line feed ends a line.

    Raises:
        DataError: the file is missing, unreadable or too large.
    """
    _check_size(path)
    try:
        with path.open("rb") as file:
            yield from decode_lines(file)
    except OSError as error:
        raise _unreadable(path, error) from error


def decode_lines(raws: Iterable[bytes]) -> Iterator[Line]:
    """Yield lines of UTF-8 text; each comes with its line end."""
    start = 0  # byte offset of the line
    for number, raw in enumerate(raws, start=1):
        yield _decode(number, raw, start)
        start += len(raw)


def read_text(path: Path) -> str:
    """Return the whole file.

    Raises:
        DataError: the file is missing, unreadable, too large or not UTF-8.
    """
    lines = []
    for line in read_lines(path):
        if line.fault:
            raise DataError(line.fault, file=str(path), row=line.number)
        lines.append(line.text)
    return "".join(lines)


def _decode(number: int, raw: bytes, start: int) -> Line:
    encoding = "utf-8-sig" if number == 1 else "utf-8"
    try:
        return Line(number, raw.decode(encoding))
    except UnicodeDecodeError as error:
        # The reader of the byte order mark counts from behind it.
        at = error.start + len(raw) - len(error.object)
        fault = f"byte {start + at:,} of the file (0x{raw[at]:02x}) is not UTF-8: save the file as UTF-8"
        return Line(number, raw.decode(encoding, errors="replace"), fault)


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise DataError("no such file: check the path", file=str(path)) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if size > MAX_BYTES:
        raise DataError(
            f"the file has {size:,} bytes, at most {MAX_BYTES:,} are allowed: use a part of it",
            file=str(path),
        )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"cannot be read ({error.strerror}): check the path and its permissions", file=str(path))
