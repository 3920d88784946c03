from __future__ import annotations

import numpy as np
import pytest

from nlu.prompt import Floats
from skills.errors import InputError
from skills.utterance import Utterance
from training.advice import Advice, advise

LABELS = ("balance", "card", "refund", "transfer", "wire")
ROWS = 24  # of each label


def labeled(counts: dict[str, int]) -> tuple[list[Utterance], Floats]:
    """Rows of labels, and features: each label has a direction of its own, transfer and wire the same."""
    rng = np.random.default_rng(0)
    directions = dict(zip(LABELS, (0, 1, 2, 3, 3), strict=True))
    rows: list[Utterance] = []
    features: list[Floats] = []
    for label, count in counts.items():
        for number in range(count):
            rows.append(Utterance(f"{label} {number}", label, "data.jsonl", len(rows) + 1))
            features.append(3 * np.eye(8)[directions[label]] + rng.normal(0, 0.3, 8))
    return rows, np.array(features, np.float32)


@pytest.fixture(scope="module")
def advice() -> Advice:
    """Of rows where two labels are the same, and one has few rows."""
    return advise(*labeled({"balance": ROWS, "card": ROWS, "refund": 6, "transfer": ROWS, "wire": ROWS}))


def test_a_row_with_a_wrong_label_is_named() -> None:
    rows, features = labeled({"balance": ROWS, "card": ROWS, "refund": ROWS})
    rows[0] = Utterance(rows[0].text, "card", rows[0].file, rows[0].row)

    [found] = advise(rows, features).suspects

    assert (found.row.place, found.row.intent, found.suggested) == ("data.jsonl:1", "card", "balance")
    assert found.suggested_probability > 0.5 > found.probability


def test_labels_that_are_read_as_each_other_are_named_once(advice: Advice) -> None:
    [overlap] = [each for each in advice.overlaps if {each.first, each.second} == {"transfer", "wire"}]

    assert 0.2 < overlap.share < 0.8
    assert {row.intent for row in overlap.examples} <= {"transfer", "wire"}
    assert advice.overlaps[0] == overlap


def test_labels_with_few_rows_are_named(advice: Advice) -> None:
    assert advice.thin == (("refund", 6),)


def test_the_curve_rises_to_all_rows(advice: Advice) -> None:
    sizes = [point.rows_per_label for point in advice.curve]

    assert sizes == sorted(sizes) and [point.share for point in advice.curve] == [0.25, 0.5, 0.75, 1.0]
    assert advice.curve[-1].accuracy == pytest.approx(advice.accuracy, abs=0.15)
    assert advice.last_doubling == pytest.approx(advice.curve[-1].accuracy - advice.curve[1].accuracy)


def test_clean_labels_have_no_suspects() -> None:
    rows, features = labeled({"balance": ROWS, "card": ROWS, "transfer": ROWS})
    advice = advise(rows, features)

    assert advice.accuracy == 1.0
    assert (advice.suspects, advice.overlaps, advice.thin) == ((), (), ())


@pytest.mark.parametrize(
    ("counts", "message"),
    [({"card": 5}, "fewer than 2"), ({"card": 5, "wire": 1}, "'wire' has one row only")],
)
def test_what_cannot_be_compared_is_refused(counts: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        advise(*labeled(counts))


def test_two_rows_of_each_label_are_enough() -> None:
    advice = advise(*labeled({"balance": 2, "card": 3}))

    assert [point.rows_per_label for point in advice.curve] == [1.0, 1.0, 1.25, 1.25]
    assert [label for label, _ in advice.thin] == ["balance", "card"]
