"""What a stored version brings along when its skill grows."""

from __future__ import annotations

from skills.grown_data import check_covers, grown_data
from skills.skill import SkillVersion
from skills.training_data import TrainingData
from storage.catalog import Catalog


def data_to_grow(catalog: Catalog, parent: SkillVersion, more: TrainingData) -> TrainingData:
    """Return what to train on: the rows of the parent, its exemplars, and `more`, which wins.

    Raises:
        InputError: the kinds differ, or the parent's rows are not kept and `more` does not make up for them.
    """
    stored = catalog.dataset(parent)
    if stored is None:
        check_covers(parent.labels, more, str(parent))
        return more
    known = set(parent.labels)
    told = [each for each in catalog.exemplars.all().get(parent.name, ()) if each.intent in known]
    return grown_data(TrainingData.from_bytes(stored), more, told)
