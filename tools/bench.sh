#!/bin/bash
# Runs every benchmark in turn; each prints its own table. One that fails is named at the end.
#
# Usage: bench.sh [NAME…]            names of files in benchmarks/, without .py
set -u

cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin
export PATH PYTHONDONTWRITEBYTECODE=1
failed=
for file in $(grep -l '__main__' benchmarks/*.py); do
    name=$(basename "$file" .py)
    if [ $# -gt 0 ]; then
        case " $* " in *" $name "*) ;; *) continue ;; esac
    fi
    printf '\n== %s\n' "$name"
    .venv/bin/python -m "benchmarks.$name" || failed="$failed $name"
done
if [ -n "$failed" ]; then
    echo "failed:$failed" >&2
    exit 1
fi
