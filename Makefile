# Every target makes the environment it needs. All it takes is Python 3.11 or later:
#     make demo
# To use another one:  make test PYTHON=/path/to/python3.12

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
BENCH_BIN := $(BENCH_VENV)/bin
BENCH_REQUIREMENTS := $(wildcard benchmarks/requirements.txt)

# The first interpreter that is there, runs, and is new enough.
ifndef PYTHON
PYTHON := $(shell for candidate in python3.13 python3.12 python3.11 python3; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$candidate; break; fi; done)
endif

.PHONY: help demo test lint docs bench

help:
	@echo 'make demo    run the example, didjack/demo.py'
	@echo 'make test    run the tests, doctests included'
	@echo 'make lint    check style, format and types'
	@echo 'make docs    build the documentation into docs/_build/html'
	@echo 'make bench   run the speed comparisons in an environment of their own, and write'
	@echo '             docs/benchmarks.md; BENCH_ARGS=--quick, --large or "--only fit memory"'

demo: $(VENV)/.installed
	$(BIN)/python -m didjack.demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -b html -W --keep-going docs docs/_build/html

bench: $(BENCH_VENV)/.installed
	$(BENCH_BIN)/python benchmarks/run.py $(BENCH_ARGS)

# Environments. An existing one is kept; a change of pyproject.toml installs into it again.

%/bin/python:
	@test -n '$(PYTHON)' || { echo 'No Python 3.11 or later found; set PYTHON=...' >&2; exit 1; }
	$(PYTHON) -m venv $*

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $(VENV)/.installed $@

$(BENCH_VENV)/.installed: pyproject.toml $(BENCH_REQUIREMENTS) | $(BENCH_BIN)/python
	$(BENCH_BIN)/python -m pip install --quiet --editable . $(BENCH_REQUIREMENTS:%=--requirement %)
	touch $@
