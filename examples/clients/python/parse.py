"""Asks a running server what an utterance means: `python parse.py [TEXT]`."""

from __future__ import annotations

import sys

from nlu.client import Client

ADDRESS = "localhost:50051"


def main() -> None:
    text = " ".join(sys.argv[1:]) or "someone stole my wallet, stop my card"
    with Client(ADDRESS) as client:
        result = client.parse(text, skills=["concierge"])
    answer = result.results[0]
    print(f"{text!r}: {answer.outcome}")
    for intent in answer.intent.ranking:
        print(f"  {intent.confidence:6.1%}  {intent.name}")


if __name__ == "__main__":
    main()
