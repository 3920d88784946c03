#!/bin/sh
# Trains Marlow's three skills into the catalog of SOFTSPOKEN_CATALOG; what is given is passed on to each training.
# Few steps, for a demo: three minutes on one thread. Slots get better with more.
set -eu
cd "$(dirname "$0")"
data=../concierge

softspoken train marlow-intents --kind intent --data $data/intents.jsonl --data data/nlu.yml \
    --dev $data/intents_heldout.jsonl --oos $data/out_of_scope.jsonl --set max_steps=150 "$@"
softspoken train marlow-slots --kind slots --data $data/slots.jsonl --slot-types $data/slot_types.toml \
    --set min_steps=250 --set max_steps=250 "$@"
softspoken train marlow-grammar --kind grammar --data $data/grammar.jsonl --set min_steps=20 --set max_steps=20 "$@"
