#!/bin/bash
# Runs the tests; their closing line is the last line of the output. The static checks are tests too (tests/house).
#
# Usage: test.sh [arguments of pytest]
set -eu

cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin
if [ "$(id -u)" -ne 0 ]; then
    echo "Not root: tests that need it are skipped, each with its reason (sudo make test runs them)."
else
    trap 'tools/owner.sh --give-back' EXIT
fi
.venv/bin/python -m pytest "$@"
