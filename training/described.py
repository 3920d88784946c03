"""Intent skills from labels in words: names, descriptions, and as many utterances as there are.

Nothing is tuned. The prototype of a label is the mean of what the backbone, with the dialog adapter, makes of
its name, its description and its rows; the n-grams of all of them count a little.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.engine import make_engine
from nlu.head import IntentHead
from nlu.lexical import LexicalExpert
from nlu.loaded import pack_skill
from nlu.prompt import Prompt
from skills.skill import OUT_OF_SCOPE_LABEL, Calibration, Method, SkillDraft, SkillKind
from skills.utterance import Utterance
from training.config import TuningConfig
from training.evaluation import Evaluation, encode_texts, judge
from training.provenance import provenance
from training.trained import Trained
from training.trainer import label_name

# Chosen on BANKING77's and CLINC150's dev rows, with 0 to 5 rows a label (benchmarks/RESULTS.md).
LEXICAL_WEIGHT = 0.25
TEMPERATURE = 0.5


def describe_intents(
    name: str,
    descriptions: Mapping[str, str],
    rows: Sequence[Utterance],
    dev: Sequence[Utterance],
    backbone: Backbone,
    compute: Compute,
    config: TuningConfig,
) -> Trained[Evaluation | None]:
    """Make an intent skill without tuning.

    It takes every text for one of its labels: what is out of scope cannot be told without examples.

    Args:
        name: of the skill.
        descriptions: of its labels, "" where there is none.
        rows: utterances of some of them.
        dev: held-out rows; without, nothing is measured.
        backbone, compute: what it is to run on.
        config: its scale, and whether the dialog adapter is taken.
    """
    began = time.monotonic()
    labels = tuple(sorted(descriptions))
    told = [Utterance(label_name(label), label) for label in labels]
    told += [Utterance(text, label) for label, text in sorted(descriptions.items()) if text]
    rows = [row for row in rows if row.intent != OUT_OF_SCOPE_LABEL]
    texts, places = zip(*((row.text, labels.index(row.intent)) for row in (*told, *rows)), strict=True)
    prompt = Prompt(adapted=config.adapter and backbone.adapter is not None)
    engine = make_engine(backbone, compute, "torch")
    features = encode_texts(prompt, texts, backbone, engine)
    sums = np.zeros((len(labels), features.shape[1]), np.float32)
    np.add.at(sums, np.array(places), features)
    head = IntentHead(
        labels,
        sums / np.linalg.norm(sums, axis=1, keepdims=True),
        config.scale,
        LexicalExpert.fit(texts, places, len(labels)),
        LEXICAL_WEIGHT,
        Calibration(temperature=TEMPERATURE),
    )
    held_out = None
    if dev:
        asked = [row.text for row in dev]
        output = head.predict(asked, encode_texts(prompt, asked, backbone, engine))
        held_out = judge(head, output, asked, [row.intent for row in dev])
    draft = SkillDraft(
        name=name,
        kind=SkillKind.INTENT,
        method=Method.DESCRIBED,
        labels=labels,
        backbone=backbone.fingerprint_for(prompt),
        head={"scale": head.scale, "lexical_weight": head.lexical_weight},
        calibration=head.calibration,
        metrics={} if held_out is None else held_out.metrics.as_flat_dict(),
        provenance=provenance([*told, *rows], config, time.monotonic() - began),
        tensors=pack_skill(prompt, head),
    )
    return Trained(draft, held_out)
