from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SkillKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SKILL_KIND_UNSPECIFIED: _ClassVar[SkillKind]
    SKILL_KIND_INTENT: _ClassVar[SkillKind]
    SKILL_KIND_SLOTS: _ClassVar[SkillKind]
    SKILL_KIND_GRAMMAR: _ClassVar[SkillKind]
    SKILL_KIND_INTENT_SLOTS: _ClassVar[SkillKind]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_MATCHED: _ClassVar[Outcome]
    OUTCOME_AMBIGUOUS: _ClassVar[Outcome]
    OUTCOME_OUT_OF_SCOPE: _ClassVar[Outcome]
    OUTCOME_EMPTY_INPUT: _ClassVar[Outcome]

class OffsetUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OFFSET_UNIT_UNSPECIFIED: _ClassVar[OffsetUnit]
    OFFSET_UNIT_CODE_POINTS: _ClassVar[OffsetUnit]
    OFFSET_UNIT_UTF16_UNITS: _ClassVar[OffsetUnit]
    OFFSET_UNIT_UTF8_BYTES: _ClassVar[OffsetUnit]
SKILL_KIND_UNSPECIFIED: SkillKind
SKILL_KIND_INTENT: SkillKind
SKILL_KIND_SLOTS: SkillKind
SKILL_KIND_GRAMMAR: SkillKind
SKILL_KIND_INTENT_SLOTS: SkillKind
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_MATCHED: Outcome
OUTCOME_AMBIGUOUS: Outcome
OUTCOME_OUT_OF_SCOPE: Outcome
OUTCOME_EMPTY_INPUT: Outcome
OFFSET_UNIT_UNSPECIFIED: OffsetUnit
OFFSET_UNIT_CODE_POINTS: OffsetUnit
OFFSET_UNIT_UTF16_UNITS: OffsetUnit
OFFSET_UNIT_UTF8_BYTES: OffsetUnit

class SkillRef(_message.Message):
    __slots__ = ("name", "version", "alias")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    alias: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., alias: _Optional[str] = ...) -> None: ...

