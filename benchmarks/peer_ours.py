"""Our own engine and head without a server, as the peers run theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.peer_loop import Predict, answer
from nlu.backbone import Backbone
from nlu.engine import choose_for_serving, make_engine
from nlu.loaded import load_skill
from skills.skill import SkillRef
from storage.catalog import Catalog
from training.evaluation import encode_texts


def loaded(task: dict[str, Any]) -> Predict:
    """Return what labels texts by the live version of the task's skill."""
    backbone = Backbone.load()
    engine = make_engine(backbone, choose_for_serving("cpu", "auto", task["threads"], "auto"))
    catalog = Catalog.open(task["catalog"])
    version = catalog.get(SkillRef(task["skill"]))
    skill = load_skill(version, catalog.tensors(version), backbone)
    catalog.close()
    head = skill.intent
    if head is None:
        raise TypeError(f"{version} has no intents")

    def predict(texts: Sequence[str]) -> list[str]:
        found = head.predict(texts, encode_texts(skill.prompt, texts, backbone, engine))
        return [head.labels[place] for place in found.probabilities.argmax(axis=1)]

    return predict


if __name__ == "__main__":
    answer(loaded)
