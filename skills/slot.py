"""What a tagged part of an utterance is: a slot, perhaps in a role, perhaps of a group."""

from __future__ import annotations

from dataclasses import dataclass

from skills.errors import InputError

SEPARATOR = ":"


@dataclass(frozen=True, order=True)
class SlotLabel:
    """A slot with its role and group as Rasa has them; `str` writes `slot[:role[:group]]`."""

    slot: str
    role: str = ""
    group: str = ""

    @classmethod
    def parse(cls, text: str) -> SlotLabel:
        """Read what `str` writes: "city", "city:destination", "city:destination:1", "city::1".

        Raises:
            InputError: there is no slot, or more than a slot, a role and a group.
        """
        slot, *rest = text.split(SEPARATOR)
        if not slot or len(rest) > 2:
            raise InputError(
                f"slot label {text!r} is not valid: write SLOT, SLOT:ROLE, SLOT:ROLE:GROUP or SLOT::GROUP",
                field="slot",
            )
        return cls(slot, *rest)

    def __str__(self) -> str:
        return SEPARATOR.join((self.slot, self.role, self.group)).rstrip(SEPARATOR)


def check_slot_name(name: str, *, field: str = "slot") -> str:
    """Return `name` if a slot, a role or a group may be called that.

    Raises:
        InputError: it has a ":", which separates them in labels.
    """
    if SEPARATOR in name:
        raise InputError(
            f'{field} {name!r} has a ":", which separates slot, role and group: rename it', field=field
        )
    return name
