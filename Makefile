# make demo and make test need nothing but make and Python 3.11 or later; they set up the rest in .venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS :=
# One more than small machines have cores: somebody always waits for a server.
JOBS := 3
# Tests start Python some hundred times: without its bytecode each start takes twice as long.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run demo test test-postgresql lint check format bench picture torture lock clean

help:
	@echo "make demo      a sample desk to play with; nothing to configure"
	@echo "make run       start deskhand (make run ARGS='ls is:open')"
	@echo "make test      set up the test servers and run the tests"
	@echo "make test-postgresql  the tests where the engine matters, once more on PostgreSQL"
	@echo "make check     format, lint, types, tests: all that a change has to pass"
	@echo "make format    put the code into its format"
	@echo "make bench     measure, with peers beside us where they are installed (ARGS='--only ls,start')"
	@echo "make picture   draw the screen for the documents anew"
	@echo "make torture   the long forms of the tests"
	@echo "make lock      pin the newest versions that pyproject.toml allows"
	@echo "make clean     remove what all this made"

run: $(VENV)/.run
	@$(BIN)/deskhand $(ARGS)

demo: $(VENV)/.run
	@$(BIN)/deskhand demo $(ARGS)

test: $(VENV)/.dev
	@sh tests/servers/install.sh || echo "the test servers could not be installed"
	$(BIN)/python -m pytest -n $(JOBS) -m "not torture" $(ARGS)

# tests/contracts and tests/storage choose engines themselves; what only shows or prints what a store gave is left to `make torture`.
ENGINE_TESTS := tests/desk tests/journeys tests/relay \
	$(addprefix tests/cli/test_,changing.py looking.py ls.py moving.py next.py rules.py) \
	$(addprefix tests/tui/test_,live.py monkey.py presence.py)
test-postgresql: $(VENV)/.dev
	@sh tests/servers/install.sh || echo "the test servers could not be installed"
	DESKHAND_TEST_ENGINE=postgresql $(BIN)/python -m pytest -n $(JOBS) -m "not torture and not sqlite" \
		$(ENGINE_TESTS) $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test test-postgresql

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	$(BIN)/python -m bench.run $(ARGS)

picture: $(VENV)/.dev
	$(BIN)/python -m bench.picture docs/screen.svg --size 110x20
	$(BIN)/python -m bench.picture docs/ticket.svg --scene ticket --size 110x24

torture: $(VENV)/.dev
	@sh tests/servers/install.sh || echo "the test servers could not be installed"
	$(BIN)/python -m pytest -m torture $(ARGS)
	DESKHAND_TEST_LONG=1 $(BIN)/python -m pytest -n $(JOBS) tests/contracts/test_query_agreement.py tests/contracts/test_pages_agreement.py
	DESKHAND_TEST_ENGINE=postgresql $(BIN)/python -m pytest -n $(JOBS) -m "not torture and not sqlite" tests/cli tests/tui

# Pins are made in a fresh environment without deskhand itself: what pip freeze lists there
# is what deskhand needs and no more. requirements-dev.lock holds what the tests need besides.
lock:
	rm -rf build/lock
	.ci/venv build/lock
	build/lock/bin/python .ci/wants.py | build/lock/bin/python -m pip install --quiet -r /dev/stdin
	build/lock/bin/python -m pip freeze >requirements.lock
	build/lock/bin/python .ci/wants.py dev | build/lock/bin/python -m pip install --quiet -c requirements.lock -r /dev/stdin
	build/lock/bin/python -m pip freeze | grep -vxFf requirements.lock >requirements-dev.lock
	rm -rf build/lock

clean:
	rm -rf $(VENV) build dist bench/out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# -- the virtual environment; a stamp is younger than what it was made from --------
#
# editable_mode=compat is a plain line in a .pth file. What setuptools does otherwise loads a
# finder, pathlib and more into every Python of the environment: 10 ms a start, and figures
# that look better than they are because Python itself looks slower.

$(VENV)/.made: .ci/venv
	.ci/venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements.lock pyproject.toml
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --config-settings editable_mode=compat -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(PIP) install -r requirements-dev.lock
	@touch $@
