# Every target sets itself up: only Python 3.11 (or newer), pip and make are needed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(PYTHON) -m pip --python $(BIN)/python install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
NEEDS := pyproject.toml constraints.txt

.PHONY: help demo test peers lint style types layers format bench docs constraints clean

help: ## Say what can be made.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

demo: $(VENV)/.core ## Play a month of a small marketplace on SQLite and print its queue.
	@$(BIN)/refundflow demo $(ARGS)

test: $(VENV)/.dev ## Run all tests on SQLite and PostgreSQL (ARGS="-k word" for some).
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

PEERS := chromium fonts-noto-cjk golang-go golang-golang-x-mod-dev radosgw ceph-mon ceph-osd ceph-common
peers: ## Install what some tests check us against: a browser, Go's log tools, an S3 server (Debian, as root).
	@dpkg -s $(PEERS) >/dev/null 2>&1 || { apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(PEERS) >/dev/null; }

lint: style types layers ## Check style, format, types and import layers.

style: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(VENV)/.dev
	@$(BIN)/mypy

layers: $(VENV)/.dev
	@$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## Put imports and layout in order.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(VENV)/.dev $(VENV)/.peers ## Measure a move against the same rows by hand and against others (ARGS=--full).
	@$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.dev ## Write the generated pages of docs/ anew.
	@$(BIN)/python -m docs.generate $(ARGS)

constraints: ## Pin the newest versions anew into constraints.txt (in a throw-away environment).
	@sh .ci/pin "$(PYTHON)"

clean: ## Remove what the targets made.
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# Without ensurepip (Debian without python3-venv) the outer pip serves the new environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.core: $(NEEDS) | $(BIN)/python
	@echo "Installing refundflow into $(VENV) ..." >&2
	@$(INSTALL) --editable .
	@touch $@

# What the benchmark compares with, apart from everything else.
$(VENV)/.peers: bench/peers.txt | $(BIN)/python
	@echo "Installing what is compared with into $(VENV)/peers ..." >&2
	@$(PYTHON) -m venv --without-pip $(VENV)/peers
	@$(PYTHON) -m pip --python $(VENV)/peers/bin/python install --quiet --quiet --disable-pip-version-check \
	--no-deps --requirement bench/peers.txt
	@touch $@

$(VENV)/.dev: $(NEEDS) | $(BIN)/python
	@echo "Installing refundflow and its tools into $(VENV) ..." >&2
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.core
