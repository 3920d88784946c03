"""The component: intent classifier and entity extractor of a Rasa pipeline at once.

Model archives store `nlu.rasa.component.SoftspokenNLU`: neither the module nor the class can be renamed.
Rasa reads the type hints at run time, on Python 3.8: they are written as it understands them.
"""

import json
import logging
from typing import Any, Dict, List, Optional

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.constants import INTENT_MESSAGE_PREFIX
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException, RasaException
from rasa.shared.nlu.constants import ENTITIES, INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.client_errors import ClientError
from nlu.client_types import ParseRequest, ParseResult, SkillDetails
from nlu.rasa.answer import entities_of, ranking_of, selected_response, summary_of
from nlu.rasa.config import RAISE, RASA_TRAIN, Config, ConfigError, default_config, read_config
from nlu.rasa.dialog import expected_slots, last_bot_text, session_of
from nlu.rasa.service import Service, service_of
from nlu.rasa.skills import check_skills, missing_intents, names_of
from nlu.rasa.training import asking, train_skill

RESPONSE_SELECTOR = "response_selector"
SUMMARY = "softspoken"  # where the outcome is in a message
VERSIONS_FILE = "versions.json"
TRAINED_FILE = "trained.json"  # the version that was trained together with the model, if one was
_OF_A_CACHED_NODE = {"output"}  # Rasa asks about that one's configuration, too

logger = logging.getLogger(__name__)


class SoftspokenException(RasaException):
    """There is no answer, and the component was told to raise; or a training failed."""


@DefaultV1Recipe.register(
    [
        DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER,
        DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR,
    ],
    is_trainable=True,
)
class SoftspokenNLU(GraphComponent, IntentClassifier, EntityExtractorMixin):
    """Asks the service what a message means.

    Training it checks the configuration, has a skill trained if it says so, and notes the versions.
    """

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Return every key that the component knows."""
        return default_config()

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "SoftspokenNLU":
        """Return the component for training."""
        return cls(_config(config), model_storage, resource)

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "SoftspokenNLU":
        """Return the component for inference; the service need not be there yet."""
        with model_storage.read_from(resource) as folder:
            versions = json.loads((folder / VERSIONS_FILE).read_text("utf-8"))
            trained = folder / TRAINED_FILE
            version = json.loads(trained.read_text("utf-8")) if trained.exists() else None
        logger.info("this model was trained when softspoken served %s", ", ".join(versions))
        read = _config(config)
        if version is not None:
            read = asking(read, version)
        _service(read)  # a missing TLS file is noticed now, and not by the first user
        return cls(read, model_storage, resource)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Return the versions that answer now: a model of others is not to come out of Rasa's cache.

        A version that is trained together with the model depends on what Rasa compares itself, and on whose
        catalog it is in.
        """
        if set(config) == _OF_A_CACHED_NODE:
            return None
        read = _config(config)
        if read.train_on == RASA_TRAIN:
            return _service(read).address
        return ", ".join(names_of(_skills(read)))

    def __init__(self, config: Config, model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource

    def train(self, training_data: TrainingData) -> Resource:
        """Train a skill if that is configured, check the skills, and note their versions in the model."""
        version = None
        if self._config.train_on == RASA_TRAIN:
            version = _trained(self._config, training_data)
            self._config = asking(self._config, version)
        skills = _skills(self._config)
        if self._config.intents:
            missing = missing_intents(training_data.intents, skills)
            if missing:
                logger.warning("intents of the training data that no skill knows: %s", ", ".join(missing))
        with self._model_storage.write_to(self._resource) as folder:
            (folder / VERSIONS_FILE).write_text(json.dumps(names_of(skills)), "utf-8")
            if version is not None:
                (folder / TRAINED_FILE).write_text(json.dumps(version), "utf-8")
        return self._resource

    def process(
        self, messages: List[Message], tracker: Optional[DialogueStateTracker] = None
    ) -> List[Message]:
        """Put intent, ranking and entities into each message; Rasa fills in `tracker` by its name."""
        asked = [message for message in messages if _is_said(message)]
        answers = _service(self._config).parse([self._request(message, tracker) for message in asked])
        answer_of = dict(zip(map(id, asked), answers))
        for message in messages:
            self._write(message, answer_of.get(id(message)))
        return messages

    def _request(self, message: Message, tracker: Optional[DialogueStateTracker]) -> ParseRequest:
        config = self._config
        return ParseRequest(
            text=message.get(TEXT),
            skills=config.skills,
            n_best=config.intent_ranking_length,
            min_confidence=config.min_confidence,
            correct_grammar=config.correct_grammar,
            session_id=session_of(tracker) if tracker else "",
            previous_system_utterance=last_bot_text(tracker) if tracker else "",
            expected_slots=expected_slots(tracker) if tracker else (),
        )

    def _write(self, message: Message, answer: Any) -> None:
        result = answer if isinstance(answer, ParseResult) else None
        error = answer if isinstance(answer, ClientError) else None
        if error is not None and self._config.on_failure == RAISE:
            raise SoftspokenException(
                f"softspoken has no answer to {message.get(TEXT)!r}: {error}"
            ) from error
        if self._config.intents:
            ranking = ranking_of(result, self._config.intent_ranking_length)
            message.set(INTENT, dict(ranking[0]), add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
            if selected := selected_response(result):
                selected = {**message.get(RESPONSE_SELECTOR, {}), **selected}
                message.set(RESPONSE_SELECTOR, selected, add_to_output=True)
        if self._config.entities:
            entities = self.add_extractor_name(entities_of(result))
            message.set(ENTITIES, message.get(ENTITIES, []) + entities, add_to_output=True)
        message.set(SUMMARY, summary_of(result, error), add_to_output=True)


def _is_said(message: Message) -> bool:
    """Whether a user said it: Rasa itself decodes "/intent{...}" after the pipeline."""
    text = message.get(TEXT)
    return bool(text) and not text.startswith(INTENT_MESSAGE_PREFIX)


def _config(values: Dict[str, Any]) -> Config:
    try:
        return read_config(values)
    except ConfigError as error:
        raise InvalidConfigException(f"SoftspokenNLU: {error}") from error


def _service(config: Config) -> Service:
    try:
        return service_of(config)
    except ConfigError as error:
        raise InvalidConfigException(f"SoftspokenNLU: {error}") from error


def _trained(config: Config, training_data: TrainingData) -> str:
    """Have the configured skill trained, and return its version as `name@3`."""
    try:
        return train_skill(config, training_data)
    except ClientError as error:
        raise SoftspokenException(
            f"softspoken at {_service(config).address} has not trained {config.train_skill!r}: {error}"
        ) from error


def _skills(config: Config) -> List[SkillDetails]:
    """Ask the service for the configured skills, and check that they can do what is asked of them."""
    service = _service(config)
    try:
        skills = service.skills()
        check_skills(config, skills)
    except ConfigError as error:
        raise InvalidConfigException(f"SoftspokenNLU: {error}") from error
    except ClientError as error:
        raise InvalidConfigException(
            f"SoftspokenNLU: softspoken at {service.address} must be running "
            f"while a model is trained: {error}"
        ) from error
    return skills
