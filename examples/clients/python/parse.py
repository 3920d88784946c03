"""Asks a softspoken server what an utterance means: python parse.py ADDRESS TEXT..."""

from __future__ import annotations

import sys

from nlu.client import Client, ClientError, ParseRequest


def main(arguments: list[str]) -> int | str:
    if len(arguments) < 2:
        return (
            'usage: python parse.py ADDRESS TEXT...   e.g. python parse.py localhost:50051 "I lost my card"'
        )
    address, text = arguments[0], " ".join(arguments[1:])
    try:
        with Client(address) as client:  # share one client between threads; it keeps its connection
            result = client.parse(ParseRequest(text, n_best=3))
    except ClientError as error:
        return f"{type(error).__name__}: {error}"
    for answer in result.results:
        print(f"{answer.skill.name}@{answer.skill.version}: {answer.outcome}")
        for intent in answer.ranking:
            print(f"  {100 * intent.confidence:5.1f} %  {intent.name}")
        for slot in answer.slots:
            name = f"{slot.name} ({slot.role})" if slot.role else slot.name
            print(f"  {100 * slot.confidence:5.1f} %  {name}: {slot.raw!r} is {slot.value!r}")
        if answer.grammar and not answer.grammar.is_grammatical:
            print(f"  better: {answer.grammar.corrected_text}")
            for edit in answer.grammar.edits:
                change = f"{text[edit.start : edit.end]!r} to {edit.replacement!r}"
                print(f"  {100 * edit.confidence:5.1f} %  {change}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
