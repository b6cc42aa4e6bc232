# make demo    sets up .venv and runs the main job on embedded data     make setup   sets up .venv alone
# make test    sets up .venv and runs all tests (SLOW=0: the fast ones) make lint    ruff, and the types by basedpyright
# make test-gpu  sets up .venv and runs on a GPU the tests that compute (without a GPU it says so)
# make coverage  as make test, and which lines the tests reach: htmlcov/index.html
# make docs    builds the site of docs/ and of the docstrings: site/index.html
# make clean   removes caches and build outputs; never data/, work_dirs/ or .venv
# Variables: PYTHON=python3.12, MAX_JOBS=8, PIP_FIND_LINKS=wheels (see tools/setup.sh), JOBS=2, THREADS=1, PYTEST_ARGS='-k genotype'

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup test test-gpu coverage lint docs demo clean

PY := .venv/bin/python
SLOW ?= 1
# One thread: sums come out the same everywhere, and the 2-rank tests don't fight over the cores
THREADS ?= 1
# Test files run in so many processes at once; 0: in one, without any
JOBS ?= 2
# Files in the order of their folders: by their number of tests, as by default, long files of few tests come last, when
# one process has nothing left to do
SPLIT := -n $(JOBS) --dist loadfile --no-loadscope-reorder
PIN := OMP_NUM_THREADS=$(THREADS) MKL_NUM_THREADS=$(THREADS) OPENBLAS_NUM_THREADS=$(THREADS)

help:
	@sed -n '1,/^$$/s/^# //p' Makefile

setup:
	@bash tools/setup.sh

test: setup
	$(PIN) $(PY) -m pytest $(SPLIT) $(if $(filter 0,$(SLOW)),-m 'not slow') $(PYTEST_ARGS)

test-gpu: JOBS := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 6 ? n : 6)))
test-gpu: setup
	$(PIN) $(PY) -m pytest $(SPLIT) --device cuda $(PYTEST_ARGS)

coverage: setup
	$(PIN) $(PY) -m pytest $(SPLIT) --cov --cov-report=term --cov-report=html $(if $(filter 0,$(SLOW)),-m 'not slow') $(PYTEST_ARGS)

lint: setup
	$(PY) -m ruff check .
	.venv/bin/basedpyright

docs: setup
	$(PY) -m pip install -q --no-input -r requirements-docs.txt
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

demo: setup
	$(PY) tools/demo.py

clean:
	rm -rf build dist site htmlcov .coverage .coverage.* *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . \( -path ./.venv -o -path ./work_dirs -o -path ./data -o -path ./.git \) -prune -o -name __pycache__ -type d -exec rm -rf {} +
