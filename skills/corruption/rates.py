"""Which errors are made, and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from skills.errors import InputError

_OTHERS = ("clean", "errors_per_word")


@dataclass(frozen=True)
class CorruptionRates:
    """How often each kind of error is made, compared with the others; 0 leaves a kind out.

    The defaults lie between what people correct in learners' chat (ErAConD: half of all edits are marks and
    apostrophes, a fifth is case) and in their essays (JFLEG: two thirds are words). Kinds that a sentence has
    no place for leave theirs to others, and one error of case may be many edits.

    Raises:
        InputError: a rate is out of bounds.
    """

    agreement: float = 0.10  # he go; two ticket
    article: float = 0.12  # missing, wrong or superfluous
    preposition: float = 0.10
    tense: float = 0.12  # wrong form of the verb, missing auxiliary
    word_order: float = 0.05
    spelling: float = 0.13  # typos, homophones
    casing: float = 0.10
    punctuation: float = 0.28  # also apostrophes and white space
    clean: float = 0.2  # share of sentences left as they are
    errors_per_word: float = 0.12  # beyond the first error; chat has 2.5 errors in 12 words

    def __post_init__(self) -> None:
        for name, rate in [*self.kinds.items(), ("errors_per_word", self.errors_per_word)]:
            if not 0.0 <= rate <= 100.0:
                raise InputError(f"rate {name} is {rate}, allowed are 0 to 100", field="rates")
        if not 0.0 <= self.clean <= 1.0:
            raise InputError(f"share clean is {self.clean}, allowed are 0 to 1", field="rates")
        if self.clean < 1.0 and not any(self.kinds.values()):
            raise InputError("all rates are 0: give one of them, or clean=1", field="rates")

    @property
    def kinds(self) -> dict[str, float]:
        """The rates of the kinds of errors, by name."""
        names = (field.name for field in fields(self) if field.name not in _OTHERS)
        return {name: getattr(self, name) for name in names}

    def changed(self, option: str) -> CorruptionRates:
        """Return the rates with those of `article=0.2,casing=0` changed.

        Raises:
            InputError: the option is not well-formed, or a rate is unknown or out of bounds.
        """
        known = [field.name for field in fields(self)]
        changes: dict[str, float] = {}
        for part in option.split(","):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in known or name in changes:
                problem = "is given twice" if name in changes else "is not known"
                raise InputError(
                    f"rates {option!r}: {name!r} {problem}, write NAME=RATE of {', '.join(known)}",
                    field="rates",
                )
            try:
                changes[name] = float(value)
            except ValueError as error:
                raise InputError(
                    f"rates {option!r}: {value!r} is no number, write {name}=0.2", field="rates"
                ) from error
        return replace(self, **changes)
