# Coverslip: every command a newcomer needs. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
ASSETS := src/coverslip/web/static/assets/manifest.json
LOCKS := requirements/server.lock requirements/dev.lock
JOBS ?= auto
PORT ?= 8480
PYTEST_ARGS ?=
# What the tests of a module share is made once, and what takes minutes is begun first (tests/conftest.py).
BY_MODULE := --dist loadfile --no-loadscope-reorder

export PYTHONUTF8 := 1

.PHONY: help venv assets system demo serve test check bench bench-large soak lock docs clean

help: ## list these commands
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  make \1\t\2/p' Makefile | expand -t 22

venv: $(STAMP) ## prepare .venv from the hash-locked requirements

$(STAMP): $(LOCKS) pyproject.toml scripts/find_python.sh
	@python="$$(bash scripts/find_python.sh)"; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "Creating $(VENV) with $$python"; \
		"$$python" -m venv --clear $(VENV); \
	fi
	$(PIP) install --quiet --require-hashes -r requirements/dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

assets: $(ASSETS) ## collect scripts, fonts and icons of the pages from npm, by lock; needed once, not at run time

$(ASSETS): frontend/package.json frontend/package-lock.json src/coverslip/web/icons.txt scripts/assets.py | $(STAMP)
	@$(BIN)/python scripts/assets.py

build/axe/axe.min.js: | $(STAMP)
	@$(BIN)/python scripts/assets.py

system: ## see that compiler, OpenSSL, PostgreSQL and Chromium are there; as root on Debian install them
	@bash scripts/install_system.sh

demo: $(STAMP) ## run the main job end to end on real images and verify its evidence bundle
	$(BIN)/coverslip demo

serve: $(STAMP) $(ASSETS) ## found a laboratory with six weeks of work, where there is none, and serve it here
	$(BIN)/coverslip demo --living --port $(PORT)

test: system $(STAMP) $(ASSETS) build/axe/axe.min.js ## run all tests; a test that cannot run is a failure, never a skip
	$(BIN)/python -m pytest -n $(JOBS) $(BY_MODULE) $(PYTEST_ARGS) tests

check: $(STAMP) ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: system $(STAMP) ## measure the figures the design owes, each as a ratio in one run
	$(BIN)/python -m bench

bench-large: $(STAMP) ## the long measurements (hours, tens of gigabytes)
	$(BIN)/python -m bench --large

soak: $(STAMP) ## kill processes of a working laboratory 1 000 times by a printed seed and look for every promise
	COVERSLIP_KILLS="$${COVERSLIP_KILLS:-1000}" $(BIN)/python -m pytest -s -p no:randomly -o faulthandler_timeout=0 tests/simulation/test_kills.py

lock: $(STAMP) ## resolve requirements/*.lock anew from pyproject.toml
	$(BIN)/python scripts/lock.py

docs: $(STAMP) ## write the generated pages of docs/reference
	$(BIN)/python scripts/write_reference.py

clean: ## remove the environment and caches; never a home
	rm -rf $(VENV) build dist frontend/node_modules src/coverslip/web/static/assets .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
