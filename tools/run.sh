#!/bin/bash
# Runs the agent of this checkout in the foreground, and says first where to look.
#
# Usage: run.sh [flags of scalpels agent]
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
address=:10919
path=/metrics
scheme=http
previous=
for word in "$@"; do
    case $previous in
        --web.listen-address) address=$word ;;
        --web.telemetry-path) path=$word ;;
    esac
    case $word in
        --web.listen-address=*) address=${word#*=} ;;
        --web.telemetry-path=*) path=${word#*=} ;;
        --web.config.file*) scheme=http[s] ;;
    esac
    previous=$word
done
case $address in
    :*) place=$scheme://localhost$address ;;
    unix:*) place=$address ;;
    *) place=$scheme://$address ;;
esac

if [ "$(id -u)" -eq 0 ]; then
    list="sudo $root/.venv/bin/scalpels list"
else
    list="$root/.venv/bin/scalpels list"
    echo "Not root: tracers that need privileges do not run; $root/.venv/bin/scalpels doctor says which."
fi
echo "Landing page   $place/"
echo "Metrics        $place$path"
echo "Tracers        $list"
echo "Ctrl-C ends the agent and everything it started."
export PYTHONDONTWRITEBYTECODE=1  # root would leave files in the checkout that its owner cannot remove
exec "$root/.venv/bin/scalpels" agent "$@"
