#!/bin/bash
# Runs the demo of this checkout in the foreground, until Ctrl-C.
#
# Usage: demo.sh [options of python -m demo]
set -eu

cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1  # root would leave files in the checkout that its owner cannot remove
export PYTHONWARNINGS=ignore  # of libraries, about their own future
exec .venv/bin/python -m demo "$@"
