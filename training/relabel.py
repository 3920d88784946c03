"""Intents renamed and removed without training."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from skills.errors import InputError, SkillRefusedError
from skills.formats.row import MAX_LABEL
from skills.skill import OUT_OF_SCOPE_LABEL, SkillDraft, SkillKind, SkillVersion

_SLOT_METRICS = ("rows", "slots", "slot_precision", "slot_recall", "slot_f1", "frame_accuracy", "slot_ece")
_CLOSE_MATCHES = 3


@dataclass(frozen=True)
class Relabeling:
    """New names by old ones, and labels that go."""

    renamed: Mapping[str, str]
    removed: Set[str]

    def apply(self, labels: Sequence[str]) -> dict[str, str]:
        """Return the labels that stay, in their order, each with the name that it has from now on.

        Raises:
            InputError: nothing changes, a label is not there, a name is not valid or is taken, or fewer than
                2 labels are left.
        """
        if not self.renamed and not self.removed:
            raise InputError("nothing to relabel: add --rename OLD=NEW or --remove LABEL", field="rename")
        for label in (*self.renamed, *self.removed):
            _check_known(label, labels)
        for label in self.renamed:
            if label in self.removed:
                raise InputError(f"label {label!r} is both renamed and removed: choose one", field="rename")
        kept = {label: self.renamed.get(label, label) for label in labels if label not in self.removed}
        for name in self.renamed.values():
            _check_name(name)
        name, count = Counter(kept.values()).most_common(1)[0] if kept else ("", 0)
        if count > 1:
            raise InputError(
                f"{count} labels would be called {name!r}: labels cannot be merged without training, "
                "choose another name or remove one of them",
                field="rename",
            )
        if len(kept) < 2:
            raise InputError(f"{len(kept)} labels would be left, at least 2 are needed", field="remove")
        return kept


def relabel(version: SkillVersion, tensors: bytes, relabeling: Relabeling) -> SkillDraft:
    """Return an intent or joint skill's next version; what stays scores as before, among fewer labels.

    Args:
        version: to start from.
        tensors: its safetensors file; without removals it stays as it is.
        relabeling: what changes.

    Raises:
        InputError: the skill has no intents, or as `Relabeling.apply`.
        SkillRefusedError: the tensors are not those of such a skill.
    """
    if version.kind not in (SkillKind.INTENT, SkillKind.JOINT):
        raise InputError(
            f"{version} is of kind {version.kind}: only intents can be renamed and removed without training",
            field="skill",
        )
    kept = relabeling.apply(version.labels)
    if relabeling.removed:
        places = [place for place, label in enumerate(version.labels) if label in kept]
        tensors = _tensors_of(version, tensors, places)
    config = {
        **version.provenance.config,
        "relabeled_from": str(version),
        "renamed": dict(relabeling.renamed),
        "removed": sorted(relabeling.removed),
    }
    return replace(
        SkillDraft.of(version, tensors),
        labels=tuple(kept.values()),
        metrics=_metrics(version, relabeling),
        provenance=replace(version.provenance, config=config),
    )


def _tensors_of(version: SkillVersion, blob: bytes, labels: Sequence[int]) -> bytes:
    """Return the safetensors file with the prototypes and n-grams of some labels only; the rest as it is."""
    try:
        tensors = load(blob)
        tensors["head.prototypes"] = tensors["head.prototypes"][labels]
        if "lexical.starts" in tensors:
            starts = tensors["lexical.starts"]
            parts = [slice(starts[label], starts[label + 1]) for label in labels]
            for name in ("lexical.buckets", "lexical.weights"):
                tensors[name] = np.concatenate([tensors[name][part] for part in parts])
            tensors["lexical.starts"] = np.cumsum(
                [0, *(part.stop - part.start for part in parts)], dtype=starts.dtype
            )
        return save(tensors)
    except (SafetensorError, KeyError, IndexError, ValueError) as error:
        raise SkillRefusedError(f"{version} cannot be relabeled: {error}; train it again") from error


def _metrics(version: SkillVersion, relabeling: Relabeling) -> dict[str, float]:
    """Return the metrics that still hold: all after renaming, those of slots after removing intents."""
    if not relabeling.removed:
        return version.metrics
    holding = _SLOT_METRICS if version.kind is SkillKind.JOINT else ()
    return {name: version.metrics[name] for name in holding if name in version.metrics}


def _check_known(label: str, labels: Sequence[str]) -> None:
    if label not in labels:
        close = difflib.get_close_matches(label, labels, n=_CLOSE_MATCHES)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are {', '.join(labels)}"
        raise InputError(f"no label {label!r}; {hint}", field="label")


def _check_name(name: str) -> None:
    if not name.strip() or name != name.strip() or len(name) > MAX_LABEL or not name.isprintable():
        raise InputError(
            f"label {name!r} is not valid: write 1 to {MAX_LABEL} characters that can be printed, without "
            "space around them",
            field="rename",
        )
    if name == OUT_OF_SCOPE_LABEL:
        raise InputError(f"{name} marks out-of-scope rows and is no label: use --remove", field="rename")
