#!/bin/bash
# Runs a command as the owner of the checkout, so that `sudo make` leaves nothing there that its owner cannot remove.
#
# Usage: owner.sh COMMAND…          run it as the owner (as ourselves, when we are not root or root owns the checkout)
#        owner.sh --give-back       give to the owner what root has made in the checkout
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
owner=$(stat -c %u "$root")
entry=$(getent passwd "$owner" || true)

if [ "$(id -u)" -ne 0 ] || [ "$owner" -eq 0 ] || [ -z "$entry" ]; then
    [ "${1:-}" = --give-back ] && exit 0
    exec "$@"
fi

group=$(echo "$entry" | cut -d: -f4)
if [ "${1:-}" = --give-back ]; then
    exec find "$root" -xdev -path "$root/.git" -prune -o -uid 0 -exec chown -h "$owner:$group" {} +
fi
HOME=$(echo "$entry" | cut -d: -f6) exec setpriv --reuid="$owner" --regid="$group" --init-groups "$@"
