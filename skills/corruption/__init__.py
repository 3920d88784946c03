"""Errors as learners and hurried people make them, put into correct sentences."""

from skills.corruption.clean import looks_clean
from skills.corruption.generator import corrupt
from skills.corruption.rates import CorruptionRates

__all__ = ["CorruptionRates", "corrupt", "looks_clean"]
