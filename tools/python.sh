#!/bin/bash
# Prints the path of the Python that .venv is made from: the distribution's python3 when it is 3.11 or newer, because
# bcc lives beside it; else the newest other one. As root it installs one where the distribution has it.
set -eu

suits() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null
}

find_one() {
    for candidate in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3; do
        if found=$(command -v "$candidate") && suits "$found"; then
            echo "$found"
            return 0
        fi
    done
    return 1
}

find_one && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
    for version in 3.13 3.12 3.11; do
        if apt-cache show "python$version-venv" > /dev/null 2>&1; then
            echo "installing: python$version python$version-venv" >&2
            said=$(DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
                "python$version" "python$version-venv" 2>&1) && break
            echo "$said" | tail -n 5 >&2
        fi
    done
    find_one && exit 0
fi

cat >&2 << 'TEXT'
Python 3.11 or newer with its venv module is needed, and none was found.
  Debian 12 or newer, Ubuntu 24.04:  sudo apt-get install python3 python3-venv
  Ubuntu 22.04:                      sudo apt-get install python3.11 python3.11-venv
  (22.04's bcc is too old; the tracers that read /proc run without it)
TEXT
exit 1
