# `make run` opens the wizard, `make test` runs the tests; each sets up what it needs, once.

VENV   ?= .venv
# The distribution's Python if it is there: other users of this machine can run it too.
PYTHON ?= $$(command -v /usr/bin/python3 || command -v python3)
BIN    := $(VENV)/bin

# Runs a command as root.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

# The programs that only the tests run, and the packages that contain them.
TEST_PROGRAMS := repo-add /usr/share/makepkg/util/message.sh bsdtar tmux shellcheck pgrep busybox
TEST_PACKAGES := makepkg libarchive-tools tmux shellcheck procps busybox-static

# The packages of what is missing here: zwizard's own programs and those of the tests.
missing = $(strip $(shell $(PYTHON) -m zwizard.host.tools) \
	$(if $(strip $(foreach program,$(TEST_PROGRAMS),\
	$(if $(wildcard $(program))$(shell command -v $(program)),,$(program)))),$(TEST_PACKAGES)))

.PHONY: run test test-fast test-pythons lint manual man lock dist bench fuzz screenshots clean

run: $(VENV)/.run
	@if [ -t 0 ] && [ -t 1 ]; then \
		exec $(BIN)/zwizard; \
	else \
		$(BIN)/zwizard build --install --default; \
	fi

# Python keeps compiled modules, whatever the environment says: the tests start it often.
test test-fast: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.test lint
	$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder --durations 60

# Without the tests that build real images, start machines or try very many inputs.
test-fast: $(VENV)/.test lint
	$(BIN)/python -m pytest -m "not real and not slow" --numprocesses 2 --no-loadscope-reorder

# The fast tests on every Python named here that this machine has, each in an environment of its own.
PYTHONS ?= python3.11 python3.12 python3.13
test-pythons:
	@for python in $(PYTHONS); do \
		if $$python --version >/dev/null 2>&1; then \
			$(MAKE) test-fast VENV=.venv-$$python PYTHON=$$python || exit 1; \
		else \
			echo "$$python: not on this machine"; \
		fi; \
	done

lint: $(VENV)/.test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	shellcheck zwizard/steps/scripts/* zwizard/boottest/scripts/*

# By hand, on a machine with nothing else to do: some seven minutes.
bench: $(VENV)/.test
	$(BIN)/python tests/bench/log.py
	$(BIN)/python tests/bench/run.py

# By hand: changed inputs for every reader, for MINUTES; prints the smallest that is handled badly.
MINUTES ?= 20
fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz $(MINUTES)

# Writes the generated parts of the manual's pages.
manual: $(VENV)/.test
	$(BIN)/python -m tests.manual.generate

# The man pages, in build/man.
man: $(VENV)/.release
	$(BIN)/python .ci/man_pages.py build/man

# Pins what the tests and releases run with, from a new environment.
lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,release]'
	{ echo '# Written by `make lock`: what `make test` installs.'; \
		build/lock/bin/python -m pip freeze --exclude-editable; } > .ci/requirements.lock

dist: $(VENV)/.release
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

screenshots: $(VENV)/.test
	$(BIN)/python screenshots/make.py

clean:
	rm -rf $(VENV) .venv-* build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call packages,python3-venv)
	$(PYTHON) -m venv $(VENV)

PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint .ci/requirements.lock

$(VENV)/.run: $(VENV)/bin/python pyproject.toml .ci/requirements.lock
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml .ci/requirements.lock
	@$(if $(missing),$(call packages,$(missing)))
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.release: $(VENV)/.test
	$(PIP_INSTALL) --editable '.[dev,release]'
	@touch $@

define packages
{ command -v apt-get >/dev/null || { echo "install: $(1)" >&2; exit 1; }; \
	echo "installing: $(1)"; \
	$(AS_ROOT) apt-get update -qq && \
	$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive \
	apt-get install -qq -y --no-install-recommends $(1) >/dev/null; }
endef
