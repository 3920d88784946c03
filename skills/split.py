"""Holds out a share of rows of every kind, drawn by a seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from skills.errors import InputError

DEV_SHARE = 0.2  # one row of five: enough to calibrate on, and the split of a five-shot file keeps four


def held_out(strata: Sequence[str], in_doubt: Sequence[bool], *, dev_share: float, seed: int) -> set[int]:
    """Return the indices of the rows to hold out.

    Of each stratum's n rows, `dev_share * n` are held out, rounded, but at least 1 and at most n - 1, so a
    stratum of one row gives none; scikit-learn's stratified split refuses such. Rows in doubt are not held
    out.

    Raises:
        InputError: the share is out of bounds.
    """
    if not 0.0 < dev_share < 1.0:
        raise InputError(
            f"dev share is {dev_share}, allowed is more than 0 and less than 1", field="dev_share"
        )
    members: dict[str, list[int]] = defaultdict(list)
    for index, stratum in enumerate(strata):
        members[stratum].append(index)
    generator = np.random.default_rng(seed)
    held: set[int] = set()
    for stratum in sorted(members):
        indices = members[stratum]
        count = min(len(indices) - 1, max(1, round(len(indices) * dev_share)))
        candidates = [index for index in indices if not in_doubt[index]]
        held.update(generator.permutation(candidates)[:count].tolist())
    return held
