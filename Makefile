# Everything runs in .venv, made from the lock files. `make demo` needs python3 (3.11 or newer), g++ and make, nothing else.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check

.PHONY: demo test train check setup lock clean

demo: $(VENV)/.run                  ## the whole way of a real network, report in demo/
	$(VENV)/bin/setun demo -o demo

test: $(VENV)/.dev                  ## every test
	$(VENV)/bin/python -m pytest -n auto --dist worksteal

train: $(VENV)/.dev                 ## what the training examples need; their tests then run with the others
	$(PIP) install --quiet scikit-learn==1.9.1 torch==2.13.0

check: $(VENV)/.dev                 ## linters and type checkers; each runs even if the one before complained
	@status=0; for tool in "ruff check ." mypy "pyright --pythonpath $(VENV)/bin/python"; do echo "$$tool"; $(VENV)/bin/$$tool || status=1; done; exit $$status

setup: $(VENV)/.run                 ## only install

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "setun needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.run: $(VENV)/bin/python pyproject.toml requirements.lock
	@echo "installing into $(VENV), once ..."
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	touch $@

lock:                               ## resolve the dependencies again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
