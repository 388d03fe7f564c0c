# Every target sets up what it needs, says what it does, and is quick the second time.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# In a container people are root, which JupyterLab wants confirmed.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# One worker per core; a file's tests stay together, as a notebook's cells must.
EVERY_CORE := --numprocesses auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup lab demo data browser pictures check test test-all lock lint format bench clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/installed  ## The virtual environment with everything installed

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or later is needed; {sys.executable} is {v.major}.{v.minor}. Name another: make PYTHON=python3.12 …")'
	@echo "Setting up $(VENV) (a minute or two, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import pip' 2> /dev/null || $(BIN)/python -m ensurepip > /dev/null  # uv leaves it out
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

lab: setup data  ## JupyterLab on the start notebook
	@echo "Opening JupyterLab on notebooks/00-start-here.ipynb; stop it with Ctrl-C."
	@$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=. $(AS_ROOT) \
		--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb

demo: setup  ## The start notebook's job without a browser
	@$(BIN)/profile-toolkit demo

data: setup data/events.parquet  ## The sample data

data/events.parquet: toolkit/sources/sample.py data/make_sample_data.py
	@$(BIN)/python data/make_sample_data.py
	@touch $@

check: setup lint  ## Lint, types and the quick tests: what to run after each change
	@FAST_TESTS=1 $(BIN)/python -m pytest $(EVERY_CORE)

test: setup lint browser  ## Lint, types, all tests and the notebooks
	@echo "Running the tests …"
	@TESTS_ARE_WHOLE=1 $(BIN)/python -m pytest --nbval $(EVERY_CORE) --ignore=tests/browser
	@TESTS_ARE_WHOLE=1 $(BIN)/python -m pytest tests/browser

test-all: test  ## The same, with the clients for Node and browsers, longer random tests, on the oldest dependencies, on every Python, from an sdist
	@LONGER_TESTS=1 $(BIN)/python -m pytest tests $(EVERY_CORE) --ignore=tests/browser
	@NODE_CLIENTS=1 $(BIN)/python -m pytest tests/test_clients_node.py tests/browser/test_sdks.py
	@.ci/oldest
	@.ci/pythons
	@.ci/sdist

lock: setup  ## The exact versions of requirements.lock and of "uv sync", anew
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@BIN=$(BIN) .ci/lock --upgrade

browser: setup  ## The browser that the tests of the forms need
	@.ci/browser $(BIN)/python

lint: setup  ## ruff and mypy
	@echo "Checking style and types …"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup  ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

pictures: setup browser  ## The pictures of the forms and of the rooms in the documents
	@$(BIN)/python -m tests.house_picture
	@$(BIN)/python -m tests.browser.pictures

bench: setup  ## The speed claims, each against its peer (some minutes)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:  ## Remove the virtual environments and caches
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis out build
