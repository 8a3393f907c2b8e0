# Everything that a developer or a build machine runs. Needs make and Python >= 3.9; whatever else a target
# needs is installed into $(VENV), once, and again when the packaging files change.
#
#   make test ARGS="-k endpoint"                      pass options on to pytest
#   make test PYTHON=python3.12 VENV=.venvs/3.12      use another Python, in an environment of its own

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
MINUTES ?= 1

BIN := $(VENV)/bin
PY := $(BIN)/python
# An older release that is built already beats a newer one that would need a compiler.
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --prefer-binary
PACKAGING := pyproject.toml setup.py omq_gevent/_version.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# All targets share one environment, and two pips at work in it would spoil it: `make -j` runs one by one.
.NOTPARALLEL:
.PHONY: help demo test test-interop test-all coverage lint format docs bench scale soak clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed-demo ## run the gateway example
	$(PY) examples/gateway_demo.py

test: $(VENV)/.installed-test ## run every test
	$(BIN)/pytest $(ARGS)

test-interop: $(VENV)/.installed-test ## run the tests against other implementations of ZeroMQ
	$(PY) tools/install_interop_peers.py
	$(BIN)/pytest -m interop $(ARGS)

test-all: $(VENV)/.created ## run every test on each Python, with the oldest and the newest gevent
	$(PY) tools/test_all.py $(ARGS)

coverage: $(VENV)/.installed-test ## run every test and report the lines that none reached
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report

lint: $(VENV)/.installed-lint ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.installed-lint ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.installed ## write docs/options.md from the declarations of the options
	$(PY) tools/document_options.py

bench: $(VENV)/.installed-bench ## measure speed beside other implementations
	$(PY) -m benchmarks.run $(ARGS)

scale: $(VENV)/.installed-bench ## measure 10 000 connections beside zmq.green
	$(PY) -m benchmarks.scale $(ARGS)

soak: $(VENV)/.installed ## kill and cut talking processes for MINUTES=1, account for every message
	$(PY) -m tools.soak --minutes $(MINUTES) $(ARGS)

clean: ## remove what builds and tests left
	rm -rf build dist ./*.egg-info .coverage .coverage.* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## remove the environments as well
	rm -rf $(VENV) .venvs

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { \
		echo "omq_gevent needs Python 3.9 or newer, and '$(PYTHON)' is not one. Name one: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(PACKAGING)
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.created $(PACKAGING)
	$(PIP_INSTALL) --editable '.[$*]'
	@touch $@
