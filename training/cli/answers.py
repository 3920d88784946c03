"""Answers to utterances, from a server or from this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nlu.client_types import (
    Edit,
    Grammar,
    Intent,
    Outcome,
    ParseRequest,
    ParseResult,
    SimilarUtterance,
    SkillKind,
    SkillResult,
    SkillVersion,
    Slot,
    SlotAlternative,
    Timings,
)
from training.cli.answer_cells import OUTCOME_STYLES, answer_cell, utterance_cell
from training.cli.output import Table, cell, on_terminal

if TYPE_CHECKING:
    from nlu.client import Tls
    from nlu.server_settings import ServerSettings
    from skills import parse

BATCH = 64  # utterances of one call, and in flight offline
SECONDS = 60.0  # for one batch; a command line has more patience than a dialog


def ask_server(
    requests: Sequence[ParseRequest], address: str, *, tls: Tls | None = None, api_key: str = ""
) -> list[ParseResult]:
    """Answer over gRPC, in plain text without `tls`.

    Raises:
        ClientError: the server refused one of the requests, or cannot be reached.
    """
    from nlu.client import Client, ClientError, UnavailableError

    results: list[ParseResult] = []
    with Client(address, timeout=SECONDS, tls=tls, api_key=api_key) as client:
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
    import asyncio

    return asyncio.run(_ask_catalog(requests, settings))


async def _ask_catalog(requests: Sequence[ParseRequest], settings: ServerSettings) -> list[ParseResult]:
    import asyncio

    from nlu.server import open_service
    from skills.parse import ParseRequest as DomainRequest
    from skills.skill import SkillRef

    asked = [
        DomainRequest(
            each.text,
            tuple(map(SkillRef.parse, each.skills)),
            n_best=each.n_best,
            expected_slots=each.expected_slots,
            correct_grammar=each.correct_grammar,
            explain=each.explain,
        )
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
    colours = on_terminal()
    return Table(
        ("utterance", "skill", "outcome", "answer"),
        [
            (
                utterance_cell(text, answer, colours=colours),
                cell(f"{answer.skill.name}@{answer.skill.version}", "cyan"),
                cell(answer.outcome, OUTCOME_STYLES.get(answer.outcome, "")),
                answer_cell(text, answer, colours=colours),
            )
            for text, result in zip(texts, results, strict=True)
            for answer in result.results
        ],
    )


def _result(result: parse.ParseResult) -> ParseResult:
    """Return an answer of this process as the client would."""
    return ParseResult(
        request_id=result.request_id,
        results=tuple(map(_skill_result, result.results)),
        read=result.read,
        backbone=result.backbone,
        timings=Timings(**asdict(result.timings)),
        corrected_text=result.corrected_text,
    )


def _skill_result(result: parse.SkillResult) -> SkillResult:
    intent, slots, grammar = result.intent, result.slots, result.grammar
    return SkillResult(
        skill=SkillVersion(result.skill, result.version, result.sha256),
        kind=SkillKind(str(result.kind)),
        outcome=Outcome(str(result.outcome)),
        ranking=tuple(Intent(each.name, each.confidence) for each in intent.ranking) if intent else (),
        in_scope=intent.in_scope if intent else 0.0,
        slots=tuple(map(_slot, slots.slots)) if slots else (),
        grammar=_grammar(grammar) if grammar else None,
        similar=tuple(SimilarUtterance(**asdict(each)) for each in intent.similar) if intent else (),
    )


def _slot(slot: parse.SlotValue) -> Slot:
    return Slot(
        name=slot.label.slot,
        start=slot.start,
        end=slot.end,
        raw=slot.raw,
        value=slot.value,
        confidence=slot.confidence,
        role=slot.label.role,
        group=slot.label.group,
        alternatives=tuple(
            SlotAlternative(each.label.slot, each.confidence, each.label.role, each.label.group)
            for each in slot.alternatives
        ),
    )


def _grammar(answer: parse.GrammarAnswer) -> Grammar:
    edits = tuple(Edit(**asdict(edit)) for edit in answer.edits)
    return Grammar(answer.is_grammatical, answer.confidence, answer.corrected, edits)
