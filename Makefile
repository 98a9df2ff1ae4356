# `make` alone lists the verbs.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
# The package index of torch's CPU wheels (see "get started" on pytorch.org), for an installation
# without CUDA's libraries; nothing: the ordinary index.
TORCH_INDEX ?=
# How many processes the fast tests share. PYTHON=python3.12 chooses another Python.
JOBS ?= 2
OUT ?= out
OTHER_PYTHONS ?= 3.12 3.13
SOURCES := pipeline models tests examples benchmarks docs deploy
export PYTHON TORCH_INDEX VENV

PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
# What is installed from there stays when the rest is asked for.
TORCH_FIRST = if [ -n "$(TORCH_INDEX)" ]; then \
  $(PIP) --index-url "$(TORCH_INDEX)" 'torch>=2.9' 'torchvision>=0.24'; fi

.PHONY: help
help: ## list the verbs
	@echo "witness: watches and listens to streams and writes down what happened, when, with evidence"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

.PHONY: demo
demo: $(VENV)/.installed ## watch and listen to the clip that ships; results in out/demo/
	$(BIN)/witness demo --out $(OUT)

.PHONY: test
test: check ray-tests ## everything CI runs: check, then the tests that need Ray

.PHONY: check
check: lint types fast-tests ## lint, types and the fast tests, without Ray

.PHONY: lint
lint: $(VENV)/.dev
	$(BIN)/ruff format --check $(wildcard $(SOURCES))
	$(BIN)/ruff check $(wildcard $(SOURCES))
	if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint docker/Dockerfile; fi

.PHONY: types
types: $(VENV)/.dev
	$(BIN)/mypy

# One thread in each process: the processes share the cores already.
.PHONY: fast-tests
fast-tests: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(JOBS) --dist loadfile -m "not ray and not slow"

# At least so many of every hundred lines of models/ must be run by its own tests.
COVERED ?= 90
.PHONY: coverage
coverage: $(VENV)/.dev ## measure which lines of models/ its tests run; fails below COVERED=90 %
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(JOBS) --dist loadfile -m "not ray" tests/models \
	  --cov models --cov-report term:skip-covered --cov-fail-under $(COVERED)

# Trials have real time limits: what failed beside another one, or while the machine was busy with
# something else, is tried once more by itself, and has to pass then.
define trials
	$(4) $(BIN)/pytest -q $(1) -m "$(2)" $(3) \
	  || $(4) $(BIN)/pytest -q --last-failed --last-failed-no-failures none -m "$(2)" $(3)
endef
SIDE_BY_SIDE := -n $(JOBS) --dist loadfile
# As in the fast tests; what measures by itself has all processors.
ONE_THREAD := OMP_NUM_THREADS=1
# Live streams are watched beside one another, and beside nothing that needs whole processors.
.PHONY: ray-tests
ray-tests: $(VENV)/.dev
	$(call trials,$(SIDE_BY_SIDE),slow and not (ray or alone or soak),tests/live,$(ONE_THREAD))
	$(call trials,$(SIDE_BY_SIDE),(slow or ray) and not (alone or soak),--ignore=tests/live,$(ONE_THREAD))
	$(call trials,,(ray or alone) and not soak,tests/live)
	$(call trials,,alone and not soak,--ignore=tests/live)

.PHONY: resolve
resolve: $(VENV)/.dev ## see whether the dependencies resolve for the other Pythons
	@scripts/resolve $(BIN)/python $(OTHER_PYTHONS)

.PHONY: release
release: resolve ## sdist and wheel in dist/, checked; the wheel runs the demo in a new environment
	@scripts/release $(BIN)/python

.PHONY: doctor
doctor: $(VENV)/.installed ## check this machine, and say what to do about each trouble
	$(BIN)/witness doctor

.PHONY: bench
bench: $(VENV)/.dev ## measure: overhead against a bare loop, Mask R-CNN, and the other benchmarks
	@for file in benchmarks/bench_*.py; do \
	  echo "$$file"; PYTHONPATH=. $(BIN)/python "$$file" || exit 1; \
	done

# The operator's case takes hours; MINUTES=5 makes its last part shorter.
MINUTES ?= 60
.PHONY: soak
soak: $(VENV)/.dev ## every trial of live streams and offline jobs in full, MINUTES=60 of faults; JSON in out/trials
	WITNESS_TRIALS=full WITNESS_SOAK_MINUTES=$(MINUTES) WITNESS_OUT=$(OUT) OMP_NUM_THREADS=1 \
	  $(BIN)/pytest -v tests/live tests/batch tests/docs/test_tutorials.py

.PHONY: train-sound train-instances train-action
train-sound train-instances train-action: $(VENV)/.dev ## train a network that ships, anew, by its recipe
	$(BIN)/witness train $(@:train-%=%) --out $(OUT)/train

.PHONY: site
site: $(VENV)/.dev ## build the documents as a site into out/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(abspath $(OUT))/site

.PHONY: docs
docs: $(VENV)/.dev ## write what comes from the code: pages of docs/, rules, alerts, dashboards
	$(BIN)/python docs/generate.py
	$(BIN)/python -m deploy.prometheus.build
	$(BIN)/python -m deploy.kubernetes.build
	$(BIN)/python -m deploy.grafana.build

.PHONY: format
format: $(VENV)/.dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix $(wildcard $(SOURCES))
	$(BIN)/ruff format $(wildcard $(SOURCES))

.PHONY: clean
clean: ## remove the virtual environment, caches and results
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamps lie inside the environment: without it they are gone, and pyproject.toml renews them.
$(BIN)/python:
	@python=$$(scripts/prerequisites) || exit 1; \
	  echo "making $(VENV) with $$python"; \
	  "$$python" -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@scripts/prerequisites >/dev/null
	@echo "installing witness and what it needs; the first time this takes some minutes"
	@$(TORCH_FIRST)
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@scripts/prerequisites >/dev/null
	@echo "installing witness with what its tests need; the first time this takes some minutes"
	@$(TORCH_FIRST)
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed
