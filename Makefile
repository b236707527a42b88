# make demo      the whole job on real data
# make pictures  the demo again, and all pictures that the docs show of it, the web UI's in Chromium
# make ui        Dagster's web UI on the demo
# make check     format, lint, types, definitions
# make test      the tests that need minutes and nothing but this machine
# make test-all  these, then those that are slow or need a browser or a server
# make test-versions  all of them at the lowest versions on Python 3.10 and at the newest on 3.13
# make fuzz      ten thousand cases a target
# make docs      the documentation as a site in site/, built strictly
# make bench     the distance and drift beside their peers; with PAIRS=DIR, regret and swaps too
# make bench-speed  time and memory beside peers and the machine's limits, and how they grow
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXAMPLE_HOME := $(CURDIR)/.demo
export DAGSTER_HOME := $(EXAMPLE_HOME)/dagster_home
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help demo pictures test test-all test-versions fuzz check docs ui bench bench-speed constraints clean

help:
	@grep '^# make' Makefile | cut -c3-

# One environment for everything. The stamp is newer than what it was made from, so a change of
# either file installs again; a cut-off installation leaves no stamp.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the pinned environment needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/python -m example_repo.demo

pictures: $(VENV)/.installed
	$(BIN)/python -m example_repo.demo --pictures docs/images
	$(BIN)/python -m benchmarks.pictures --report .demo/mixes/digits/latest/report.html
	$(BIN)/python -m pytest -n0 -q tests/e2e/test_web_ui.py
	cp artefacts/ui-optimal_ratio.png docs/images/ui-ratio.png
	cp artefacts/ui-distribution_distance.png docs/images/ui-distance.png
	cp artefacts/ui-failed-gate.png docs/images/ui-gate.png

PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal
LARGE := slow or browser or server or cluster

test: $(VENV)/.installed
	$(PYTEST) -m 'not ($(LARGE))'

# The tests on a cluster share one, so that they run one after the other.
test-all: test .venv-dbt/.installed $(VENV)/.spark-installed
	$(PYTEST) -m '($(LARGE)) and not cluster'
	$(BIN)/python -m pytest -m cluster

# PySpark is 400 MB, and only the tests on a cluster need it. An environment of other versions has
# constraints of its own.
$(VENV)/.spark-installed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint $(or $(wildcard $(VENV)/constraints.txt),constraints.txt) --editable '.[spark]'
	@touch $@

# dbt takes other versions of libraries than the tools of this project, so that the example with dbt
# has an environment of its own.
.venv-dbt/.installed: examples/dbt/requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-dbt
	grep -v '^pathspec==' constraints.txt > .venv-dbt/constraints.txt
	.venv-dbt/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint .venv-dbt/constraints.txt --requirement examples/dbt/requirements.txt --editable '.[duckdb]'
	@touch $@

# Other versions than the pinned ones, each in an environment of its own; SUITE=test leaves out what
# is slow, VERSIONS=lowest-3.12 is another one.
VERSIONS ?= lowest-3.10 newest-3.13
SUITE ?= test test-all

test-versions:
	@for each in $(VERSIONS); do \
		venv=$$($(PYTHON) tools/versions.py $$each) && $(MAKE) VENV=$$venv $(SUITE) || exit 1; \
	done

# Hours. A file of one target, such as tests/fuzz/test_csv.py, is taken alone.
FUZZED ?= tests/fuzz
fuzz: $(VENV)/.installed
	$(PYTEST) --hypothesis-profile nightly -k at_length $(FUZZED)

# The example's own Dagster instance; nothing is sent anywhere.
$(DAGSTER_HOME)/dagster.yaml:
	@mkdir -p $(@D)
	@printf 'telemetry:\n  enabled: false\n' > $@

check: $(VENV)/.installed $(DAGSTER_HOME)/dagster.yaml
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/dg check defs

# Nothing is fetched: fonts are the system's, and search runs in the browser.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

ui: $(VENV)/.installed
	@test -e $(EXAMPLE_HOME)/mixes || { echo 'Nothing to see yet: run make demo first.'; exit 1; }
	$(BIN)/dagster-webserver --workspace workspace.yaml --port 3000

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.distance --json benchmarks/results/distance.json
	$(BIN)/python -m benchmarks.drift $(if $(PAIRS),--pairs "$(PAIRS)") --json benchmarks/results/drift.json
	test -z "$(PAIRS)" || $(BIN)/python -m benchmarks.ratio --pairs "$(PAIRS)" --json benchmarks/results/ratio.json

bench-speed: $(VENV)/.installed
	$(BIN)/python -m benchmarks.speed --json benchmarks/results/speed.json
	$(BIN)/python -m benchmarks.growth --json benchmarks/results/growth.json

# Resolve again from the bounds in pyproject.toml, in an environment of its own.
constraints:
	rm -rf .venv-constraints && $(PYTHON) -m venv .venv-constraints
	.venv-constraints/bin/python -m pip install --quiet --disable-pip-version-check '.[dev,spark]'
	.venv-constraints/bin/python -m pip list --format=freeze --exclude synthmix-dagster \
		--exclude pip --exclude setuptools | grep -v ' @ ' > constraints.txt
	rm -rf .venv-constraints

clean:
	rm -rf .venv .venv-* .demo site .mypy_cache .pytest_cache .ruff_cache .hypothesis
