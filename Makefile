# Every target sets up what it needs, with uv where it is installed, else with venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
FILES := pyproject.toml constraints.txt
comma := ,
USED := report$(comma)sql$(comma)zh

# $(call install,EXTRAS): editable, pinned by constraints.txt. Some systems ship venv without pip: then the system's pip serves.
define install
	@if command -v uv >/dev/null 2>&1; then \
		test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV); \
		uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[$(1)]'; \
	else \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip $(VENV); \
		if $(BIN)/python -m pip --version >/dev/null 2>&1; then PIP="$(BIN)/python -m pip"; else PIP="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
		$$PIP install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(1)]'; \
	fi
	@mkdir -p $(OUT)
	@touch $@
endef

.PHONY: help setup report test test-all faults lowest bench scoreboards licenses wheelhouse lab lock lint clean

help:
	@sed -n 's/^## //p' Makefile

## make setup      the environment in .venv
setup: $(VENV)/.report

## make report     one report on the sample data; prints where it is
report: $(VENV)/.report
	@$(BIN)/funnelkit report --out $(OUT)/sample

## make test       style, types, units, lessons, command line: under ten minutes on two cores
test: $(VENV)/.dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile -rfEs

# The last two lines skip in make test, where chdb, Ibis and Polars are absent: here they are installed.
## make test-all   the rest: browser, simulations, oracles
test-all: $(VENV)/.bench
	$(BIN)/python -m pyright
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile -rfEs --ignore tests/faults
	$(BIN)/python -m pytest -m "not slow" tests/events/engine/test_chain.py tests/events/test_warehouse.py
	$(BIN)/python -m pytest -m "not slow" -k polars tests/reading/containers tests/events/test_count.py

# `python tests/faults/run.py` does the same to papermill and writes RESULTS.md; with --minutes 6 in pieces.
## make faults     every fault, single and in a batch, and the crash sweep: twenty minutes on a quiet machine
faults: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow tests/faults

# What the tests themselves need is current, and so is what the kit does not import itself.
## make lowest     the lowest declared versions, in an environment of their own: reading, counting, charts, reports
LOWEST := $(OUT)/lowest
lowest: $(VENV)/.dev
	@PATH="$(BIN):$$PATH"; command -v uv >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv; \
	uv venv --quiet --clear --python $(BIN)/python $(LOWEST) && \
	uv pip install --quiet --python $(LOWEST)/bin/python -r .ci/lowest.txt pytest hypothesis statsmodels && \
	uv pip install --quiet --python $(LOWEST)/bin/python --no-deps -e .
	$(LOWEST)/bin/python -m pytest -m "not slow" -p no:cacheprovider tests/test_pipeline.py tests/test_result.py tests/reading tests/analysis tests/charts tests/stats tests/planning tests/models tests/report/runs/test_run.py tests/report/pages

## make bench      side by side with the peers; takes a quiet machine and some minutes
BENCH ?= $(OUT)/bench
bench: $(VENV)/.bench
	$(BIN)/python benchmarks/make_logs.py 1e6 $(BENCH)
	$(BIN)/python benchmarks/compare.py $(BENCH) --runs 5

## make scoreboards the tables of README.md and README.zh.md, from what benchmarks and faults have written
scoreboards: $(VENV)/.report
	$(BIN)/python benchmarks/scoreboard.py

## make licenses   LICENSES.md, from what is installed; ends with 1 where a licence is not permissive
licenses: $(VENV)/.bench
	$(BIN)/python benchmarks/licenses.py

## make wheelhouse one folder that installs the kit without internet; for another system FOR="--platform win_amd64 --python 3.13"
FOR ?=
wheelhouse: $(VENV)/.report
	$(BIN)/python benchmarks/wheelhouse.py $(OUT)/wheelhouse $(FOR)

## make lab        JupyterLab on the lessons
lab: $(VENV)/.report
	$(BIN)/jupyter lab notebooks

## make lock       constraints.txt anew after a change of dependencies
lock: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet uv
	cp constraints.txt $(OUT)/pins.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet -o $(OUT)/pins.txt
	(echo "# Every distribution of every extra, pinned; make lock follows pyproject.toml and keeps the other pins." && grep -v '^#' $(OUT)/pins.txt) > constraints.txt

lint: $(VENV)/.dev
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:
	rm -rf $(VENV) $(OUT) .pytest_cache .ruff_cache

$(VENV)/.report: $(FILES)
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "funnelkit needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(call install,$(USED))

$(VENV)/.dev: $(FILES) $(VENV)/.report
	$(call install,$(USED)$(comma)dev)

# The peers' own engines are oracles of the slow tests.
$(VENV)/.bench: $(FILES) $(VENV)/.dev
	$(call install,$(USED)$(comma)dev$(comma)bench$(comma)spark$(comma)dask)
