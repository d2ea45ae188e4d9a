# Everything is done by the scripts in tools/; this file names them. `sudo make run` and `sudo make test` install what
# is missing; without root the same targets use what is there and say what is not.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
PYTHON := .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-kernels test-deploy test-kubernetes test-demo check bench update verify clean

help:  ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## make .venv with all that checks need (with sudo: Debian packages too)
	@tools/setup.sh dev

run:  ## start the agent in the foreground; with sudo it sees everything (ARGS='--config.file x.yaml')
	@tools/setup.sh run
	@exec tools/run.sh $(ARGS)

demo:  ## a small cloud on loopback that becomes slower, its dashboards and its alert; takes sudo (ARGS='--help')
	@tools/setup.sh demo
	@exec tools/demo.sh $(ARGS)

test:  ## run the checks and every test (ARGS='-k name' or paths for some of them)
	@tools/setup.sh test
	@tools/test.sh $(ARGS)

test-kernels:  ## run every tracer's kernel programs under other kernels, in qemu: minutes (ARGS='-k 6.12')
	@tools/setup.sh kernels
	@tools/test.sh tests/kernels $(ARGS)

test-deploy:  ## test the chart with the real helm 3 and 4, its pod, and the image made without Docker: takes npm and go
	@tools/setup.sh deploy
	@tools/test.sh tests/deploy $(ARGS)

test-kubernetes:  ## install the chart into a real API server, which is built first: minutes (ARGS='-k upgrade')
	@tools/setup.sh deploy
	@tools/test.sh tests/kubernetes $(ARGS)

test-demo:  ## run the demo until its alert fires, and look at every panel in a browser: six minutes
	@tools/setup.sh test
	@tools/uplot.sh > /dev/null
	@tools/test.sh tests/demo tests/story $(ARGS)

check:  ## formatting, lint, types, imports, house rules and docs; changes nothing
	@tools/setup.sh dev
	@tools/owner.sh tools/check.sh format
	@tools/owner.sh tools/check.sh lint
	@tools/owner.sh tools/check.sh types
	@tools/owner.sh tools/check.sh imports
	@tools/owner.sh $(PYTHON) -m pytest -q tests/house tests/docs --ignore=tests/house/test_house_static_checks.py

bench:  ## run the benchmarks in turn and print their tables (ARGS='name …' for some)
	@tools/setup.sh bench
	@tools/bench.sh $(ARGS)

update:  ## write what is generated anew: parts of README.md and docs/, dashboards, rules, runbooks, files of the chart
	@tools/setup.sh dev
	@tools/owner.sh $(PYTHON) tools/readme_tables.py
	@tools/owner.sh $(PYTHON) -m dashboards
	@tools/owner.sh $(PYTHON) tools/chart_tracers.py
	@tools/owner.sh $(PYTHON) tools/chart_values.py

verify: update  ## update, and fail if that changed anything
	@tools/owner.sh git diff --exit-code -- README.md docs dashboards helm

clean:  ## remove .venv and every cache
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build dist
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
