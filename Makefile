# The one door. `make help` lists the commands.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= platform.tsk

.PHONY: help setup services up test check format bench faults fuzz lock generated

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## install everything into .venv

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-bootstrap.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	touch $@

lock: ## resolve the requirements anew (hashes, no index addresses)
	$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --extra dev --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	echo uv | $(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" - -o requirements-bootstrap.txt

up: setup ## the whole platform on this machine; Ctrl-C stops it (CONFIG=file, PORT_BASE=3000)
	$(BIN)/tusk up --config $(CONFIG) --port-base $(or $(PORT_BASE),3000)

services: ## install the real services that the tests start (Kafka, PostgreSQL, Chromium)
	tests/services/install.sh

test: setup services ## the whole suite, real services included
	$(BIN)/pytest

check: setup ## format, lint, types, floors, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/tusk generate --check

format: setup ## write the format that `make check` wants
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generated: setup ## write the models and suites of platform.tsk anew
	$(BIN)/tusk generate

bench: setup services ## measure against peers and limits; writes benchmarks/results
	$(BIN)/python -m benchmarks

faults: setup services ## kill -9 at named and at random instructions (N=25)
	$(BIN)/pytest tests/faults --fault-rounds $(or $(N),25)

fuzz: setup ## search for texts that the language or the plan does not survive (SECONDS=600)
	$(BIN)/python -m tests.fuzz.guided $(or $(SECONDS),600) --page
