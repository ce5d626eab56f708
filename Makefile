# What a clone can do; it needs git, make and Python >= 3.11 with venv. Everything is set up in .venv, once.
#
#   make ask Q='What breaks if I …?'   ask a question about this repository
#   make test                          every check, then every test that is not slow
#   make test-train                    the tests of what takes torch, transformers or lightgbm, which it installs
#   make slow                          the slow tests: real codebases from the package index, and `make fuzz`
#   make bench                         the benchmarks
#   make simulate                      100,000 explorations among interpreters that misbehave; SEEDS=1000 for fewer
#   make fuzz                          20,000 requests that nobody would send to the scoring server
#   make format                        format the code and apply ruff's safe fixes
#   make lock                          resolve the exact versions again
#   make clean                         remove whatever was made
#
# PYTHON=python3.12 picks the interpreter, JOBS=4 the number of test processes, ARGS='-k name' what pytest is told.

Q ?= What breaks if I add a variant to ChangeKind?
JOBS ?= auto
ARGS ?=
SEEDS ?= 100000
UV := 0.13.9

OLD_ENOUGH := -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	$$name $(OLD_ENOUGH) && echo $$name && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
LOCKED := install --require-hashes --only-binary :all:

# A set-up is whole when it came to its end, here, with an interpreter that still starts. Else it is made again.
WHOLE := $(shell test "`cat $(VENV)/whole 2>/dev/null`" = '$(CURDIR)' && $(BIN)/python -c '' 2>/dev/null && echo yes)

export Q
.PHONY: ask test test-train slow bench simulate fuzz format lock clean checks set-up-again

ask: $(VENV)/project
	@$(BIN)/semantic-scout "$$Q" --root .

test: checks
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --quiet $(ARGS)

checks: $(VENV)/dev
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/ty check --quiet --python $(VENV)
	@$(BIN)/pyright --pythonpath $(BIN)/python >$(VENV)/pyright.txt || { cat $(VENV)/pyright.txt; exit 1; }

# Their exact versions are not locked: which torch there is depends on the machine.
test-train: $(VENV)/train
	@$(BIN)/python -m pytest --quiet tests/test_train_functiongemma.py tests/test_functiongemma_local.py \
		tests/test_learned.py tests/test_loop.py tests/laws.py $(ARGS)

$(VENV)/train: pyproject.toml $(VENV)/dev
	@$(PIP) install --editable '.[learn,train]' torch==2.13.0 --no-build-isolation
	@touch $@

slow: $(VENV)/dev
	@$(BIN)/python -m pytest -m slow $(ARGS)

bench: $(VENV)/dev
	@$(BIN)/python tests/benchmarks $(ARGS)

simulate: $(VENV)/dev
	@$(BIN)/python tests/simulate.py --seeds $(SEEDS) $(ARGS)

fuzz: $(VENV)/dev
	@$(BIN)/python -m pytest -m slow tests/test_score_fuzz.py $(ARGS)

format: $(VENV)/dev
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

# The versions `pyproject.toml` allows, resolved for every Python and platform at once. No line names an index.
lock:
	@$(PYTHON) -m venv --clear $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip -qq --disable-pip-version-check install uv==$(UV)
	@$(call resolve,--group run,run)
	@$(call resolve,--group dev --constraints requirements/run.lock,dev)
	@rm -rf $(VENV)-lock

resolve = $(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-build \
	--generate-hashes --no-header --no-annotate $(1) pyproject.toml --output-file requirements/$(2).lock

clean:
	rm -rf $(VENV) $(VENV)-lock dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each of these is made after the ones below it.

$(VENV)/dev: requirements/dev.lock $(VENV)/run | $(VENV)/project
	@echo 'adding the checks and tests to $(VENV) (once)' >&2
	@rm -f $(VENV)/whole
	@$(PIP) $(LOCKED) --requirement requirements/dev.lock
	@touch $@ && echo '$(CURDIR)' >$(VENV)/whole

$(VENV)/project: pyproject.toml $(VENV)/run
	@rm -f $(VENV)/whole
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@ && echo '$(CURDIR)' >$(VENV)/whole

$(VENV)/run: requirements/run.lock
	@$(or $(PYTHON),false) $(OLD_ENOUGH) || \
		{ echo 'semantic-scout needs Python 3.11 or newer with venv: install it, or name one with PYTHON=…' >&2; exit 1; }
	@echo 'setting up $(VENV) with $(PYTHON) (once)' >&2
	@rm -f $(VENV)/whole
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) $(LOCKED) --requirement requirements/run.lock
	@touch $@

ifneq ($(WHOLE),yes)
$(VENV)/run: set-up-again
endif
