"""Converts the embedded backbone and its adapter into the folder that is given; the Dockerfile runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from nlu.backbone import Backbone
from nlu.compute import choose
from nlu.engine import make_engine

engine = make_engine(Backbone.load(cache=Path(sys.argv[1])), choose("cpu", "float32", 1))
engine.prepare(adapted=True)
