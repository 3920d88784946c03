"""From what a user said to a value that a program can use: "half past six" is 06:30, "NYC" is New York."""

from skills.resolution.data_schema import schema_from_data, unused_phrases
from skills.resolution.resolver import Resolver
from skills.resolution.schema_document import read_schema, read_schema_document, schema_document
from skills.resolution.slot_type import SlotSchema, SlotType, ValueKind

__all__ = [
    "Resolver",
    "SlotSchema",
    "SlotType",
    "ValueKind",
    "read_schema",
    "read_schema_document",
    "schema_document",
    "schema_from_data",
    "unused_phrases",
]
