from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from nlu.v1 import nlu_pb2 as _nlu_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExampleSplit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXAMPLE_SPLIT_UNSPECIFIED: _ClassVar[ExampleSplit]
    EXAMPLE_SPLIT_TRAIN: _ClassVar[ExampleSplit]
    EXAMPLE_SPLIT_DEV: _ClassVar[ExampleSplit]

class PhraseKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHRASE_KIND_UNSPECIFIED: _ClassVar[PhraseKind]
    PHRASE_KIND_SYNONYM: _ClassVar[PhraseKind]
    PHRASE_KIND_LOOKUP: _ClassVar[PhraseKind]
    PHRASE_KIND_REGEX: _ClassVar[PhraseKind]

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]
EXAMPLE_SPLIT_UNSPECIFIED: ExampleSplit
EXAMPLE_SPLIT_TRAIN: ExampleSplit
EXAMPLE_SPLIT_DEV: ExampleSplit
PHRASE_KIND_UNSPECIFIED: PhraseKind
PHRASE_KIND_SYNONYM: PhraseKind
PHRASE_KIND_LOOKUP: PhraseKind
PHRASE_KIND_REGEX: PhraseKind
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState

class Gates(_message.Message):
    __slots__ = ("minimum", "no_regression", "tolerance")
    class MinimumEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    NO_REGRESSION_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    minimum: _containers.ScalarMap[str, float]
    no_regression: bool
    tolerance: float
    def __init__(self, minimum: _Optional[_Mapping[str, float]] = ..., no_regression: bool = ..., tolerance: _Optional[float] = ...) -> None: ...

class TrainingSpec(_message.Message):
    __slots__ = ("skill", "kind", "settings", "alias", "gates", "grown_from")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SKILL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    GROWN_FROM_FIELD_NUMBER: _ClassVar[int]
    skill: str
    kind: _nlu_pb2.SkillKind
    settings: _containers.ScalarMap[str, str]
    alias: str
    gates: Gates
    grown_from: _nlu_pb2.SkillRef
    def __init__(self, skill: _Optional[str] = ..., kind: _Optional[_Union[_nlu_pb2.SkillKind, str]] = ..., settings: _Optional[_Mapping[str, str]] = ..., alias: _Optional[str] = ..., gates: _Optional[_Union[Gates, _Mapping]] = ..., grown_from: _Optional[_Union[_nlu_pb2.SkillRef, _Mapping]] = ...) -> None: ...

class ExampleSlot(_message.Message):
    __slots__ = ("slot", "start", "end", "value", "resolved", "role", "group")
    SLOT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    slot: str
    start: int
    end: int
    value: str
    resolved: str
    role: str
    group: str
    def __init__(self, slot: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., value: _Optional[str] = ..., resolved: _Optional[str] = ..., role: _Optional[str] = ..., group: _Optional[str] = ...) -> None: ...

class Example(_message.Message):
    __slots__ = ("text", "intent", "slots", "expected_slots", "corrections")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_SLOTS_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    text: str
    intent: str
    slots: _containers.RepeatedCompositeFieldContainer[ExampleSlot]
    expected_slots: _containers.RepeatedScalarFieldContainer[str]
    corrections: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, text: _Optional[str] = ..., intent: _Optional[str] = ..., slots: _Optional[_Iterable[_Union[ExampleSlot, _Mapping]]] = ..., expected_slots: _Optional[_Iterable[str]] = ..., corrections: _Optional[_Iterable[str]] = ...) -> None: ...

class PhraseList(_message.Message):
    __slots__ = ("kind", "name", "phrases")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PHRASES_FIELD_NUMBER: _ClassVar[int]
    kind: PhraseKind
    name: str
    phrases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[_Union[PhraseKind, str]] = ..., name: _Optional[str] = ..., phrases: _Optional[_Iterable[str]] = ...) -> None: ...

