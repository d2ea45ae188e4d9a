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
    if ! setpriv --reuid=61911 --regid=61911 --clear-groups test -r pyproject.toml; then
        echo "Only root can read $PWD: tests in which another user runs this code fail or are skipped."
    fi
fi
.venv/bin/python -m pytest "$@"
