"""Engines run the frozen encoder; heads, batching and the catalog do not know which one."""

from nlu.engine.base import Engine
from nlu.engine.choice import ENGINES, make_engine

__all__ = ["ENGINES", "Engine", "make_engine"]
