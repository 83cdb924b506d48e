# Everything that people type here. Nothing is assumed but Python 3.11 or newer and make.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# Where it is set, each command would compile all its modules anew, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test bench stress lint format clean

help:  ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: $(VENV)/run  ## start PostgreSQL and the API on http://127.0.0.1:$PORT, with sample data
	@PORT=$(PORT) $(BIN)/pgreprise up

# One process more than two processors, since some tests wait.
test: $(VENV)/dev  ## run the whole test suite (ARGS='-k rerun' for a part of it)
	$(BIN)/pytest --numprocesses 3 $(ARGS)

lint: $(VENV)/dev  ## ruff, mypy, sqlfluff, and squawk over the migrations' SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar sql
	$(BIN)/pgreprise migrate --sql > $(VENV)/migrations.sql
	$(BIN)/squawk $(VENV)/migrations.sql

bench: $(VENV)/bench  ## measure the speed; prints one table (ARGS='rerun growth' for a part, ARGS=--help)
	$(BIN)/python -m benchmarks $(ARGS)

stress: $(VENV)/dev  ## do everything at once and break things meanwhile, for two minutes (ARGS='--seconds 20')
	$(BIN)/python -m benchmarks.stress $(ARGS)

format: $(VENV)/dev  ## let ruff format the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the virtual environment (the data of `make run` stays in .pgreprise)
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("pgreprise needs Python 3.11 or newer; say which with PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# The stamps tell which set of packages is installed; a change of the pins or the project installs again.
$(VENV)/run: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/bench: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

$(VENV)/dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/run
