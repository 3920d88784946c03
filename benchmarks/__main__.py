"""`python -m benchmarks NAME ...`: run one benchmark; without a name, list them."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = {
    "accuracy": "intent accuracy and calibration on public test splits, mean over seeds",
    "slots": "slots and joint skills on SNIPS and RESTAURANTS-8K, with and without the dialog's context",
    "grammar": "GLEU, ERRANT, false edits, and speed against transformers' generate",
    "grammar_prompt": "makes the packaged grammar prompt again",
    "serving": "mixed-skill batches, PEFT adapter switching, and Parse latency over a local socket",
    "precisions": "every engine and precision: speed, accuracy, rows alone and in batches with other skills",
    "scale": "start, memory, latency, listing and publications with 1 to 1,000 skills",
    "beside": "Parse of a server alone, and while a worker trains on its CPUs",
    "load": "latency against load, open loop, with a plot",
    "workers": "requests a second of one server and of two on one port",
    "overload": "goodput and latency at 3x the capacity, and of a quiet caller beside a noisy one",
    "reload": "what callers notice while a skill is changed all the time, and two servers that converge",
    "soak": "half an hour of mixed traffic while versions change: memory, descriptors, threads, errors",
    "growing": "10 labels added to a stored skill against training from scratch: accuracy and time",
    "rasa": "Rasa with our component against Rasa with DIET: accuracy, training time, latency over HTTP",
    "peers": "MiniLM, DIET, PEFT and transformers on the same rows, text by text in turns",
    "ceiling": "full fine-tuning of the same backbone with the same head",
    "adapter": "makes the packaged dialog adapter again",
    "prompts": "which layers a deep prompt should have, and what it should start from",
}


def main() -> None:
    """Run the benchmark that the first argument names."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print("usage: python -m benchmarks NAME [--help]\n")
        print("\n".join(f"  {name:10} {what}" for name, what in BENCHMARKS.items()))
        sys.exit(0 if len(sys.argv) < 2 else 2)
    module = importlib.import_module(f"benchmarks.{sys.argv.pop(1)}")
    module.main()


if __name__ == "__main__":
    main()
