# `make run` and `make test` set themselves up: a .venv beside this file, pinned, nothing global.
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
BIN := .venv/bin
RECIPE ?= digits
RUN ?= runs/$(RECIPE)
# One worker a core; a file's tests stay together, as what they share is made once a worker.
PYTEST := $(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadfile

.PHONY: run test test-all check android android-test web lock clean

run: .venv/ready
	$(BIN)/pocketgan run $(RECIPE)

test: .venv/ready check
	$(PYTEST)

test-all: .venv/ready check
	$(PYTEST) -m "slow or not slow"

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# An APK with the files of a finished run: build/pocketgan-demo.apk. Needs a JDK and Maven.
android: .venv/ready
	$(BIN)/python -m tools.build_apk $(RUN)

android-test: .venv/ready
	$(BIN)/python -m tools.android_tests

# The gallery's page out of its sources: deploy/web/built, which is committed. Needs Node.js.
web:
	cd deploy/web && npm ci && npm run check && npm test && npm run build

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# After a change of the dependencies in pyproject.toml.
lock:
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra dev --extra distributed --generate-hashes --allow-unsafe \
	  --strip-extras --no-emit-index-url --no-emit-find-links --output-file requirements.lock \
	  pyproject.toml

clean:
	rm -rf .venv build *.egg-info