class ParseContext(_message.Message):
    __slots__ = ("session_id", "previous_system_utterance", "expected_intents", "expected_slots", "reference_time")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_SYSTEM_UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_INTENTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_SLOTS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_TIME_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    previous_system_utterance: str
    expected_intents: _containers.RepeatedScalarFieldContainer[str]
    expected_slots: _containers.RepeatedScalarFieldContainer[str]
    reference_time: _timestamp_pb2.Timestamp
    def __init__(self, session_id: _Optional[str] = ..., previous_system_utterance: _Optional[str] = ..., expected_intents: _Optional[_Iterable[str]] = ..., expected_slots: _Optional[_Iterable[str]] = ..., reference_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ParseOptions(_message.Message):
    __slots__ = ("n_best", "min_confidence", "offset_unit", "correct_grammar", "explain")
    N_BEST_FIELD_NUMBER: _ClassVar[int]
    MIN_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_UNIT_FIELD_NUMBER: _ClassVar[int]
    CORRECT_GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    n_best: int
    min_confidence: float
    offset_unit: OffsetUnit
    correct_grammar: bool
    explain: bool
    def __init__(self, n_best: _Optional[int] = ..., min_confidence: _Optional[float] = ..., offset_unit: _Optional[_Union[OffsetUnit, str]] = ..., correct_grammar: bool = ..., explain: bool = ...) -> None: ...

class ParseRequest(_message.Message):
    __slots__ = ("request_id", "text", "language", "skills", "context", "options")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SKILLS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    text: str
    language: str
    skills: _containers.RepeatedCompositeFieldContainer[SkillRef]
    context: ParseContext
    options: ParseOptions
    def __init__(self, request_id: _Optional[str] = ..., text: _Optional[str] = ..., language: _Optional[str] = ..., skills: _Optional[_Iterable[_Union[SkillRef, _Mapping]]] = ..., context: _Optional[_Union[ParseContext, _Mapping]] = ..., options: _Optional[_Union[ParseOptions, _Mapping]] = ...) -> None: ...

class Intent(_message.Message):
    __slots__ = ("name", "confidence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    confidence: float
    def __init__(self, name: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class SimilarUtterance(_message.Message):
    __slots__ = ("text", "intent", "similarity")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    text: str
    intent: str
    similarity: float
    def __init__(self, text: _Optional[str] = ..., intent: _Optional[str] = ..., similarity: _Optional[float] = ...) -> None: ...

class IntentResult(_message.Message):
    __slots__ = ("ranking", "in_scope", "similar")
    RANKING_FIELD_NUMBER: _ClassVar[int]
    IN_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SIMILAR_FIELD_NUMBER: _ClassVar[int]
    ranking: _containers.RepeatedCompositeFieldContainer[Intent]
    in_scope: float
    similar: _containers.RepeatedCompositeFieldContainer[SimilarUtterance]
    def __init__(self, ranking: _Optional[_Iterable[_Union[Intent, _Mapping]]] = ..., in_scope: _Optional[float] = ..., similar: _Optional[_Iterable[_Union[SimilarUtterance, _Mapping]]] = ...) -> None: ...

class SkillVersionRef(_message.Message):
    __slots__ = ("name", "version", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    sha256: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class SlotAlternative(_message.Message):
    __slots__ = ("name", "role", "group", "confidence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: str
    group: str
    confidence: float
    def __init__(self, name: _Optional[str] = ..., role: _Optional[str] = ..., group: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class Slot(_message.Message):
    __slots__ = ("name", "role", "group", "raw", "value", "span", "confidence", "alternatives")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: str
    group: str
    raw: str
    value: str
    span: Span
    confidence: float
    alternatives: _containers.RepeatedCompositeFieldContainer[SlotAlternative]
    def __init__(self, name: _Optional[str] = ..., role: _Optional[str] = ..., group: _Optional[str] = ..., raw: _Optional[str] = ..., value: _Optional[str] = ..., span: _Optional[_Union[Span, _Mapping]] = ..., confidence: _Optional[float] = ..., alternatives: _Optional[_Iterable[_Union[SlotAlternative, _Mapping]]] = ...) -> None: ...

class SlotsResult(_message.Message):
    __slots__ = ("slots",)
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[Slot]
    def __init__(self, slots: _Optional[_Iterable[_Union[Slot, _Mapping]]] = ...) -> None: ...

class Edit(_message.Message):
    __slots__ = ("span", "replacement", "confidence")
    SPAN_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    span: Span
    replacement: str
    confidence: float
    def __init__(self, span: _Optional[_Union[Span, _Mapping]] = ..., replacement: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class GrammarResult(_message.Message):
    __slots__ = ("is_grammatical", "confidence", "corrected_text", "edits")
    IS_GRAMMATICAL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    is_grammatical: bool
    confidence: float
    corrected_text: str
    edits: _containers.RepeatedCompositeFieldContainer[Edit]
    def __init__(self, is_grammatical: bool = ..., confidence: _Optional[float] = ..., corrected_text: _Optional[str] = ..., edits: _Optional[_Iterable[_Union[Edit, _Mapping]]] = ...) -> None: ...

class SkillResult(_message.Message):
    __slots__ = ("skill", "kind", "outcome", "intent", "slots", "grammar")
    SKILL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    skill: SkillVersionRef
    kind: SkillKind
    outcome: Outcome
    intent: IntentResult
    slots: SlotsResult
    grammar: GrammarResult
    def __init__(self, skill: _Optional[_Union[SkillVersionRef, _Mapping]] = ..., kind: _Optional[_Union[SkillKind, str]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., intent: _Optional[_Union[IntentResult, _Mapping]] = ..., slots: _Optional[_Union[SlotsResult, _Mapping]] = ..., grammar: _Optional[_Union[GrammarResult, _Mapping]] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("tokenise_us", "queue_us", "inference_us", "batch_rows")
    TOKENISE_US_FIELD_NUMBER: _ClassVar[int]
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_US_FIELD_NUMBER: _ClassVar[int]
    BATCH_ROWS_FIELD_NUMBER: _ClassVar[int]
    tokenise_us: int
    queue_us: int
    inference_us: int
    batch_rows: int
    def __init__(self, tokenise_us: _Optional[int] = ..., queue_us: _Optional[int] = ..., inference_us: _Optional[int] = ..., batch_rows: _Optional[int] = ...) -> None: ...

class ParseResponse(_message.Message):
    __slots__ = ("request_id", "results", "read", "backbone", "timings", "corrected_text")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    BACKBONE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    results: _containers.RepeatedCompositeFieldContainer[SkillResult]
    read: Span
    backbone: str
    timings: Timings
    corrected_text: str
    def __init__(self, request_id: _Optional[str] = ..., results: _Optional[_Iterable[_Union[SkillResult, _Mapping]]] = ..., read: _Optional[_Union[Span, _Mapping]] = ..., backbone: _Optional[str] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., corrected_text: _Optional[str] = ...) -> None: ...

class BatchParseRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[ParseRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[ParseRequest, _Mapping]]] = ...) -> None: ...

class ItemStatus(_message.Message):
    __slots__ = ("code", "message", "field", "retry_after")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    field: str
    retry_after: _duration_pb2.Duration
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., field: _Optional[str] = ..., retry_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class BatchParseItem(_message.Message):
    __slots__ = ("status", "response")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    status: ItemStatus
    response: ParseResponse
    def __init__(self, status: _Optional[_Union[ItemStatus, _Mapping]] = ..., response: _Optional[_Union[ParseResponse, _Mapping]] = ...) -> None: ...

class BatchParseResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[BatchParseItem]
    def __init__(self, items: _Optional[_Iterable[_Union[BatchParseItem, _Mapping]]] = ...) -> None: ...

class StreamParseRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: ParseRequest
    def __init__(self, request: _Optional[_Union[ParseRequest, _Mapping]] = ...) -> None: ...

class StreamParseResponse(_message.Message):
    __slots__ = ("request_id", "index", "item")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    index: int
    item: BatchParseItem
    def __init__(self, request_id: _Optional[str] = ..., index: _Optional[int] = ..., item: _Optional[_Union[BatchParseItem, _Mapping]] = ...) -> None: ...

class ServedVersion(_message.Message):
    __slots__ = ("skill", "kind", "label_count", "aliases")
    SKILL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LABEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    skill: SkillVersionRef
    kind: SkillKind
    label_count: int
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, skill: _Optional[_Union[SkillVersionRef, _Mapping]] = ..., kind: _Optional[_Union[SkillKind, str]] = ..., label_count: _Optional[int] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class RefusedVersion(_message.Message):
    __slots__ = ("skill", "reason")
    SKILL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    skill: SkillVersionRef
    reason: str
    def __init__(self, skill: _Optional[_Union[SkillVersionRef, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class ListSkillsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSkillsResponse(_message.Message):
    __slots__ = ("revision", "skills", "refused", "backbone")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SKILLS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    BACKBONE_FIELD_NUMBER: _ClassVar[int]
    revision: int
    skills: _containers.RepeatedCompositeFieldContainer[ServedVersion]
    refused: _containers.RepeatedCompositeFieldContainer[RefusedVersion]
    backbone: str
    def __init__(self, revision: _Optional[int] = ..., skills: _Optional[_Iterable[_Union[ServedVersion, _Mapping]]] = ..., refused: _Optional[_Iterable[_Union[RefusedVersion, _Mapping]]] = ..., backbone: _Optional[str] = ...) -> None: ...

class GetSkillRequest(_message.Message):
    __slots__ = ("skill",)
    SKILL_FIELD_NUMBER: _ClassVar[int]
    skill: SkillRef
    def __init__(self, skill: _Optional[_Union[SkillRef, _Mapping]] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("data_sha256", "rows", "seed", "code_version", "training_time")
    DATA_SHA256_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRAINING_TIME_FIELD_NUMBER: _ClassVar[int]
    data_sha256: str
    rows: int
    seed: int
    code_version: str
    training_time: _duration_pb2.Duration
    def __init__(self, data_sha256: _Optional[str] = ..., rows: _Optional[int] = ..., seed: _Optional[int] = ..., code_version: _Optional[str] = ..., training_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetSkillResponse(_message.Message):
    __slots__ = ("skill", "kind", "method", "labels", "metrics", "provenance", "backbone", "stored_bytes", "created_at")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    SKILL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    BACKBONE_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    skill: SkillVersionRef
    kind: SkillKind
    method: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    metrics: _containers.ScalarMap[str, float]
    provenance: Provenance
    backbone: str
    stored_bytes: int
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, skill: _Optional[_Union[SkillVersionRef, _Mapping]] = ..., kind: _Optional[_Union[SkillKind, str]] = ..., method: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., metrics: _Optional[_Mapping[str, float]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., backbone: _Optional[str] = ..., stored_bytes: _Optional[int] = ..., created_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WatchSkillsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchSkillsResponse(_message.Message):
    __slots__ = ("skills",)
    SKILLS_FIELD_NUMBER: _ClassVar[int]
    skills: ListSkillsResponse
    def __init__(self, skills: _Optional[_Union[ListSkillsResponse, _Mapping]] = ...) -> None: ...
