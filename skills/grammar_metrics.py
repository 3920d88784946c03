"""How well a grammar skill corrects, measured on sentences that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from skills.edits import edits_between
from skills.errant_scores import BETA, errant_scores, tokens
from skills.errors import InputError

METRICS_HINT = "GLEU and ERRANT are not installed, so not measured: pip install 'softspoken[metrics]'"

_ORDER = 4  # n-grams of up to so many words, as published
_SAMPLES = 500  # of one reference for each sentence, as published
_SEED = 13

__all__ = ["METRICS_HINT", "GrammarMetrics", "errant_scores", "gleu", "grammar_metrics", "has_metrics"]


@dataclass(frozen=True)
class GrammarMetrics:
    """Shares in [0, 1], GLEU in [0, 100]; None where no row is right, or a package is not installed.

    The edit scores count words as `skills.edits` finds them, the ERRANT scores as is usual in research.
    """

    rows: int
    exact: float  # share of sentences that became one of their references
    left_alone: float  # share of sentences that were not changed
    false_edit_rate: float | None  # share of sentences that were changed, of those that nobody corrected
    edit_precision: float
    edit_recall: float
    edit_f05: float
    gleu: float | None = None
    errant_precision: float | None = None
    errant_recall: float | None = None
    errant_f05: float | None = None

    def as_flat_dict(self) -> dict[str, float]:
        """Return the numbers by name, for the catalog."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: float(value) for name, value in values.items() if value is not None}


def grammar_metrics(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> GrammarMetrics:
    """Measure corrections: of each source, the hypothesis is the answer, the references are right.

    GLEU and ERRANT are measured if the extra softspoken[metrics] is installed; `METRICS_HINT` says so.

    Raises:
        InputError: there are no rows, or not as many of each, or one without a reference.
    """
    _check(sources, hypotheses, references)
    rows = list(zip(sources, hypotheses, references, strict=True))
    changed = [source != hypothesis for source, hypothesis, correct in rows if {*correct} == {source}]
    precision, recall, score = _edit_scores(sources, hypotheses, references)
    errant = errant_scores(sources, hypotheses, references) if has_metrics() else (None, None, None)
    return GrammarMetrics(
        rows=len(rows),
        exact=sum(hypothesis in correct for _, hypothesis, correct in rows) / len(rows),
        left_alone=sum(source == hypothesis for source, hypothesis, _ in rows) / len(rows),
        false_edit_rate=sum(changed) / len(changed) if changed else None,
        edit_precision=precision,
        edit_recall=recall,
        edit_f05=score,
        gleu=gleu(sources, hypotheses, references) if has_metrics() else None,
        errant_precision=errant[0],
        errant_recall=errant[1],
        errant_f05=errant[2],
    )


def has_metrics() -> bool:
    """Whether the extra softspoken[metrics] is installed."""
    return all(find_spec(name) for name in ("errant", "gleu", "HanTa", "spacy"))


def gleu(sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return GLEU without tuning, [0, 100] (Napoles et al. 2015, as corrected in 2016).

    It is the mean over samples of one reference for each sentence, as the published script draws them; texts
    are taken as tokens, which leaves tokenised ones as they are.

    Raises:
        ImportError: the extra softspoken[metrics] is not installed.
        InputError: as for `grammar_metrics`.
    """
    from gleu.accum import Accumulator
    from gleu.score import n_accum_to_gleu

    _check(sources, hypotheses, references)
    counts = [_counts(*row) for row in zip(sources, hypotheses, references, strict=True)]
    generator = np.random.default_rng(_SEED)
    samples = _SAMPLES if max(map(len, references)) > 1 else 1
    scores = []
    for _ in range(samples):
        drawn = generator.random(len(counts))
        # (3 * order + 2,): matches, penalties and n-grams by order; words of references and of answers
        chosen = [row[int(share * len(row))] for row, share in zip(counts, drawn, strict=True)]
        total = np.sum(chosen, axis=0)
        by_order = [Accumulator(*map(int, total[order : 3 * _ORDER : _ORDER])) for order in range(_ORDER)]
        scores.append(n_accum_to_gleu(by_order, total[-2], total[-1]) if total[0] else 0.0)
    return 100 * float(np.mean(scores))


def _counts(source: str, hypothesis: str, references: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return what GLEU counts of a sentence, for each reference."""
    from gleu.aggreg import make_rn_accum
    from gleu.count import set_tokenization

    set_tokenization("word")
    texts = [" ".join(tokens(text)) for text in (source, hypothesis, *references)]
    by_reference = make_rn_accum(_ORDER, texts[0], tuple(texts[2:]), texts[1])
    answered = len(texts[1].split())
    return [
        np.array(
            [
                *(each.match for each in orders),
                *(min(each.penal, each.match) for each in orders),
                *(each.denom for each in orders),
                len(reference.split()),
                answered,
            ]
        )
        for orders, reference in zip(by_reference, texts[2:], strict=True)
    ]


def _edit_scores(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    """Return precision, recall and F0.5 of edits; the best reference of each sentence counts."""
    hits = made = needed = 0
    for source, hypothesis, correct in zip(sources, hypotheses, references, strict=True):
        found = set(edits_between(source, hypothesis))
        wanted = [set(edits_between(source, reference)) for reference in correct]
        best = max(
            wanted, key=lambda each: (_f_score(len(found & each), len(found), len(each))[2], -len(each))
        )
        hits, made, needed = hits + len(found & best), made + len(found), needed + len(best)
    return _f_score(hits, made, needed)


def _f_score(hits: int, made: int, needed: int) -> tuple[float, float, float]:
    precision = hits / made if made else 1.0
    recall = hits / needed if needed else 1.0
    weighted = BETA**2 * precision + recall
    return precision, recall, (1 + BETA**2) * precision * recall / weighted if weighted else 0.0


def _check(sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not len(sources) == len(hypotheses) == len(references):
        raise InputError(
            f"{len(sources)} sentences, {len(hypotheses)} answers and {len(references)} references: "
            "give one of each for every row"
        )
    if not sources or not all(references):
        raise InputError("no rows, or one without a reference: give at least one", field="data")
