#!/bin/bash
# The static checks, each by its name, so that make, pre-commit and tests/house run the same commands.
#
# Usage: check.sh format|lint|types|imports
set -eu

cd "$(dirname "$0")/.."
bin=.venv/bin
case ${1:-} in
    format) exec $bin/ruff format --check --quiet . ;;
    lint) exec $bin/ruff check --quiet . ;;
    types) exec $bin/mypy --strict scalpels_exporter tracers benchmarks dashboards demo ;;
    imports) exec $bin/lint-imports ;;
    *) echo "check.sh: format, lint, types or imports" >&2; exit 2 ;;
esac
