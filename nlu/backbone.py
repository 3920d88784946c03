"""The backbone: one frozen FLAN-T5, its tokenizer, and the fingerprint that ties skills to it.

torch comes in only where a model is built: servers do without.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from tokenizers import Tokenizer

from nlu.adapter import ADAPT, DIALOG_ADAPTER, Adapter
from nlu.cache import default_cache
from nlu.embedded import embedded_directory
from nlu.half import Floats
from nlu.prompt import Prompt
from nlu.shape import EncoderShape
from nlu.weights import Stored, Weights
from skills.errors import BackboneError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration

    from nlu.decoder import Decoder
    from nlu.encoder import Encoder

EMBEDDED = "embedded"
MAX_TOKENS = (
    256  # of one utterance; a 2,000 character text may have more, and `Tokens.end` says where it was cut
)
HUB_FILES = ["config.json", "tokenizer.json", "*.safetensors", "model.safetensors.index.json"]

_ANEW = "fetch the model again; what is below softspoken's cache may be deleted and is made anew"


class Backbone:
    """A T5 v1.1 model on disk, loaded once and never changed, and perhaps an adapter of its encoder.

    name: what was asked for; directory: where its files are; fingerprint: SHA-256 of its weights, hex.
    """

    def __init__(self, name: str, directory: Path, cache: Path, adapter: Path | None = None) -> None:
        self.name = name
        self.directory = directory
        self.cache = cache
        self.config = _read_config(directory)
        self.shape = _encoder_shape(self.config, directory)
        self.tokenizer = _read_tokenizer(directory)
        self._weights = _read_weights(directory)
        self._adapter_file = adapter

    @classmethod
    def load(cls, name: str = EMBEDDED, *, cache: Path | None = None) -> Backbone:
        """Load `embedded`, a local Hugging Face directory, or a hub id with a revision (`org/model@commit`).

        `NAME+FILE.safetensors` has that adapter; without one, the packaged adapter is there if it fits.

        Raises:
            BackboneError: it cannot be found, read or fetched, or it is not a T5 v1.1 model.
        """
        cache = cache or default_cache()
        model, _, adapter = name.rpartition("+") if name.endswith(".safetensors") else (name, "", "")
        return cls(name, _directory(model, cache), cache, Path(adapter) if adapter else None)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over every weight's name, type, shape and bytes, in the order of the names."""
        return self._weights.fingerprint()

    @cached_property
    def embedding(self) -> Floats:
        """(vocabulary, D) float32, of encoder and decoder."""
        try:
            return self._weights.stored["shared.weight"].floats()
        except KeyError as error:
            raise BackboneError(f"the weights in {self.directory} lack {error}; {_ANEW}") from error

    @cached_property
    def adapter(self) -> Adapter | None:
        """The adapter of its encoder, if there is one.

        Raises:
            BackboneError: the one that was asked for cannot be read, or is for other weights.
        """
        adapter = Adapter.read(self._adapter_file or DIALOG_ADAPTER)
        if adapter.backbone == self.fingerprint:
            return adapter
        if self._adapter_file is None:
            return None
        raise BackboneError(
            f"{self._adapter_file} was made for backbone {adapter.backbone[:12]}, but "
            f"{self.fingerprint[:12]} is loaded: {ADAPT}"
        )

    @property
    def adapted_fingerprint(self) -> str | None:
        """SHA-256 of weights and adapter together; None without an adapter."""
        return None if self.adapter is None else self.adapter.fingerprint

    def fingerprint_for(self, prompt: Prompt) -> str:
        """Return what a skill with this prompt was made on."""
        return (self.adapted_fingerprint or "") if prompt.adapted else self.fingerprint

    def encoder(self, *, adapted: bool = False) -> Encoder:
        """Return a new frozen float32 encoder over the backbone's weights, with its adapter if asked.

        Raises:
            BackboneError: the weights are not those that the config describes, or it has no adapter.
        """
        if adapted:
            if self.adapter is None:
                raise BackboneError(f"backbone {self.name} has no adapter: {ADAPT}")
            return self.adapter.fold_into(self.encoder())
        from nlu.encoder import load_encoder

        try:
            return load_encoder(self.shape, self._tensors("encoder.", "shared."))
        except (KeyError, RuntimeError) as error:
            raise BackboneError(
                f"the weights in {self.directory} do not fit its config.json: {error}; {_ANEW}"
            ) from error

    def decoder(self) -> Decoder:
        """Return a new frozen float32 decoder over the backbone's weights.

        Raises:
            BackboneError: the weights are not those that the config describes.
        """
        from nlu.decoder import load_decoder

        weights = self._tensors("decoder.", "shared.", "lm_head.")
        try:
            weights.setdefault("lm_head.weight", weights["shared.weight"])  # tied in some T5
            return load_decoder(self.decoder_shape, weights)
        except (KeyError, RuntimeError) as error:
            raise BackboneError(
                f"the weights in {self.directory} do not fit its config.json: {error}; {_ANEW}"
            ) from error

    @property
    def decoder_shape(self) -> EncoderShape:
        """The decoder's sizes; they differ from the encoder's in the number of layers only."""
        return replace(self.shape, num_layers=self.config.get("num_decoder_layers") or self.shape.num_layers)

    def transformer(self) -> T5ForConditionalGeneration:
        """Return the whole model, encoder and decoder, as transformers builds it; frozen, float32.

        FLAN-T5's lm_head is not tied to its embeddings, but transformers 5 ties them in every new T5: copied
        into the model, one would be written over the other. Assigned, each name gets its own tensor.
        """
        import torch
        from transformers import T5ForConditionalGeneration

        config = self._transformers_config()
        with torch.device("meta"):
            model = T5ForConditionalGeneration(config)
        state = self._tensors("")
        for part in ("encoder", "decoder"):
            state[f"{part}.embed_tokens.weight"] = state["shared.weight"]
        model.load_state_dict(state, assign=True)
        model.config.scale_decoder_outputs = False
        model.requires_grad_(False).eval()
        return model

    def encoder_transformer(self) -> T5EncoderModel:
        """Return the encoder alone as transformers builds it, for PEFT; frozen, float32."""
        import torch
        from transformers import T5EncoderModel

        with torch.device("meta"):
            model = T5EncoderModel(self._transformers_config())
        state = self._tensors("encoder.", "shared.")
        state["encoder.embed_tokens.weight"] = state["shared.weight"]
        model.load_state_dict(state, assign=True)
        model.requires_grad_(False).eval()
        return model

    def _tensors(self, *parts: str) -> dict[str, Tensor]:
        """Return the weights whose names begin so, in float32."""
        return {name: self._weights[name].float() for name in self._weights if name.startswith(parts)}

    def _transformers_config(self) -> T5Config:
        from transformers import T5Config

        return T5Config(**{key: value for key, value in self.config.items() if key != "architectures"})


