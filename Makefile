# Everything runs in a virtual environment of its own; PYTHON chooses the interpreter it is made with (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# two more than two cores have work for: that of tests/cluster and of runs that are killed waits most of its time
TEST_PROCESSES ?= 4

.PHONY: quickstart test bench lint clean

quickstart: $(VENV)/.installed
	$(BIN)/fusedtomo run configs/campaigns/quickstart.toml --out runs/quickstart
	@echo "The report is at $(CURDIR)/runs/quickstart/report.html"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) $(PYTEST_ARGS)

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

clean:
	rm -rf $(VENV) build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fusedtomo needs Python 3.11 or newer; pass PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "This Python cannot make virtual environments; on Debian: apt install python3-venv"; exit 1; }

# pip is quiet for as long as it works
SAY_PIP = @echo "Installing $(1) into $(VENV) with pip, which prints nothing meanwhile: a minute or more, once"

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(call SAY_PIP,fusedtomo and what it needs)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml
	$(call SAY_PIP,fusedtomo and what its tests need)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(BIN)/python pyproject.toml
	$(call SAY_PIP,fusedtomo and what its benchmarks need)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	@touch $@ $(VENV)/.installed
