"""ERRANT's precision, recall and F0.5 (Bryant et al. 2017), with a tagger that needs no download.

ERRANT aligns words by their lemmas and parts of speech. Those of spaCy's English models are on no package
index, so they come from HanTa (Wartena 2019), which has its model in its package; tokens are spaCy's. Scores
therefore differ a little from those of spaCy's own models, in both directions, and compare with each other.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

BETA = 0.5  # precision counts twice as much as recall, as usual for corrections

_COMPONENT = "softspoken_hanta"

# The BNC's C5 tags by their beginning, as universal parts of speech; verbs and "to" are told apart below.
_PARTS_OF_SPEECH = {
    "AJ": "ADJ", "AT": "DET", "AV": "ADV", "CJC": "CCONJ", "CJ": "SCONJ", "CR": "NUM", "DPS": "PRON",
    "DT": "DET", "EX": "PRON", "IT": "INTJ", "NN": "NOUN", "NP": "PROPN", "OR": "ADJ", "PN": "PRON",
    "POS": "PART", "PR": "ADP", "PU": "PUNCT", "TO": "PART", "VB": "AUX", "VM": "AUX", "V": "VERB",
    "XX": "PART",
}  # fmt: skip


def errant_scores(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    """Return precision, recall and F0.5 of span-based correction, [0, 1].

    Of several references of a sentence, the one counts that makes the score of all so far best, as in
    `errant_compare`.

    Raises:
        ImportError: the extra softspoken[metrics] is not installed.
    """
    from errant.commands.compare_m2 import computeFScore, evaluate_edits

    options = Namespace(beta=BETA, verbose=False)
    total: Counter[str] = Counter(tp=0, fp=0, fn=0)
    for source, hypothesis, correct in zip(sources, hypotheses, references, strict=True):
        found = {0: _edits(source, hypothesis)}
        wanted = {place: _edits(source, reference) for place, reference in enumerate(correct)}
        counts, _ = evaluate_edits(found, wanted, total, 0, source, options)
        total.update(counts)
    precision, recall, score = computeFScore(total["tp"], total["fp"], total["fn"], BETA)
    return precision, recall, score


def tokens(text: str) -> list[str]:
    """Return a text as spaCy's English tokens; those of tokenised text stay as they are.

    Raises:
        ImportError: the extra softspoken[metrics] is not installed.
    """
    return [token.text for token in _annotator().nlp.tokenizer(" ".join(text.split()))]


def _edits(source: str, corrected: str) -> dict[tuple[int, int, str], list[str]]:
    """Return edits as `errant_compare` counts them: where, what, and a type, which nobody asks for."""
    if source == corrected:
        return {}
    annotator = _annotator()
    alignment = annotator.align(_parsed(source), _parsed(corrected))
    return {(edit.o_start, edit.o_end, edit.c_str): [""] for edit in annotator.merge(alignment)}


@lru_cache(maxsize=1 << 14)
def _parsed(text: str) -> Any:
    return _annotator().parse(" ".join(tokens(text)))


@lru_cache(maxsize=1)
def _annotator() -> Any:
    import errant
    import spacy
    from HanTa.HanoverTagger import HanoverTagger
    from spacy.language import Language

    tagger = HanoverTagger("morphmodel_en.pgz")  # a pickle of its own package

    def tag(document: Any) -> Any:
        words = [token.text for token in document]
        tagged = tagger.tag_sent(words) if words else []
        for place, (token, (_, lemma, found)) in enumerate(zip(document, tagged, strict=True)):
            after = tagged[place + 1][2] if place + 1 < len(tagged) else ""
            token.lemma_ = lemma.lower()
            token.pos_ = _part_of_speech(token.lower_, found, after)
            token.tag_ = found
        return document

    Language.component(_COMPONENT, func=tag)
    nlp = spacy.blank("en")
    nlp.add_pipe(_COMPONENT)
    return errant.load("en", nlp)


def _part_of_speech(word: str, tag: str, after: str) -> str:
    if word == "to" and after.startswith("V"):
        return "PART"
    if tag.startswith(("VH", "VD")) and after.startswith(("V", "XX", "PNP")):
        return "AUX"
    return next((part for begin, part in _PARTS_OF_SPEECH.items() if tag.startswith(begin)), "X")
