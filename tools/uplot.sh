#!/bin/bash
# Brings uPlot, which draws the demo's page, with npm. Kept in the user's cache. Prints its folder.
#
# Usage: uplot.sh
set -eu

folder=${XDG_CACHE_HOME:-$HOME/.cache}/scalpels-exporter/uplot-1  # another number when the version below changes
version=1.6.32
if [ ! -f "$folder/uPlot.min.css" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo "getting uPlot" >&2
    cd "$work"
    npm pack --silent "uplot@$version" > name
    tar -xzf "$(cat name)" package/dist/uPlot.iife.min.js package/dist/uPlot.min.css
    mkdir -p "$folder"
    mv package/dist/uPlot.iife.min.js package/dist/uPlot.min.css "$folder"
fi
echo "$folder"
