"""What is fuzzed: functions of bytes from outside, which may refuse them by our own errors only."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError, Message
from safetensors.numpy import save

from nlu.loaded import load_skill
from nlu.shape import EncoderShape
from nlu.training_upload import Upload
from nlu.training_wire import read_spec
from nlu.v1 import nlu_pb2, training_pb2
from nlu.wire import read_ref, read_request
from skills.errors import InputError, SkillRefusedError, SoftspokenError
from skills.formats import read_corrections, read_intents, read_sentences, read_slots
from skills.offsets import OffsetUnit, convert_span
from skills.parse import MAX_TEXT
from skills.skill import SkillKind, SkillVersion
from skills.training_data import TrainingData
from storage.skill_file import read_skill_file, write_skill_file
from tests.conftest import draft_of
from training.peft import import_peft

SHAPE = EncoderShape(
    vocab_size=8,
    d_model=8,
    d_kv=2,
    d_ff=8,
    num_layers=2,
    num_heads=2,
    num_buckets=4,
    max_distance=8,
    epsilon=1e-6,
)


@dataclass(frozen=True)
class Target:
    """`run` raises for a fault of ours alone; `seeds` are inputs that are, or nearly are, in order."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


@dataclass(frozen=True)
class ToyBackbone:
    """As much of a backbone as a skill is checked against."""

    fingerprint: str = "f" * 64
    adapted_fingerprint: str | None = "a" * 64
    shape: EncoderShape = SHAPE
    decoder_shape: EncoderShape = SHAPE


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return where the files of this process are; it is gone when the process ends."""
    return tempfile.TemporaryDirectory()


def _path(name: str) -> Path:
    return Path(_folder().name, name)


def _written(name: str, data: bytes) -> Path:
    path = _path(name)
    path.write_bytes(data)
    return path


def _file(read: Callable[[Path], object], suffix: str, data: bytes) -> None:
    try:
        read(_written(f"data{suffix}", data))
    except InputError:
        return


def _offsets(data: bytes) -> None:
    """Every unit cuts the same part out of a text."""
    if len(data) < 2:
        return
    text = data[2:].decode("utf-8", errors="ignore")
    start, end = sorted(each % (len(text) + 1) for each in data[:2])
    for unit, encoding, size in (
        (OffsetUnit.CODE_POINTS, "utf-32-le", 4),
        (OffsetUnit.UTF16_UNITS, "utf-16-le", 2),
        (OffsetUnit.UTF8_BYTES, "utf-8", 1),
    ):
        first, last = convert_span(text, (start, end), unit)
        part = text.encode(encoding)[first * size : last * size]
        if part.decode(encoding) != text[start:end]:
            raise AssertionError(f"{unit} of {text!r} from {start} to {end}")


def _parse_request(data: bytes) -> None:
    message = _message(nlu_pb2.ParseRequest, data)
    if message is None:
        return
    try:
        request = read_request(message)
        read_ref(message.skills[0] if message.skills else nlu_pb2.SkillRef(), field="skill")
    except InputError:
        return
    if len(request.text) > MAX_TEXT:
        raise AssertionError(f"a text of {len(request.text)} characters was let in")


def _upload(data: bytes) -> None:
    """An upload of messages, each after its length in one byte."""
    upload: Upload | None = None
    try:
        for part in _parts(data):
            message = _message(training_pb2.SubmitTrainingRequest, part)
            if message is None:
                return
            if upload is None:
                upload = Upload(message)
            else:
                upload.add(message)
        if upload is not None:
            TrainingData.from_bytes(upload.finish().data.to_bytes())
    except InputError:
        return


def _spec(data: bytes) -> None:
    message = _message(training_pb2.TrainingSpec, data)
    try:
        if message is not None:
            read_spec(message)
    except InputError:
        return


def _training_data(data: bytes) -> None:
    try:
        found = TrainingData.from_bytes(data)
    except InputError:
        return
    if TrainingData.from_bytes(found.to_bytes()) != found:
        raise AssertionError("what was written is not what was read")


def _skill_file(data: bytes) -> None:
    try:
        version, tensors = read_skill_file(_written("any.skill", data))
        load_skill(version, tensors, ToyBackbone())
    except (InputError, SkillRefusedError):
        return


def _skill(kind: SkillKind, data: bytes) -> None:
    """A file whose sums are right, but neither its settings nor its tensors: JSON, NUL, then safetensors."""
    head, _, tensors = data.partition(b"\0")
    try:
        settings = json.loads(head)
    except (ValueError, RecursionError):
        return
    if not isinstance(settings, dict) or not tensors:
        return
    version = replace(_version(kind), head=settings, sha256=sha256(tensors).hexdigest(), bytes=len(tensors))
    path = _path("made.skill")
    try:
        write_skill_file(path, version, tensors)
        load_skill(*read_skill_file(path), ToyBackbone())
    except SoftspokenError:
        return


def _peft(data: bytes) -> None:
    """A checkpoint: its configuration, NUL, its tensors."""
    config, _, tensors = data.partition(b"\0")
    _written("adapter_config.json", config)
    _written("adapter_model.safetensors", tensors)
    try:
        import_peft(_path(""), SHAPE)
    except InputError:
        return


def _message(kind: Callable[[], Message], data: bytes) -> Any:
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


def _parts(data: bytes) -> Iterator[bytes]:
    while data:
        size = data[0]
        yield data[1 : 1 + size]
        data = data[1 + size :]


def _joined(parts: Sequence[Message]) -> bytes:
    return b"".join(bytes([each.ByteSize()]) + each.SerializeToString() for each in parts)


@cache
def _version(kind: SkillKind) -> SkillVersion:
    draft = draft_of(ToyBackbone(), "toy", kind)
    values: dict[str, Any] = {each.name: getattr(draft, each.name) for each in fields(draft)}
    tensors = values.pop("tensors")
    return SkillVersion(
        **values,
        version=1,
        sha256=sha256(tensors).hexdigest(),
        bytes=len(tensors),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _skill_seed(kind: SkillKind) -> bytes:
    draft = draft_of(ToyBackbone(), "toy", kind)
    return json.dumps(draft.head).encode() + b"\0" + draft.tensors


def _file_seed(kind: SkillKind) -> bytes:
    path = _path("seed.skill")
    write_skill_file(path, _version(kind), draft_of(ToyBackbone(), "toy", kind).tensors)
    return path.read_bytes()


def _peft_seed() -> bytes:
    config = {
        "peft_type": "PROMPT_TUNING",
        "num_virtual_tokens": 2,
        "token_dim": 8,
        "task_type": "SEQ_2_SEQ_LM",
    }
    return json.dumps(config).encode() + b"\0" + save({"prompt_embeddings": np.ones((4, 8), np.float32)})


_REQUEST = nlu_pb2.ParseRequest(
    text="two tickets to Oslo 🙂",
    skills=[nlu_pb2.SkillRef(name="travel", alias="live"), nlu_pb2.SkillRef(name="chat", version=3)],
    request_id="a-b-c",
    options=nlu_pb2.ParseOptions(
        n_best=3, min_confidence=0.5, offset_unit=nlu_pb2.OFFSET_UNIT_UTF8_BYTES, correct_grammar=True
    ),
)
_REQUEST.options.offset_unit = nlu_pb2.OFFSET_UNIT_UTF8_BYTES
_REQUEST.context.session_id = "session"
_REQUEST.context.expected_slots.append("city")
_REQUEST.context.reference_time.FromSeconds(1_700_000_000)

_SPEC = training_pb2.TrainingSpec(
    skill="travel", kind=nlu_pb2.SKILL_KIND_INTENT_SLOTS, settings={"max_steps": "20"}, alias="live"
)
_EXAMPLE = training_pb2.Example(text="to Oslo", intent="book")
_UPLOAD = (
    training_pb2.SubmitTrainingRequest(start=training_pb2.TrainingStart(spec=_SPEC, idempotency_key="key")),
    training_pb2.SubmitTrainingRequest(batch=training_pb2.ExampleBatch(examples=[_EXAMPLE, _EXAMPLE])),
    training_pb2.SubmitTrainingRequest(end=training_pb2.TrainingEnd(examples=2)),
)
_SLOTS = b'{"text": "to Oslo", "slots": [{"slot": "city", "start": 3, "end": 7, "value": "Oslo"}]}\n'
_HEADER = b'{"format": 1, "kind": "slots", "train": 1, "dev": null, "phrases": [], "slot_types": {}}\n'
_RASA = b"""version: "3.1"
nlu:
- intent: book
  examples: |
    - to [Oslo]{"entity": "city", "role": "destination", "value": "OSL"}
    - from [Rome](city)
