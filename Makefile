# Two commands for a newcomer: `make demo` and `make test`. Everything else is for those who work on Scanward.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check bench conformance fuzz lab screenshots lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.run  ## play a patient's visit on a real tty; ONCE=1 plays it through and prints the verdict
	$(BIN)/python -m demo $(if $(ONCE),--once,)

test: $(VENV)/.dev  ## all tests; SCANWARD_NO_SKIP=1 turns every skip into a failure
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev  ## style, types, import contracts: seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.dev  ## ratios from one run, each beside its bound
	$(BIN)/python -m bench

conformance: $(VENV)/.dev  ## other people's test suites through `scanward verify`; writes docs/conformance.md with WRITE=1
	$(BIN)/python -m conformance $(if $(WRITE),--write,)

fuzz: $(VENV)/.fuzz  ## fuzz every parser with coverage feedback; EXECUTIONS=1000000 for each
	$(BIN)/python -m fuzz $(if $(EXECUTIONS),--executions $(EXECUTIONS),) $(PARSERS)

lab: $(VENV)/.run  ## every scanner on real kernel drivers in an emulated machine; says what to install where it cannot
	$(BIN)/python -m lab $(PLAYS)

screenshots: $(VENV)/.dev  ## pictures of every page, from the real pages, into screenshots/
	$(BIN)/python -m demo.screenshots

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Scanward needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Setting up $(VENV): packages at the versions and hashes of requirements.lock (once; about a minute)"
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-dev.lock
	touch $@

$(VENV)/.fuzz: requirements-fuzz.lock $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-fuzz.lock
	touch $@

lock:  ## pin versions and hashes anew, for every architecture (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra platform --group build pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra vision -c requirements.lock pyproject.toml -o requirements-vision.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group dev -c requirements.lock -c requirements-vision.lock pyproject.toml --extra platform --extra vision \
	  -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group fuzz -o requirements-fuzz.lock

clean:
	rm -rf $(VENV) .lab build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
