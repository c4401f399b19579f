# Every target makes the environment it needs. All it takes is Python 3.11 or later:
#     make demo
# To use another one:  make test PYTHON=/path/to/python3.12

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Windows has the programs of a virtual environment in a folder of another name.
ifeq ($(OS),Windows_NT)
PROGRAMS := Scripts
EXE := .exe
else
PROGRAMS := bin
EXE :=
endif

VENV := .venv
LOWEST_VENV := .venv-lowest
BENCH_VENV := .venv-bench
NEXT_VENV := .venv-next
BIN := $(VENV)/$(PROGRAMS)
LOWEST_BIN := $(LOWEST_VENV)/$(PROGRAMS)
BENCH_BIN := $(BENCH_VENV)/$(PROGRAMS)
NEXT_BIN := $(NEXT_VENV)/$(PROGRAMS)
REPLICATIONS := replications/output
BENCH_REQUIREMENTS := $(wildcard benchmarks/requirements.txt)

# Tests start a hundred processes, each of which would compile all modules for itself.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that is there, runs, and is new enough.
ifndef PYTHON
PYTHON := $(shell for candidate in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$candidate; break; fi; done)
endif

PANDOC := pandoc
PAPER := paper/paper.pdf

# The lowest version of Python, for `make lowest` alone.
LOWEST_PYTHON := python3.11

.PHONY: help demo test test-fast fuzz lint docs lowest next-numba coverage mutants \
	bench replications dist paper

help:
	@echo 'make demo    run the example, didjack/demo.py'
	@echo 'make test    run the tests, doctests included, on up to four cores;'
	@echo 'make test-fast  the same without exhaustive families, notebooks and published studies'
	@echo 'make fuzz    1,000 random designs a property test; the seed is printed, and given again'
	@echo '             with SEED=...'
	@echo 'make lint    check style, format, types, and who imports whom'
	@echo 'make docs    build the documentation into docs/_build/html'
	@echo 'make lowest  build the source distribution, and run its tests with the lowest versions'
	@echo '             of everything that pyproject.toml allows'
	@echo 'make next-numba  run the tests with the newest numba, beyond the upper bound'
	@echo 'make coverage  run the fast tests, and report lines and branches in htmlcov'
	@echo 'make mutants  change lines of inference and estimation, and see whether a test fails;'
	@echo '             MUTANTS=20 of them, drawn with SEED=0'
	@echo 'make bench   run the speed comparisons in an environment of their own, and write'
	@echo '             docs/benchmarks.md; BENCH_ARGS=--quick, --large or "--only fit memory"'
	@echo 'make dist    build the source distribution and the wheel, and check their metadata'
	@echo 'make paper   write paper/paper.pdf; needs pandoc and xelatex'
	@echo 'make replications  published studies, into replications/output;'
	@echo '             DIDJACK_MERIT=merit.csv for the one whose data are not here'

demo: $(VENV)/.installed
	$(BIN)/python -m didjack.demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=worksteal $(PYTEST_ARGS)

test-fast: override PYTEST_ARGS += -m 'not slow'
test-fast: test

fuzz: $(VENV)/.installed-dev
	seed=$(or $(SEED),$$RANDOM$$RANDOM); echo "SEED=$$seed"; \
	$(BIN)/python -m pytest tests/test_properties.py --hypothesis-profile=fuzz \
		--hypothesis-seed="$$seed" $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -b html -W --keep-going docs docs/_build/html

