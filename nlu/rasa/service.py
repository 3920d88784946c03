"""The service as Rasa's processes reach it: one channel a process, which comes back by itself."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any, Callable, Sequence, TypeVar, Union

import grpc

from nlu.client_connection import CHANNEL_OPTIONS
from nlu.client_errors import (
    ClientError,
    DeadlineError,
    OverloadedError,
    ServerError,
    UnavailableError,
    error_of_call,
)
from nlu.client_types import ParseRequest, ParseResult, SkillDetails
from nlu.client_wire import (
    read_batch,
    read_details,
    read_result,
    read_skills,
    write_batch,
    write_ref,
    write_request,
)
from nlu.rasa.breaker import Breaker
from nlu.rasa.config import Config, ConfigError
from nlu.sparse_log import SparseLog
from nlu.v1 import nlu_pb2, nlu_pb2_grpc

logger = logging.getLogger(__name__)

BATCH = 256  # the server's limit
TRAINING_TIMEOUT = 10.0  # s; nobody talks to the bot meanwhile

# A call is tried twice, at once, so that a server that is just being replaced is not noticed. The client's
# own four attempts take half a second, for which Rasa's event loop would stand still.
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "softspoken.nlu.v1.NluService"}],
            "retryPolicy": {
                "maxAttempts": 2,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.01s",
                "backoffMultiplier": 1,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
}
_OPTIONS = {
    **dict(CHANNEL_OPTIONS),
    "grpc.service_config": json.dumps(_SERVICE_CONFIG),
    "grpc.max_reconnect_backoff_ms": 500,  # within a second of the service's return, with its jitter
    "grpc.min_reconnect_backoff_ms": 500,
}
_NO_ANSWER = (DeadlineError, OverloadedError, ServerError, UnavailableError)

Result = TypeVar("Result")
Answer = Union[ParseResult, ClientError]


class Service:
    """A channel to the service, and what is known of its health; for threads.

    Raises:
        ConfigError: the configuration does not go together, or a TLS file cannot be read.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connection = config.connection()
        self._stub = nlu_pb2_grpc.NluServiceStub(self._channel())
        self._breaker = Breaker(self._answers)
        self._log = SparseLog(logger)
        self._reason: ClientError = UnavailableError("not asked yet")  # of the last failure

    @property
    def address(self) -> str:
        """Where the service is."""
        return self._connection.address

    def parse(self, requests: Sequence[ParseRequest]) -> list[Answer]:
        """Answer utterances in their order; an error stands for its answer, is logged and never raised."""
        answers: list[Answer] = []
        for start in range(0, len(requests), BATCH):
            answers += self._parse(requests[start : start + BATCH])
        for answer in answers:
            if isinstance(answer, ClientError):
                kind = type(answer).__name__
                self._log.warning(kind, "softspoken at %s: %s: %s", self.address, kind, answer)
        return answers

    def skills(self) -> list[SkillDetails]:
        """Return the versions that the configured skills are now.

        Raises:
            ClientError: the service does not answer, or knows no such skill.
        """
        names = list(self._config.skills)
        if not names:
            served = self._call(
                self._stub.ListSkills, nlu_pb2.ListSkillsRequest(), read_skills, TRAINING_TIMEOUT
            )
            names = [f"{each.skill.name}@live" for each in served.skills if "live" in each.aliases]
        requests = [nlu_pb2.GetSkillRequest(skill=write_ref(name)) for name in names]
        return [self._call(self._stub.GetSkill, each, read_details, TRAINING_TIMEOUT) for each in requests]

    def _parse(self, requests: Sequence[ParseRequest]) -> Sequence[Answer]:
        if self._breaker.is_open:
            return [self._reason] * len(requests)
        try:
            answers = self._ask(requests)
        except ClientError as error:
            answers = [error] * len(requests)
        failures = [answer for answer in answers if isinstance(answer, _NO_ANSWER)]
        if len(failures) == len(answers):
            self._reason = failures[0]
            self._breaker.failed()
        else:
            self._breaker.answered()
        return answers

    def _ask(self, requests: Sequence[ParseRequest]) -> Sequence[Answer]:
        timeout = self._config.timeout
        if len(requests) == 1:
            return [self._call(self._stub.Parse, write_request(requests[0]), read_result, timeout)]
        return self._call(self._stub.BatchParse, write_batch(requests), read_batch, timeout * len(requests))

    def _answers(self) -> bool:
        """Whether the service answers in time, be it with a refusal."""
        try:
            self._ask([ParseRequest("hello", self._config.skills)])
        except _NO_ANSWER:
            return False
        except ClientError:
            return True
        return True

    def _call(self, method: Any, message: Any, read: Callable[[Any], Result], timeout: float) -> Result:
        try:
            return read(method(message, timeout=timeout, metadata=self._connection.metadata()))
        except grpc.RpcError as error:
            raise error_of_call(error) from error

    def _channel(self) -> grpc.Channel:
        options = tuple(_OPTIONS.items())
        try:
            credentials = self._connection.credentials()
        except ClientError as error:
            raise ConfigError(str(error)) from error
        if credentials is None:
            return grpc.insecure_channel(self._connection.address, options)
        return grpc.secure_channel(self._connection.address, credentials, options)


_services: dict[tuple[int, Config, Any], Service] = {}
_making = threading.Lock()


def service_of(config: Config) -> Service:
    """Return this process's service for `config`: a channel does not outlive a fork.

    Raises:
        ConfigError: see `Service`.
    """
    key = (os.getpid(), config, config.connection())
    with _making:
        if key not in _services:
            _services[key] = Service(config)
        return _services[key]
