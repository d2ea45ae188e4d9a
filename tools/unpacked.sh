#!/bin/bash
# Prints the folder in .cache that holds files of a Debian package, which is downloaded but not installed on this host.
#
# Usage: unpacked.sh PACKAGE PATTERN…     patterns of tar, for the files to keep
# A package that only stands for the newest kernel (linux-image-amd64) is followed to that one.
set -eu

package=$1
shift
cd "$(dirname "$0")/.."

stop() { echo "unpacked.sh: $*" >&2; exit 1; }

# The name of the file that apt would download; nothing when apt knows of none.
named() { apt-get download --print-uris "$1" 2> /dev/null | sed -n "s/^'[^']*' \([^ ]*\.deb\) .*/\1/p"; }

followed() {
    local stands_for
    stands_for=$(apt-cache show --no-all-versions "$1" 2> /dev/null |
        sed -n 's/^Depends:.*\b\(linux-image-[0-9][^ ,]*\) (= .*/\1/p')
    echo "${stands_for:-$1}"
}

for command in apt-get apt-cache dpkg-deb; do
    command -v $command > /dev/null || stop "needs $command, to get at $package"
done
archive=$(named "$(followed "$package")")
if [ -z "$archive" ] && [ "$(id -u)" -eq 0 ]; then
    apt-get -qq update > /dev/null 2>&1 || true
    archive=$(named "$(followed "$package")")
fi
[ -n "$archive" ] || stop "$package is not to be had from the configured sources of apt"

folder=$PWD/.cache/packages/${archive%.deb}
if [ ! -d "$folder" ]; then
    mkdir -p "${folder%/*}"
    work=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/files"
    fetch() { (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$(followed "$package")" 2> error > /dev/null); }
    # A list that is old may name a version that is no longer there.
    fetch || { [ "$(id -u)" -eq 0 ] && apt-get -qq update > /dev/null 2>&1 && fetch; } ||
        stop "$package cannot be downloaded: $(tail -n 1 "$work/error")"
    dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work/files" --wildcards "$@" 2> "$work/error" ||
        stop "$archive: $(tail -n 1 "$work/error")"
    chmod 755 "$work/files"
    mv -T "$work/files" "$folder"
fi
echo "$folder"
