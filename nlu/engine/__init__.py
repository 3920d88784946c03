"""Engines run the frozen encoder and decoder; heads, batching and the catalog do not know which one."""

from nlu.engine.base import Engine
from nlu.engine.choice import ENGINES, choose_for_serving, make_decoder, make_engine
from nlu.engine.decoder_base import DecoderEngine

__all__ = ["ENGINES", "DecoderEngine", "Engine", "choose_for_serving", "make_decoder", "make_engine"]
