"""Answers to utterances, from a server or from this process, and how they look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from nlu.client_types import (
    Intent,
    Outcome,
    ParseRequest,
    ParseResult,
    SkillKind,
    SkillResult,
    SkillVersion,
    Timings,
)
from training.cli.output import Table, cell, on_terminal, percent

if TYPE_CHECKING:
    from nlu.client import Tls
    from nlu.server import ServerSettings
    from skills import parse

BATCH = 64  # utterances of one call, and in flight offline
SECONDS = 60.0  # for one batch; a command line has more patience than a dialog

_STYLES = {
    Outcome.MATCHED: "bold green",
    Outcome.AMBIGUOUS: "yellow",
    Outcome.OUT_OF_SCOPE: "magenta",
    Outcome.EMPTY_INPUT: "dim",
}
_BAR = 12  # characters of a bar at 100 %
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def ask_server(
    requests: Sequence[ParseRequest], address: str, *, tls: Tls | None = None
) -> list[ParseResult]:
    """Answer over gRPC, in plain text without `tls`.

    Raises:
        ClientError: the server refused one of the requests, or cannot be reached.
    """
    from nlu.client import Client, ClientError, UnavailableError

    results: list[ParseResult] = []
    with Client(address, timeout=SECONDS, tls=tls) as client:
        for start in range(0, len(requests), BATCH):
            try:
                items = client.batch_parse(requests[start : start + BATCH])
            except UnavailableError as error:
                raise UnavailableError(
                    f"no server answers at {address}: check --server, or start one with softspoken serve "
                    f"({error})"
                ) from error
            for item in items:
                if isinstance(item, ClientError):
                    raise item
                results.append(item)
    return results


def ask_catalog(requests: Sequence[ParseRequest], settings: ServerSettings) -> list[ParseResult]:
    """Answer in this process, exactly as a server with these settings would.

    Raises:
        SoftspokenError: a request is wrong, or backbone, catalog or a skill cannot be had.
    """
    return asyncio.run(_ask_catalog(requests, settings))


async def _ask_catalog(requests: Sequence[ParseRequest], settings: ServerSettings) -> list[ParseResult]:
    from nlu.server import open_service
    from skills.parse import ParseRequest as DomainRequest
    from skills.skill import SkillRef

    asked = [
        DomainRequest(each.text, tuple(map(SkillRef.parse, each.skills)), n_best=each.n_best)
        for each in requests
    ]
    results: list[ParseResult] = []
    async with open_service(settings) as service:
        for start in range(0, len(asked), BATCH):
            batch = asked[start : start + BATCH]
            results += map(_result, await asyncio.gather(*map(service.parser.parse, batch)))
    return results


def answers_document(texts: Sequence[str], results: Sequence[ParseResult]) -> list[dict[str, Any]]:
    """Return every answer in full, for JSON."""
    return [{"text": text, **asdict(result)} for text, result in zip(texts, results, strict=True)]


def answers_table(texts: Sequence[str], results: Sequence[ParseResult]) -> Table:
    """Return one row an utterance and skill."""
    ranking = _bars if on_terminal() else _list
    return Table(
        ("utterance", "skill", "outcome", "ranking"),
        [
            (
                cell(text),
                cell(f"{answer.skill.name}@{answer.skill.version}", "cyan"),
                cell(answer.outcome, _STYLES.get(answer.outcome, "")),
                ranking(answer),
            )
            for text, result in zip(texts, results, strict=True)
            for answer in result.results
        ],
    )


def _bars(answer: SkillResult) -> Text:
    style = _STYLES.get(answer.outcome, "")
    lines = [
        Text.assemble((_bar(each.confidence), style), f" {percent(each.confidence):>7}  ", cell(each.name))
        for each in answer.ranking
    ]
    return Text("\n").join(lines)


def _bar(share: float) -> str:
    full, eighths = divmod(round(share * _BAR * 8), 8)
    return ("█" * full + _EIGHTHS[eighths] * (full < _BAR)).ljust(_BAR)


def _list(answer: SkillResult) -> Text:
    return cell(", ".join(f"{each.name} {each.confidence:.3f}" for each in answer.ranking))


def _result(result: parse.ParseResult) -> ParseResult:
    """Return an answer of this process as the client would."""
    return ParseResult(
        request_id=result.request_id,
        results=tuple(map(_skill_result, result.results)),
        read=result.read,
        backbone=result.backbone,
        timings=Timings(**asdict(result.timings)),
    )


def _skill_result(result: parse.SkillResult) -> SkillResult:
    return SkillResult(
        skill=SkillVersion(result.skill, result.version, result.sha256),
        kind=SkillKind(str(result.kind)),
        outcome=Outcome(str(result.answer.outcome)),
        ranking=tuple(Intent(each.name, each.confidence) for each in result.answer.ranking),
        in_scope=result.answer.in_scope,
    )
