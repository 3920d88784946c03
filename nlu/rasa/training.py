"""From a Rasa project's NLU data to a trained version of a skill, over TrainingService; needs no Rasa."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

from nlu.client_errors import ClientError, DeadlineError, UnavailableError
from nlu.client_types import SkillKind
from nlu.rasa.config import Config
from nlu.training_client import TrainingClient
from nlu.training_client_types import (
    Example,
    ExampleSlot,
    Job,
    JobState,
    PhraseKind,
    PhraseList,
    TrainingSpec,
)

LOG_SECONDS = 5.0  # between lines about the progress of a job
PAUSE = 1.0  # s, before a service that has stopped is looked for again

_KINDS = {  # by what the component does: intents, entities
    (True, True): SkillKind.JOINT,
    (True, False): SkillKind.INTENT,
    (False, True): SkillKind.SLOTS,
}

logger = logging.getLogger(__name__)


class TrainingFailedError(ClientError):
    """A training failed, was cancelled, or has not ended in time."""


@dataclass(frozen=True)
class NluData:
    """What a skill is trained on."""

    examples: tuple[Example, ...]
    phrases: tuple[PhraseList, ...]


def train_skill(config: Config, training_data: Any) -> str:
    """Have the skill `config.train_skill` trained on Rasa's TrainingData, and return its version: `name@3`.

    The same data with the same settings is one job: what was broken off is waited for again, what failed is
    tried again, and what succeeded is not repeated.

    Raises:
        TrainingFailedError: the job has no version; says why.
        ClientError: the service refuses it, or does not answer.
    """
    spec = TrainingSpec(
        config.train_skill or "",
        _KINDS[config.intents, config.entities],
        settings=dict(config.train_settings),
        alias=config.train_alias,
    )
    data = read_data(training_data)
    connection = config.connection()
    with TrainingClient(connection.address, tls=connection.tls, api_key=connection.api_key) as client:
        job = client.submit(
            spec,
            data.examples,
            phrases=data.phrases,
            slot_kinds=dict(config.train_slot_kinds),
            idempotency_key=_key(spec, data, config.train_slot_kinds),
        )
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            job = client.retry_job(job.id)
        job = _ended(client, job, config.train_timeout)
    if job.state is not JobState.SUCCEEDED:
        raise TrainingFailedError(_end_of(job))
    if job.reason:
        logger.warning("softspoken: job %d: %s", job.id, job.reason)
    logger.info("softspoken: job %d made %s@%d", job.id, spec.skill, job.version)
    return f"{spec.skill}@{job.version}"


def asking(config: Config, version: str) -> Config:
    """Return the configuration that asks a version of the trained skill, and the others as before."""
    others = (skill for skill in config.skills if skill.partition("@")[0] != config.train_skill)
    return replace(config, skills=(version, *others))


def read_data(training_data: Any) -> NluData:
    """Return what Rasa's TrainingData holds for a skill; what has no use is in the log.

    Retrieval intents are whole, such as `faq/opening`.
    """
    examples = tuple(
        Example(
            text=message.get("text"),
            intent=message.get_full_intent() or "",
            slots=tuple(_slot(message.get("text"), entity) for entity in message.get("entities", [])),
        )
        for message in training_data.nlu_examples
        if message.get("text")
    )
    slots = {each.slot for example in examples for each in example.slots}
    return NluData(examples, tuple(_phrases(training_data, slots)))


def _slot(text: str, entity: Mapping[str, Any]) -> ExampleSlot:
    """Return an entity without the white space that its marks enclose."""
    marked = text[entity["start"] : entity["end"]]
    raw = marked.strip()
    start = entity["start"] + marked.index(raw)
    value = str(entity["value"]).strip()
    return ExampleSlot(
        slot=entity["entity"],
        start=start,
        end=start + len(raw),
        value=raw,
        resolved="" if value == raw else value,
        role=entity.get("role") or "",
        group=entity.get("group") or "",
    )


def _phrases(training_data: Any, slots: set[str]) -> Iterable[PhraseList]:
    found: dict[tuple[PhraseKind, str], list[str]] = {}
    for said, value in training_data.entity_synonyms.items():
        found.setdefault((PhraseKind.SYNONYM, str(value)), []).append(str(said))
    for table in training_data.lookup_tables:
        if isinstance(table["elements"], list):
            found.setdefault((PhraseKind.LOOKUP, table["name"]), []).extend(map(str, table["elements"]))
        else:
            logger.warning("lookup table %s is in a file of its own: not used", table["name"])
    for feature in training_data.regex_features:
        found.setdefault((PhraseKind.REGEX, feature["name"]), []).append(feature["pattern"])
    for (kind, name), phrases in found.items():
        if kind is PhraseKind.SYNONYM or name in slots:
            yield PhraseList(kind, name, tuple(each for each in phrases if each.strip()))
        else:
            logger.warning("%s %s: no example has an entity of that name: not used", kind, name)


def _key(spec: TrainingSpec, data: NluData, slot_kinds: Any) -> str:
    """Return 64 hexadecimal digits that stand for a training."""
    return hashlib.sha256(repr((spec, data, slot_kinds)).encode("utf-8", "surrogatepass")).hexdigest()


def _ended(client: TrainingClient, job: Job, seconds: float) -> Job:
    """Return a job after it has ended; a service that stops meanwhile is waited for.

    Raises:
        TrainingFailedError: it has not ended in time.
    """
    deadline, next_line = time.monotonic() + seconds, 0.0
    while True:
        try:
            for seen in client.watch_job(job.id, timeout=max(0.0, deadline - time.monotonic())):
                if seen.state is not job.state or time.monotonic() >= next_line:
                    logger.info("softspoken: job %d %s", seen.id, _progress(seen))
                    next_line = time.monotonic() + LOG_SECONDS
                job = seen
            return job
        except UnavailableError as error:
            logger.warning("softspoken: job %d goes on, but its server does not answer: %s", job.id, error)
            time.sleep(max(0.0, min(PAUSE, deadline - time.monotonic())))
        except DeadlineError as error:
            raise TrainingFailedError(
                f"job {job.id} is {job.state} after {seconds:g} s (train_timeout); it goes on: "
                "run `rasa train` again to wait for it"
            ) from error


def _end_of(job: Job) -> str:
    if job.state is JobState.CANCELLED:
        return f"job {job.id} was cancelled"
    return f"job {job.id} has {job.state}: {job.reason or 'no reason was given'}"


def _progress(job: Job) -> str:
    if job.state is JobState.QUEUED:
        return f"is queued to train {job.spec.skill}: a `softspoken worker` takes it"
    if job.state is not JobState.RUNNING or not job.progress.steps:
        return f"is {job.state}"
    progress = job.progress
    score = "" if progress.dev_score is None else f", {progress.score_name} {progress.dev_score:.3f}"
    left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
    return f"is running: {progress.run}, step {progress.step} of {progress.steps}{score}{left}"
