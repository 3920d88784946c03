# `make demo` and `make test` are all that a fresh machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PROTO_VENV := .proto-venv

.PHONY: demo rasa-demo test check proto bench bench-peers

demo: $(INSTALLED)
	$(BIN)/softspoken demo

# Installs a Rasa of its own the first time: 5 minutes, 3 GB.
rasa-demo: $(INSTALLED)
	$(BIN)/python -m examples.rasa.demo

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/buf lint
	$(BIN)/mypy
	$(BIN)/mypy tests benchmarks examples

# Stubs of an old grpcio-tools load on every newer runtime (Rasa 3.6 has protobuf 4.23.3), never the other way.
proto: $(PROTO_VENV)/.installed
	$(PROTO_VENV)/bin/python -m grpc_tools.protoc -Iproto --python_out=$(PROTO_VENV) --pyi_out=$(PROTO_VENV) \
		--grpc_python_out=$(PROTO_VENV) proto/softspoken/nlu/v1/*.proto
	for stub in nlu_pb2.py nlu_pb2.pyi nlu_pb2_grpc.py training_pb2.py training_pb2.pyi training_pb2_grpc.py; do \
		sed 's/^from softspoken\.nlu\.v1 import/from nlu.v1 import/' \
			$(PROTO_VENV)/softspoken/nlu/v1/$$stub > nlu/v1/$$stub; \
	done

$(PROTO_VENV)/.installed:
	$(PYTHON) -m venv $(PROTO_VENV)
	$(PROTO_VENV)/bin/pip install --quiet --disable-pip-version-check 'grpcio-tools==1.62.3' setuptools
	@touch $@

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(ARGS)

# Installs each peer in an environment of its own the first time: 10 minutes, 5 GB.
bench-peers: $(INSTALLED)
	$(BIN)/python -m benchmarks peers $(ARGS)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "softspoken[train] needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	@touch $@
