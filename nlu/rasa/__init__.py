"""What runs inside Rasa: the component `nlu.rasa.SoftspokenNLU` (`name` in a pipeline of config.yml).

The modules run in Rasa's environment: Python 3.8 to 3.11, protobuf 4.23.3, and of this project only the stubs
and the client. Those that import Rasa itself are loaded when asked for; the others need no Rasa.
"""

from __future__ import annotations

from typing import Any

__all__ = ["SoftspokenNLU"]


def __getattr__(name: str) -> Any:
    if name != "SoftspokenNLU":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nlu.rasa.component import SoftspokenNLU

    return SoftspokenNLU