# Pip builds a wheel from what is unpacked, so that all three are tested: files, wheel, versions.
lowest: $(LOWEST_VENV)/.installed
	rm -rf $(LOWEST_VENV)/sdist
	$(LOWEST_BIN)/hatchling build -t sdist -d $(LOWEST_VENV)/sdist
	tar -xzf $(LOWEST_VENV)/sdist/*.tar.gz -C $(LOWEST_VENV)/sdist --strip-components=1
	$(LOWEST_BIN)/python -m pip install --quiet --no-deps --no-build-isolation --force-reinstall \
		$(LOWEST_VENV)/sdist
	$(LOWEST_BIN)/python -m pip check
	cd $(LOWEST_VENV)/sdist && ../bin/python -P -m pytest $(PYTEST_ARGS) tests --pyargs didjack

next-numba: $(NEXT_VENV)/.installed
	$(NEXT_BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 -m "not slow" $(PYTEST_ARGS)

coverage: $(VENV)/.installed-coverage
	$(BIN)/python -m pytest -m "not slow" --cov=didjack --cov-branch --cov-report=term \
		--cov-report=html --numprocesses=logical --maxprocesses=4 $(PYTEST_ARGS)

mutants: $(VENV)/.installed-mutants
	$(BIN)/python .ci/mutants.py --mutants $(or $(MUTANTS),20) --seed $(or $(SEED),0)

dist: $(VENV)/.installed-release
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python -m twine check --strict dist/*

# In the order of what is most likely missing. A reference that is not in paper.bib is an error.
paper:
	@for program in '$(PANDOC)' xelatex; do command -v "$$program" >/dev/null || \
		{ echo "make paper needs $$program, which is not installed" >&2; exit 1; }; done
	cd paper && $(PANDOC) paper.md --citeproc --fail-if-warnings --pdf-engine=xelatex \
		--metadata author='didjack developers' --metadata link-citations=true \
		--variable geometry:margin=2.5cm --variable colorlinks=true \
		--output '$(abspath $(PAPER))'

bench: $(BENCH_VENV)/.installed
	$(BENCH_BIN)/python benchmarks/run.py $(BENCH_ARGS)

replications: $(VENV)/.installed-replications
	$(BIN)/python replications/castle.py --out $(REPLICATIONS)/castle
	$(BIN)/python replications/minimum_wage.py --out $(REPLICATIONS)/minimum_wage
	$(BIN)/python replications/medicaid.py --out $(REPLICATIONS)/medicaid
	$(BIN)/python replications/simulation.py --out $(REPLICATIONS)/simulation
	$(if $(DIDJACK_MERIT),\
		$(BIN)/python replications/merit.py --out $(REPLICATIONS)/merit --data '$(DIDJACK_MERIT)',\
		@echo 'Without merit: set DIDJACK_MERIT to its file, see replications/README.md')

# Environments. An existing one is kept; a change of pyproject.toml installs into it again.

%/$(PROGRAMS)/python$(EXE):
	@test -n '$(PYTHON)' || { echo 'No Python 3.11 or later found; set PYTHON=...' >&2; exit 1; }
	$(PYTHON) -m venv $*

$(VENV)/.installed: pyproject.toml | $(BIN)/python$(EXE)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-%: pyproject.toml | $(BIN)/python$(EXE)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $(VENV)/.installed $@

$(LOWEST_BIN)/python$(EXE):
	$(LOWEST_PYTHON) -m venv $(LOWEST_VENV)

$(LOWEST_VENV)/.installed: pyproject.toml .ci/lowest.py | $(LOWEST_BIN)/python$(EXE)
	$(LOWEST_BIN)/python .ci/lowest.py > $(LOWEST_VENV)/lowest.txt
	$(LOWEST_BIN)/python -m pip install --quiet --requirement $(LOWEST_VENV)/lowest.txt
	touch $@

$(BENCH_VENV)/.installed: pyproject.toml $(BENCH_REQUIREMENTS) | $(BENCH_BIN)/python$(EXE)
	$(BENCH_BIN)/python -m pip install --quiet --editable . $(BENCH_REQUIREMENTS:%=--requirement %)
	touch $@

$(NEXT_VENV)/.installed: pyproject.toml | $(NEXT_BIN)/python$(EXE)
	$(NEXT_BIN)/python -m pip install --quiet --editable '.[test]' pytest-xdist
	$(NEXT_BIN)/python -m pip install --quiet --upgrade --pre numba llvmlite
	touch $@
