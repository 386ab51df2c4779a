# Two commands do everything: `make demo` sets up and runs the main job, `make test` sets up and runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --no-deps: the locks are complete. --no-compile: most of what is installed is never imported.
PIP := $(BIN)/python -m pip install --quiet --no-deps --no-compile --disable-pip-version-check
# Only files whose sha256 is in the lock, and nothing that is built, which would run its code.
LOCKED := $(PIP) --require-hashes --only-binary :all:
# The one index that is asked for torch, where pip's own settings do not find it.
TORCH_INDEX ?=
# Set, it would have each of the thousand processes that the tests start compile all it imports.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest
QUICK := tests/schemas tests/prompts tests/builder/variants/transforms tests/builder/storage --deselect tests/schemas/answers/test_extract_labelled.py --deselect tests/schemas/answers/test_grade_real.py

.PHONY: demo test test-slow soak fuzz lint fix check clean

demo: $(VENV)/.cpu
	@$(BIN)/cotbuild generate --source bundled --eval-splits test --teacher embedded --out builds/demo
	@$(BIN)/cotbuild inspect builds/demo --limit 3
	@echo
	@echo "next: $(BIN)/cotbuild inspect builds/demo --verdict correct"

# A file's tests in one process: its fixtures are built once. Each has one thread of torch's. One process more than cores,
# since many tests wait for a server or a program: 348 s on two cores where two processes took 383.
test: PROCESSES := $(shell expr $$(nproc) + 1)
test: $(VENV)/.dev lint
	OMP_NUM_THREADS=1 $(PYTEST) -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

# Two at a time, each with one thread of torch's: one alone leaves a core idle much of the time.
test-slow: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(PYTEST) -m "slow and not soak" -n 2 --dist loadfile --no-loadscope-reorder

# Builds, releases and servers of jobs, killed many times. COTBUILD_KILLS has it more often or more rarely.
soak: $(VENV)/.dev
	$(PYTEST) -m soak -n 0 -s

fuzz: $(VENV)/.dev
	COTBUILD_FUZZ_EXAMPLES=2000 $(PYTEST) -n 0 --timeout 0 tests/test_fuzz.py

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	PYTHONPATH=tests/.ns $(BIN)/lint-imports

# What ruff can mend by itself.
fix: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The dev loop: lint, types and the tests that start no process of their own. Under a minute once mypy is warm.
check: $(VENV)/.dev lint
	OMP_NUM_THREADS=1 $(PYTEST) -n auto --dist loadfile $(QUICK)

$(VENV)/.cpu: requirements/torch.lock requirements/cpu.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else "cotbuild: make needs Python 3.11 for its lock, this is %s. Set PYTHON=…/python3.11." % sys.version.split()[0])'
	@echo "installing cotbuild and vLLM for the CPU into $(VENV), a minute or two …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(LOCKED) $(TORCH_INDEX:%=--index-url %) -r requirements/torch.lock || { echo "cotbuild: torch was not installed. Its CPU wheel is not on PyPI: run make TORCH_INDEX=ADDRESS with PyTorch's index for CPU wheels, which pytorch.org names. It is asked for torch alone."; exit 1; }
	@$(LOCKED) -r requirements/cpu.lock
	@# Built by the setuptools of the lock.
	@$(PIP) --no-build-isolation --editable .
	@# A plain path: type checkers and editors cannot follow the hook that setuptools installs.
	@echo "$(CURDIR)/tests/.ns" > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/cotbuild-checkout.pth
	@touch $@

$(VENV)/.dev: $(VENV)/.cpu requirements/dev.lock
	@$(LOCKED) -r requirements/dev.lock
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