- synonym: OSL
  examples: |
    - Oslo
- lookup: city
  examples: |
    - Bergen
- regex: number
  examples: |
    - [0-9]+
"""
_SNIPS = b'{"book": [{"data": [{"text": "to "}, {"text": "Oslo", "entity": "city", "slot_name": "city"}]}]}'
_M2 = b"S He go home .\nA 1 2|||R:VERB:SVA|||goes|||REQUIRED|||-NONE-|||0\n\n"
_CONLL = b"to\tO\nOslo\tB-city\n\nfrom\tO\nNew\tB-city\nYork\tI-city\n"

TARGETS = {
    "intents.jsonl": Target(
        partial(_file, read_intents, ".jsonl"), (b'{"text": "hi", "intent": "greet"}\n',)
    ),
    "intents.csv": Target(partial(_file, read_intents, ".csv"), (b'text,intent\n"hi, ""you""",greet\n',)),
    "intents.yml": Target(partial(_file, read_intents, ".yml"), (_RASA,)),
    "slots.jsonl": Target(partial(_file, read_slots, ".jsonl"), (_SLOTS,)),
    "slots.conll": Target(partial(_file, read_slots, ".conll"), (_CONLL,)),
    "slots.json": Target(partial(_file, read_slots, ".json"), (_SNIPS,)),
    "slots.yml": Target(partial(_file, read_slots, ".yml"), (_RASA,)),
    "corrections.jsonl": Target(
        partial(_file, read_corrections, ".jsonl"), (b'{"text": "he go", "corrections": ["he goes"]}\n',)
    ),
    "corrections.tsv": Target(partial(_file, read_corrections, ".tsv"), (b"he go\the goes\n",)),
    "corrections.m2": Target(partial(_file, read_corrections, ".m2"), (_M2,)),
    "sentences.txt": Target(partial(_file, read_sentences, ".txt"), (b"One sentence.\nAnother one.\n",)),
    "offsets": Target(_offsets, (b"\x01\x05" + "naïve 🙂 שלום".encode(),)),
    "parse_request": Target(_parse_request, (_REQUEST.SerializeToString(),)),
    "upload": Target(_upload, (_joined(_UPLOAD),)),
    "spec": Target(_spec, (_SPEC.SerializeToString(),)),
    "training_data": Target(_training_data, (_HEADER + _SLOTS[:-2] + b', "split": "train"}\n',)),
    "skill_file": Target(_skill_file, tuple(map(_file_seed, SkillKind))),
    **{f"skill.{kind}": Target(partial(_skill, kind), (_skill_seed(kind),)) for kind in SkillKind},
    "peft": Target(_peft, (_peft_seed(),)),
}
