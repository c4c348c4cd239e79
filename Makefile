# Every target sets up what it needs; nothing but Python 3.11+ and make has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The lock is its own constraint: older pips look at newer releases of what one package asks for with an extra, and give up.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/pip install --quiet --require-hashes --no-compile
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help demo test unit lint types check bench proofs lock docs clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "busytime needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)

$(RUN_READY): $(BIN)/python requirements.lock pyproject.toml
	@echo "Installing the locked packages into $(VENV) (about a minute, once) ..."
	@$(PIP) -r requirements.lock -c requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(DEV_READY): $(RUN_READY) requirements-dev.lock
	@echo "Installing the locked test packages into $(VENV) ..."
	@$(PIP) -r requirements-dev.lock -c requirements-dev.lock
	@touch $@

demo: $(RUN_READY)  ## the whole loop against a local Exchange, from nothing
	@$(BIN)/busytime demo

test: $(DEV_READY)  ## all tests but benchmarks and proofs
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

unit: $(DEV_READY)  ## only the tests of the pure rules
	@$(BIN)/python -m pytest tests/unit tests/property

lint: $(DEV_READY)  ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(DEV_READY)  ## mypy, strict
	@$(BIN)/mypy

check: lint types test  ## what CI runs

bench: $(DEV_READY)  ## the benchmark tables
	@$(BIN)/python -m tests.benchmarks
	@$(BIN)/python -m tests.benchmarks.pushing
	@$(BIN)/python -m tests.benchmarks.auditing

proofs: $(DEV_READY)  ## the long proofs: real processes and signals, many examples
	@$(BIN)/python -m pytest tests/proofs
	@$(BIN)/python -m pytest --long
	@HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest tests/property tests/integration/pushing tests/integration/log_on

docs: $(DEV_READY)  ## make the data dictionary, dbt's sources and the answers to the questions anew
	@$(BIN)/python -m busytime.store.dictionary docs/audit-tables.md
	@$(BIN)/python -m busytime.store.dbt_sources deployments/dbt/models/sources.yml
	@$(BIN)/python -m tests.questions docs/questions.md

lock: $(DEV_READY)  ## resolve the dependencies anew (needs uv)
	uv pip compile --universal --python-version 3.11 --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements.in -o requirements.lock
	uv pip compile --universal --python-version 3.11 --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements-dev.in -o requirements-dev.lock

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
