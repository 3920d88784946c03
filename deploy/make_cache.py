"""Converts the embedded backbone into the folder that is given; the Dockerfile runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from nlu.backbone import Backbone
from nlu.compute import choose
from nlu.engine import make_engine

make_engine(Backbone.load(cache=Path(sys.argv[1])), choose("cpu", "float32", 1))