def _directory(name: str, cache: Path) -> Path:
    if name == EMBEDDED:
        return embedded_directory(cache)
    return Path(name) if Path(name).is_dir() else _fetch(name)


def _read_config(directory: Path) -> dict[str, Any]:
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"{directory / 'config.json'} cannot be read: {error}; give --backbone a directory in Hugging "
            "Face format (save_pretrained)"
        ) from error
    if config.get("model_type") != "t5" or config.get("feed_forward_proj") != "gated-gelu":
        raise BackboneError(
            f"{directory} is a {config.get('model_type')!r} model with feed_forward_proj="
            f"{config.get('feed_forward_proj')!r}; softspoken needs T5 v1.1, as all FLAN-T5 models are"
        )
    return config


def _encoder_shape(config: dict[str, Any], directory: Path) -> EncoderShape:
    try:
        return EncoderShape(
            vocab_size=config["vocab_size"],
            d_model=config["d_model"],
            d_kv=config["d_kv"],
            d_ff=config["d_ff"],
            num_layers=config["num_layers"],
            num_heads=config["num_heads"],
            num_buckets=config["relative_attention_num_buckets"],
            max_distance=config.get("relative_attention_max_distance", 128),
            epsilon=config.get("layer_norm_epsilon", 1e-6),
        )
    except KeyError as error:
        raise BackboneError(f"{directory / 'config.json'} lacks {error}") from error


def _read_tokenizer(directory: Path) -> Tokenizer:
    path = directory / "tokenizer.json"
    if not path.is_file():
        raise BackboneError(f"{path} is missing: save the model's fast tokenizer there (save_pretrained)")
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise BackboneError(f"{path} cannot be read: {error}; {_ANEW}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_weights(directory: Path) -> Weights:
    """Return all weights of a directory; the embeddings' aliases are left out."""
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise BackboneError(
            f"{directory} holds no *.safetensors; pickled weights are not read, convert them first"
        )
    stored: dict[str, Stored] = {}
    try:
        for file in files:
            stored |= Weights.read(file).stored
    except (OSError, SafetensorError) as error:
        raise BackboneError(f"{file} cannot be read: {error}; {_ANEW}") from error
    return Weights({name: each for name, each in stored.items() if not name.endswith("embed_tokens.weight")})


def _fetch(name: str) -> Path:
    """Download a pinned revision from the Hugging Face hub, or find it in the hub's cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    if repository.count("/") != 1 or not revision:
        raise BackboneError(
            f"backbone {name!r} is neither 'embedded', nor a directory that exists, nor a hub id with its "
            "revision pinned, such as google/flan-t5-base@COMMIT"
        )
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=HUB_FILES))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise BackboneError(
            f"cannot fetch {repository} at revision {revision} from the Hugging Face hub, and it is not in "
            f"its local cache: {error}. Fetch it where there is a network with 'hf download {repository} "
            f"--revision {revision} --local-dir DIR' and give --backbone DIR, or use --backbone embedded, "
            "which needs no network"
        ) from error