class TrainingStart(_message.Message):
    __slots__ = ("spec", "priority", "idempotency_key", "slot_kinds")
    class SlotKindsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SPEC_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SLOT_KINDS_FIELD_NUMBER: _ClassVar[int]
    spec: TrainingSpec
    priority: int
    idempotency_key: str
    slot_kinds: _containers.ScalarMap[str, str]
    def __init__(self, spec: _Optional[_Union[TrainingSpec, _Mapping]] = ..., priority: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., slot_kinds: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ExampleBatch(_message.Message):
    __slots__ = ("split", "examples")
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    split: ExampleSplit
    examples: _containers.RepeatedCompositeFieldContainer[Example]
    def __init__(self, split: _Optional[_Union[ExampleSplit, str]] = ..., examples: _Optional[_Iterable[_Union[Example, _Mapping]]] = ...) -> None: ...

class TrainingEnd(_message.Message):
    __slots__ = ("examples",)
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    examples: int
    def __init__(self, examples: _Optional[int] = ...) -> None: ...

class SubmitTrainingRequest(_message.Message):
    __slots__ = ("start", "batch", "end", "phrases")
    START_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    PHRASES_FIELD_NUMBER: _ClassVar[int]
    start: TrainingStart
    batch: ExampleBatch
    end: TrainingEnd
    phrases: PhraseList
    def __init__(self, start: _Optional[_Union[TrainingStart, _Mapping]] = ..., batch: _Optional[_Union[ExampleBatch, _Mapping]] = ..., end: _Optional[_Union[TrainingEnd, _Mapping]] = ..., phrases: _Optional[_Union[PhraseList, _Mapping]] = ...) -> None: ...

class SubmitTrainingResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class JobProgress(_message.Message):
    __slots__ = ("run", "step", "steps", "loss", "dev_score", "score_name", "time_left")
    RUN_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    DEV_SCORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_LEFT_FIELD_NUMBER: _ClassVar[int]
    run: str
    step: int
    steps: int
    loss: float
    dev_score: float
    score_name: str
    time_left: _duration_pb2.Duration
    def __init__(self, run: _Optional[str] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., loss: _Optional[float] = ..., dev_score: _Optional[float] = ..., score_name: _Optional[str] = ..., time_left: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("id", "spec", "dataset", "state", "priority", "attempts", "max_attempts", "progress", "reason", "worker", "version", "submitted_by", "submitted_at", "started_at", "finished_at", "is_cancel_requested")
    ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_BY_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    IS_CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    id: int
    spec: TrainingSpec
    dataset: str
    state: JobState
    priority: int
    attempts: int
    max_attempts: int
    progress: JobProgress
    reason: str
    worker: str
    version: int
    submitted_by: str
    submitted_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    is_cancel_requested: bool
    def __init__(self, id: _Optional[int] = ..., spec: _Optional[_Union[TrainingSpec, _Mapping]] = ..., dataset: _Optional[str] = ..., state: _Optional[_Union[JobState, str]] = ..., priority: _Optional[int] = ..., attempts: _Optional[int] = ..., max_attempts: _Optional[int] = ..., progress: _Optional[_Union[JobProgress, _Mapping]] = ..., reason: _Optional[str] = ..., worker: _Optional[str] = ..., version: _Optional[int] = ..., submitted_by: _Optional[str] = ..., submitted_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., is_cancel_requested: bool = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: int
    def __init__(self, job_id: _Optional[int] = ...) -> None: ...

class GetJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("skill", "states", "limit")
    SKILL_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    skill: str
    states: _containers.RepeatedScalarFieldContainer[JobState]
    limit: int
    def __init__(self, skill: _Optional[str] = ..., states: _Optional[_Iterable[_Union[JobState, str]]] = ..., limit: _Optional[int] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: int
    def __init__(self, job_id: _Optional[int] = ...) -> None: ...

class WatchJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: int
    def __init__(self, job_id: _Optional[int] = ...) -> None: ...

class CancelJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class RetryJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: int
    def __init__(self, job_id: _Optional[int] = ...) -> None: ...

class RetryJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: Job
    def __init__(self, job: _Optional[_Union[Job, _Mapping]] = ...) -> None: ...

class PromoteVersionRequest(_message.Message):
    __slots__ = ("skill", "alias")
    SKILL_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    skill: _nlu_pb2.SkillRef
    alias: str
    def __init__(self, skill: _Optional[_Union[_nlu_pb2.SkillRef, _Mapping]] = ..., alias: _Optional[str] = ...) -> None: ...

class PromoteVersionResponse(_message.Message):
    __slots__ = ("skill",)
    SKILL_FIELD_NUMBER: _ClassVar[int]
    skill: _nlu_pb2.SkillVersionRef
    def __init__(self, skill: _Optional[_Union[_nlu_pb2.SkillVersionRef, _Mapping]] = ...) -> None: ...

class RollbackSkillRequest(_message.Message):
    __slots__ = ("name", "alias")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    name: str
    alias: str
    def __init__(self, name: _Optional[str] = ..., alias: _Optional[str] = ...) -> None: ...

class RollbackSkillResponse(_message.Message):
    __slots__ = ("skill",)
    SKILL_FIELD_NUMBER: _ClassVar[int]
    skill: _nlu_pb2.SkillVersionRef
    def __init__(self, skill: _Optional[_Union[_nlu_pb2.SkillVersionRef, _Mapping]] = ...) -> None: ...

class DeleteSkillRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteSkillResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
