# make up      start the hub (installs and builds what is missing first)
# make test    everything that must be true before a change is accepted
# make check   the quick gate: lint, types, storeys, and the tests of what you changed
# make dev     the hub and the web app, both restarting as you edit
# make wheel   dist/*.whl, web app included
# make docs    what is made from the code: docs/reference, .env.production, the web app's API types
# make lock    new requirements*.txt (UPGRADE=--upgrade for the newest of everything)
# make clean   remove what the others made; the data in AIHUB_HOME stays
#
# A machine needs Python 3.11 or newer with pip, and make. AIHUB_HOME, HOST and PORT are read by `aihub up`.

.PHONY: up test check dev docs wheel lock clean webapp browser provider lint
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps
SOURCES := $(shell find src -name '*.py')
PYTEST_WORKERS ?= 3
PYTEST_ARGS ?=

# Bytecode is compiled at install: without it every start takes seconds longer, and some environments
# forbid Python to write it later.
unexport PYTHONDONTWRITEBYTECODE

# The first of these that is new enough.
FIND_PYTHON = for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; done; \
	echo "error: Python 3.11 or newer is needed and was not found; name one with: make PYTHON=/path/to/python3 …" >&2; exit 1

# ---------------------------------------------------------------- to use it

up: $(VENV)/.ready webapp
	@exec $(BIN)/aihub up

# ---------------------------------------------------------------- to work on it

test: $(VENV)/.dev webapp browser provider lint
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup $(PYTEST_ARGS)

check: $(VENV)/.dev webapp provider lint
	$(BIN)/python -m pytest -m "not slow and not browser" $$($(BIN)/python tools/changed_tests.py) $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python hatch_build.py check

dev: $(VENV)/.dev
	@exec $(BIN)/python tools/dev.py

docs: $(VENV)/.dev
	$(BIN)/python tools/reference.py
	$(BIN)/python hatch_build.py generate

wheel: $(VENV)/.dev
	$(BIN)/python -m build --no-isolation --wheel --outdir dist .

lock: $(VENV)/.build
	sh tools/lock.sh $(BIN)/uv $(UPGRADE)

clean:
	rm -rf $(VENV) __pycache__ dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf web/node_modules web/dist web/*.tsbuildinfo tests/support/oidc/node_modules
	find src/aihub/webapp -mindepth 1 ! -name .gitkeep -delete
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- what they stand on

# Each stamp is newer than what it was made from, so that a second `make up` does none of this again.

$(VENV)/.build: requirements-build.txt
	@echo "setting up: build tools (76 MB the first time) …"
	@set -e; python=$$($(FIND_PYTHON)); \
	if $$python -m pip --version >/dev/null 2>&1; then \
		$$python -m venv --without-pip $(VENV); \
		$$python -m pip --python $(BIN)/python install -qq --disable-pip-version-check --require-hashes -r $<; \
	else \
		$$python -m venv $(VENV); \
		$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<; \
	fi
	@touch $@

$(VENV)/.runtime: requirements.txt $(VENV)/.build
	@echo "setting up: libraries (140 MB the first time) …"
	@$(UV) --compile-bytecode -r $<
	@touch $@

$(VENV)/.project: pyproject.toml hatch_build.py $(VENV)/.runtime
	@echo "setting up: the aihub command …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.ready: $(VENV)/.project $(SOURCES)
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.ready
	@echo "setting up: checks and tests …"
	@$(UV) --compile-bytecode -r $<
	@touch $@

webapp: $(VENV)/.project
	@$(BIN)/python hatch_build.py

browser:
	@sh tools/browser.sh

# A real OpenID Connect provider for the tests of signing in.
provider: $(VENV)/.project
	@$(BIN)/python hatch_build.py install tests/support/oidc
