"""Which sentences may stand as the correct half of a pair."""

from __future__ import annotations

import re

from skills.corruption.lexicon import DETERMINERS, FUNCTION_WORDS, is_known, is_vowel_sound, tags
from skills.corruption.sentence import Sentence
from skills.parse import MAX_TEXT
from skills.protection import protected_spans

_SHORTEST = 2  # words

# Signs of carelessness, each enough: what has one is likely to have other faults.
_FAULTS = re.compile(
    r"""
    \s\s | \s[,.?!;:] | [,;:!?][^\W\d_] | (?<![.\d])\.[^\W\d_.] | \.\.$ | [?!,]{2} | ^\W*[a-z] | [.?!]\ [a-z]
  | \bi\b | \b([^\W\d]+)\ \1\b | [^\x00-\x7f‘’“”–—…éèáíóúñüöäçê] | ['’](?![\w\s,.?!]|$) | \s['’]\s
    """,
    re.VERBOSE,
)
_BE = "is|are|was|were"
_THING = (
    "restaurant|movie|hotel|house|song|flight|bus|apartment|ticket|event|appointment|car|room|table|cab|place"
    "|doctor|dentist|person|bed"
)
_OPEN = r"(?:can|could|would|will|do|does|did|is|are|was|were|may)"
_GRAMMAR = re.compile(
    rf"""
    (?:^|[,.?!]\ |\b(?:and|but|that|if|because|so)\ )(?:he|she|it)\ (?:
      have|are|were|do|don't|go|want|need|like|look|sound|seem|cost|start|work)\b
  | \b(?:i|you|we|they)\ (?:has|is|does|doesn't|wants|needs|likes|goes)\b | \b(?:you|we|they)\ was\b
  | \b(?:there|this|that)\ (?:is|was)\ (?:two|three|four|five|six|many|several|any\ \w+s)\b
  | \b(?:this|that|an?|another|each|every|one)\ (?:people|children|(?:{_THING})s)\b
  | \b(?:these|those|many|several|two|three|four)\ (?:{_THING})\b(?!\ \w+s\b)
  | \b(?:information|advice|music|furniture|luggage)s\b | \ban?\ (?:information|music|help|advice)[.,?!]
  | \b(?:can|could|will|would|should|must|may|might)\ (?:to|of|\d|(?!during|bring|sing|swing)\w+ing)\b
  | \b(?:did|didn't|does|doesn't)\ (?:went|saw|has|had|was|got|took)\b | \bam\ (?:agree|want|need|like)\b
  | \bwant(?:ed)?\ (?:find|book|buy|see|go|know|make)\b | \bthat\ (?:good|great|fine|perfect|all|nice)[.,]
  | \bin\ (?:(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\d+(?::\d\d)?\ ?[ap]m\b)
  | \bon\ \d+(?:st|nd|rd|th)\b | \bfine\ me\b
  | \bit's\ (?:address|phone|price|cost|name|genre|rating|location)\b
  | \b(?:dont|cant|wont|im|ive|thats|whats|hows|didnt|doesnt|isnt|lets|alot|wanna|gonna)\b
  | \b(?:for|find|book|buy|want|need|get|watch|in|at|reserve)\ (?:{_THING})
      (?:[.,?!]|\ (?:in|at|for|to|on|with|that|please|and)\b)
  | \b(?:tell|know|ask|see|check)\b[^.?!,]*\b(?:what|where|when|who|which|how)\ (?:
      (?:{_BE})\ (?:the|my|their|your|its)\ [^.,]*[.?] | (?:am|do|can|does|did|will)\ (?:i|it|they|you|we)\b)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ASKS = re.compile(
    rf"""
    (?:(?:what|where|when|who|which|how|why)(?:'s|\ (?:{_BE}|do|does|did|can|could|much|many|long|far))
      | {_OPEN}\ (?:i|you|he|she|it|we|they|there|the|this|that))\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:(?:yes|no|okay|ok|great|sure|thanks|alright|and|so|but|also|well|perfect)[, ]+)*", re.IGNORECASE
)


def looks_clean(text: str) -> bool:
    """Whether a text is written with care: whole sentences of known words, no telling fault of grammar.

    It errs on the side of refusing.
    """
    if not text or len(text) > MAX_TEXT or text != text.strip() or text[-1] not in ".?!":
        return False
    plain = _unprotected(text)
    if _FAULTS.search(plain) or _GRAMMAR.search(text) or _has_wrong_end(text):
        return False
    sentence = Sentence(plain)
    words = sum(word[0].isalpha() for word in sentence.lower)
    return words >= _SHORTEST and all(_fits(sentence, place) for place in range(len(sentence)))


def _unprotected(text: str) -> str:
    """Return the text with a digit for each address and number: other rules hold there."""
    for start, end in reversed(protected_spans(text)):
        text = f"{text[:start]}0{text[end:]}"
    return text


def _has_wrong_end(text: str) -> bool:
    """Whether a question ends with a full stop."""
    parts = re.findall(r"[^.?!]+[.?!]*", text)
    return any(
        part.rstrip().endswith(".") and _ASKS.match(_LEAD.sub("", part.strip())) is not None for part in parts
    )


def _fits(sentence: Sentence, place: int) -> bool:
    word, lower = sentence.words[place], sentence.at(place)
    if not word.text[0].isalpha():
        return True
    if word.text[0].islower() or word.begins:
        known = is_known(lower) or is_known(lower.partition("'")[0]) or sentence.is_name(place + 1)
    else:
        first = lower.partition("'")[0]
        known = lower not in FUNCTION_WORDS or first == "i" or _is_title(sentence, place)
    article = sentence.at(place - 1)
    if article in ("a", "an") and (article == "an") != is_vowel_sound(lower):
        return False
    return known and not _has_needless_capital(sentence, place)


def _has_needless_capital(sentence: Sentence, place: int) -> bool:
    """Whether a common noun or a verb has a capital, as in "a Burger" and "Yes, Find one"."""
    if not sentence.is_name(place) or sentence.is_name(place - 1) or sentence.is_name(place + 1):
        return False
    found, before = tags(sentence.at(place)), sentence.at(place - 1)
    return (before in DETERMINERS and not found.isdisjoint({"NN", "NNS"})) or (
        before == "," and "VB" in found
    )


def _is_title(sentence: Sentence, place: int) -> bool:
    """Whether a word of grammar with a capital stands among names, as in "Doubletree By Hilton"."""
    abbreviation = len(sentence.at(place)) > 1 and sentence.words[place].text.isupper()  # "Portland, OR"
    return abbreviation or sentence.is_name(place - 1) or sentence.is_name(place + 1)
