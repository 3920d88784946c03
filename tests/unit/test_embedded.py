"""The conversion, pinned against ONNX Runtime on the package's own graphs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from nlu.backbone import Backbone
from nlu.embedded import embedded_directory, source_directory
from nlu.prompt import Floats
from skills.errors import BackboneError

DESTINATION = (
    "Extract the city. Sentence: book a flight from Boston to Denver tomorrow. What is the destination city?"
)
REVIEW = "Is the following movie review positive or negative?\n\nThis movie was amazing!\n\nAnswer:"

CONVERT = """
import sys
from pathlib import Path
from nlu.embedded import embedded_directory

print("ready", flush=True)
sys.stdin.readline()
print(embedded_directory(Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def transformer(backbone: Backbone) -> Any:
    return backbone.transformer()


def session(name: str) -> onnxruntime.InferenceSession:
    """Open one of the package's graphs with float products instead of its integer ones.

    Integer products round the activations, and differently from processor to processor: the mean error is
    nearly as large as the values. The same weights in float products leave no doubt.
    """
    model = onnx.load(str(source_directory() / f"{name}.onnx"))
    _with_float_products(model.graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Optimised, the graph would get integer products again.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def _with_float_products(graph: onnx.GraphProto) -> None:
    floats = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DynamicQuantizeLinear"}
    nodes: list[onnx.NodeProto] = []
    replaced: set[str] = set()  # integer outputs, and what becomes of them on the way back to floats
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            quantised, weight, _, zero_point = node.input
            scale = weight.removesuffix("_quantized") + "_scale"
            output = node.output[0].removesuffix("_output_quantized")
            nodes += [
                helper.make_node("DequantizeLinear", [weight, scale, zero_point], [f"{output}_weight"]),
                helper.make_node("MatMul", [floats[quantised], f"{output}_weight"], [output]),
            ]
            replaced |= {node.output[0], f"{node.output[0]}_cast_output"}
        elif not (
            node.op_type == "DynamicQuantizeLinear"
            or node.name.endswith("_scales_mul")
            or replaced.intersection(node.input)
        ):
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def encode(backbone: Backbone, ids: list[int]) -> Floats:
    mask = torch.ones(1, len(ids), dtype=torch.bool)
    with torch.inference_mode():
        states: Floats = backbone.encoder()(torch.tensor([ids]), mask).numpy()
    return states


@pytest.mark.parametrize("text", [DESTINATION, "hi there", "Straße 北京 🙂"])
def test_encoder_equals_the_packaged_graph(backbone: Backbone, text: str) -> None:
    ids = backbone.tokenizer.encode(text).ids
    inputs = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
    [expected] = session("encoder").run(None, inputs)
    np.testing.assert_allclose(encode(backbone, ids), expected, atol=1e-5)


def test_decoder_and_lm_head_equal_the_packaged_graph(backbone: Backbone, transformer: Any) -> None:
    ids = backbone.tokenizer.encode(DESTINATION).ids
    states = encode(backbone, ids)
    answer = [0, *backbone.tokenizer.encode("Denver").ids]
    inputs = {
        "input_ids": np.array([answer]),
        "encoder_hidden_states": states,
        "encoder_attention_mask": np.ones((1, len(ids)), np.int64),
    }
    [expected] = session("decoder").run(None, inputs)
    with torch.inference_mode():
        logits = transformer(
            encoder_outputs=(torch.tensor(states),), decoder_input_ids=torch.tensor([answer])
        ).logits.numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-3)  # of values up to 40


@pytest.mark.parametrize(("prompt", "answer"), [(DESTINATION, "Denver"), (REVIEW, "positive")])
def test_the_whole_model_answers(backbone: Backbone, transformer: Any, prompt: str, answer: str) -> None:
    ids = torch.tensor([backbone.tokenizer.encode(prompt).ids])
    output = transformer.generate(input_ids=ids, max_new_tokens=5, do_sample=False)
    assert backbone.tokenizer.decode(output[0].tolist()) == answer


def test_lm_head_and_embeddings_are_different_tensors(transformer: Any) -> None:
    lm_head, shared = transformer.lm_head.weight, transformer.shared.weight
    assert lm_head.data_ptr() != shared.data_ptr()
    assert not torch.equal(lm_head, shared)
    assert transformer.encoder.embed_tokens.weight.data_ptr() == shared.data_ptr()
    assert transformer.decoder.embed_tokens.weight.data_ptr() == shared.data_ptr()
    assert transformer.config.scale_decoder_outputs is False


def test_nothing_of_the_whole_model_can_be_trained(transformer: Any) -> None:
    assert not transformer.training
    assert not any(parameter.requires_grad for parameter in transformer.parameters())


def test_the_tokenizer_does_not_truncate(backbone: Backbone) -> None:
    assert len(backbone.tokenizer.encode("word " * 200).ids) > 200
    written = json.loads((backbone.directory / "tokenizer.json").read_text(encoding="utf-8"))
    assert (written["truncation"], written["padding"]) == (None, None)


def test_two_processes_convert_into_one_cache(tmp_path: Path, backbone: Backbone) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONVERT, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found = {process.communicate(timeout=120)[0].strip() for process in processes}
        assert [process.returncode for process in processes] == [0, 0]
        [directory] = tmp_path.iterdir()
        assert found == {str(directory)}
        assert Backbone.load(cache=tmp_path).fingerprint == backbone.fingerprint
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(tmp_path)  # 300 MB that pytest would keep


def test_without_the_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("nlu.embedded.PACKAGE", "traceforge_title_model_that_is_not_there")
    with pytest.raises(BackboneError, match=r"traceforge-title-model.*pip install.*backbone export"):
        embedded_directory(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_once_converted_the_package_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone
) -> None:
    monkeypatch.setattr("nlu.embedded.PACKAGE", "traceforge_title_model_that_is_not_there")
    assert embedded_directory(backbone.cache) == backbone.directory
