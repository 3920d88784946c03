"""What the component adds to its gRPC call, measured inside Rasa's environment by Rasa's Python.

`python -m benchmarks.rasa_component ADDRESS SKILL` reads texts from standard input, one JSON list, and asks
each through a bare gRPC stub, through the component's `process`, and through the stub again. The first answer
is not timed: the server has seen the text before both others, which then differ by the component alone.
Prints the medians in milliseconds, and that of the differences text by text.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

WARM_UP = 50  # texts


def added(address: str, skill: str, texts: Sequence[str]) -> dict[str, float]:
    """Return the milliseconds of the component, of the bare call, and of what the component adds."""
    import grpc
    from rasa.engine.graph import ExecutionContext, GraphSchema
    from rasa.engine.storage.local_model_storage import LocalModelStorage
    from rasa.engine.storage.resource import Resource
    from rasa.shared.nlu.training_data.message import Message

    from nlu.rasa import SoftspokenNLU
    from nlu.v1 import nlu_pb2, nlu_pb2_grpc

    config = {**SoftspokenNLU.get_default_config(), "address": address, "skills": [skill]}
    with tempfile.TemporaryDirectory() as folder, grpc.insecure_channel(address) as channel:
        storage = LocalModelStorage(Path(folder))
        component = SoftspokenNLU.create(config, storage, Resource("nlu"), ExecutionContext(GraphSchema({})))
        parse = nlu_pb2_grpc.NluServiceStub(channel).Parse

        def ask_component(text: str) -> None:
            [message] = component.process([Message({"text": text})])
            if message.get("softspoken")["outcome"] == "failed":
                raise RuntimeError(f"no answer to {text!r}: {message.get('softspoken')}")

        def ask_stub(text: str) -> None:
            options = nlu_pb2.ParseOptions(n_best=config["intent_ranking_length"])
            parse(nlu_pb2.ParseRequest(text=text, skills=[nlu_pb2.SkillRef(name=skill)], options=options))

        times = []
        for text in texts:
            ask_stub(text)
            times.append((_milliseconds(ask_component, text), _milliseconds(ask_stub, text)))
    measured = times[WARM_UP:]
    return {
        "component_ms": median(ours for ours, _ in measured),
        "bare_ms": median(bare for _, bare in measured),
        "component_adds_ms": median(ours - bare for ours, bare in measured),
    }


def _milliseconds(ask: Callable[[str], None], text: str) -> float:
    began = time.perf_counter()
    ask(text)
    return 1e3 * (time.perf_counter() - began)


if __name__ == "__main__":
    _address, _skill = sys.argv[1:]
    print(json.dumps(added(_address, _skill, json.load(sys.stdin))))
