"""Small letters where capitals belong, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.lexicon import FUNCTION_WORDS
from skills.corruption.sentence import Error, Sentence
from skills.edits import Edit


def propose(sentence: Sentence, random: Random) -> Iterator[Error]:
    """Yield capitals to take away: of sentences, of "I", of names, of all; seldom one too many."""
    capitals = {place for place, word in enumerate(sentence.words) if word.text != sentence.lower[place]}
    begins = [place for place in capitals if sentence.words[place].begins]
    pronouns = [place for place in capitals if sentence.at(place).partition("'")[0] == "i"]
    names = [place for place in capitals if sentence.is_name(place)]
    for places, weight in ((begins, 3.0), (pronouns, 3.0), (names, 1.5), (sorted(capitals), 3.0)):
        if places:
            yield _small(sentence, sorted(places), weight)
    if len(begins) > 1 or len(names) > 1:
        yield _small(sentence, [random.choice(sorted(begins) + sorted(names))], 1.0)
    common = [place for place in range(1, len(sentence)) if _is_common_noun(sentence, place)]
    if common:
        place = random.choice(common)
        word = sentence.words[place]
        yield Error((Edit(word.start, word.start + 1, word.text[0].upper()),), 0.25)


def _small(sentence: Sentence, places: list[int], weight: float) -> Error:
    words = [(sentence.words[place], sentence.words[place].text.lower()) for place in places]
    return Error(tuple(Edit(word.start, word.end, lower) for word, lower in words), weight)


def _is_common_noun(sentence: Sentence, place: int) -> bool:
    word = sentence.words[place]
    return word.text[0].islower() and word.text not in FUNCTION_WORDS and "NN" in sentence.tags(place)
