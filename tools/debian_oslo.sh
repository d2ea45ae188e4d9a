#!/bin/bash
# Makes an environment with Debian 12's oslo.messaging, which tests let talk to the newest one. Kept by version in the
# user's cache; does nothing when it is there.
#
# Usage: debian_oslo.sh [where]    prints its folder; `where`: makes nothing
# What cannot be had is a warning: the test that needs it says so itself.
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/scalpels-exporter/oslo-debian-12-1  # another number when a version below changes
if [ "${1:-}" != where ] && [ ! -d "$folder" ]; then
    echo "getting Debian 12's oslo.messaging" >&2
    mkdir -p "$(dirname "$folder")"
    rm -rf "$folder.new"
    if "$("$tools/python.sh")" -m venv "$folder.new" && "$folder.new/bin/python" -m pip install --quiet \
        --disable-pip-version-check --use-pep517 oslo.messaging==14.0.3 oslo.serialization==5.0.0 oslo.config==9.0.0 \
        oslo.utils==6.0.1 oslo.context==5.0.0 oslo.log==5.0.1 oslo.service==3.0.0 oslo.middleware==5.0.0 \
        oslo.metrics==0.5.0 oslo.i18n==5.1.0 stevedore==4.0.2 debtcollector==2.5.0 futurist==2.4.1 kombu==5.2.4 \
        amqp==5.1.1 vine==5.0.0 eventlet==0.33.1 dnspython==2.2.1; then
        mv "$folder.new" "$folder"  # its Python does not mind
    else
        rm -rf "$folder.new"
        echo "without Debian 12's oslo.messaging: it takes pip" >&2
    fi
fi
echo "$folder"
