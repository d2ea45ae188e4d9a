#!/bin/bash
# Makes .venv ready, and does nothing in a moment when it is: a stamp holds what it was made from.
#
# Usage: setup.sh run|dev|test|bench|deploy|kernels|demo
#   run: what the agent needs; dev: also what checks need; test: also what tests need, clients and servers among
#   it; bench: also what peers need; deploy: also the helms;
#   kernels: also what boots other kernels; demo: what runs in the demo, less than tests need
set -eu

purpose=$1
tools=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$tools")
cd "$root"

"$tools/packages.sh" "$purpose"
if [ "$purpose" = demo ] && [ "$(id -u)" -eq 0 ]; then "$tools/uplot.sh" > /dev/null; fi
if [ "$purpose" = deploy ]; then "$tools/chart_tools.sh" > /dev/null; fi
if [ "$purpose" = test ]; then "$tools/debian_oslo.sh" > /dev/null; fi
python=$("$tools/python.sh")

made_from=$("$python" --version; echo "$python $root"; sha256sum pyproject.toml scalpels_exporter/__init__.py)
is_ready() { [ "$(cat ".venv/ready-$1" 2> /dev/null)" = "$made_from" ]; }
# Whatever serves a later purpose of these serves the earlier ones.
case $purpose in
    run) extra= ready=run enough="run dev test" ;;
    dev) extra="[dev]" ready=dev enough="dev test" ;;
    *) extra="[dev,services]" ready=test enough="test" ;;
esac
for one in $enough; do
    if is_ready "$one"; then exit 0; fi
done

options=
# bcc is the distribution's, and nowhere else; every Python of the distribution finds it.
if [ "$python" = /usr/bin/python3 ] || "$python" -c 'import bcc' 2> /dev/null; then
    options=--system-site-packages
fi
if [ -L .venv ]; then rm .venv; fi  # another checkout's: to clear it would clear theirs
# The scripts in bin/ hold the folder's path: all is made anew when that or Python is another.
if [ "$(readlink -f .venv/bin/python)" != "$(readlink -f "$python")" ] ||
    ! head -n 1 .venv/bin/pip 2> /dev/null | grep -q "^#!$root/.venv/bin/python"; then
    echo "making .venv from $python"
    # shellcheck disable=SC2086  # none or one word
    "$tools/owner.sh" "$python" -m venv --clear $options .venv
fi
echo "installing scalpels-exporter$extra into .venv"
"$tools/owner.sh" .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$extra"
"$tools/owner.sh" .venv/bin/python -m compileall -q scalpels_exporter
"$tools/owner.sh" sh -c 'printf "%s\n" "$1" > "$2"' sh "$made_from" ".venv/ready-$ready"
