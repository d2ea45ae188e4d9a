#!/bin/bash
# Brings what a real API server takes, for `make test-kubernetes`: kube-apiserver (built: five minutes, more on a busy machine), etcd
# (Debian's, unpacked and not installed), and the prometheus-operator's resource definitions (made from its Go module).
#
# Usage: kubernetes_tools.sh       prints the folder that has kube-apiserver, etcd and crds/
# All is kept by version in the user's cache, nothing in the checkout. What cannot be had ends it with one line that says why.
set -eu

export PATH=$PATH:/usr/local/go/bin
folder=${XDG_CACHE_HOME:-$HOME/.cache}/scalpels-exporter/kubernetes-2  # another number when a version below changes
kubernetes=1.37.2 staging=0.37.2 controller_tools=0.23.0 operator_version=0.95.1
mkdir -p "$folder"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

stop() { echo "kubernetes_tools.sh: $*" >&2; exit 1; }

takes() { command -v "$1" > /dev/null || stop "$2 takes $1"; }

# module FOLDER PACKAGE…: enters a module that needs these packages and has nothing of its own
module() {
    mkdir "$work/$1"
    cd "$work/$1"
    shift
    printf 'module tools\ngo 1.26.0\n' > go.mod
    { printf '//go:build tools\n\npackage tools\n\n'; printf 'import _ "%s"\n' "$@"; } > tools.go
}

# logged WHAT COMMAND…: silent unless it fails
logged() {
    local what=$1
    shift
    "$@" >> "$work/log" 2>&1 || { tail -n 3 "$work/log" >&2; stop "could not $what"; }
}

# Its parts are modules of their own, which it names by folders of its repository.
api_server() {
    takes go kube-apiserver
    echo "building kube-apiserver $kubernetes: minutes" >&2
    module server k8s.io/kubernetes/cmd/kube-apiserver
    go mod edit -require "k8s.io/kubernetes@v$kubernetes"
    local sources one
    sources=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
    [ -d "$sources" ] || stop "the source of Kubernetes cannot be had"
    sed -n 's#^\t*\(k8s.io/[a-z-]*\) => ./staging/.*#\1#p' "$sources/go.mod" > parts
    while read -r one; do
        go mod edit -replace "$one=$one@v$staging"
    done < parts
    go mod tidy -e >> "$work/log" 2>&1 || true  # of what only tests of Kubernetes import, not all is there
    # It tells its version to helm, which looks whether the chart is for it.
    local of=k8s.io/component-base/version minor=${kubernetes#1.}
    local versions="-X $of.gitVersion=v$kubernetes -X $of.gitMajor=1 -X $of.gitMinor=${minor%.*}"
    logged "build kube-apiserver" nice go build -ldflags "-s -w $versions" -o kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
    mv kube-apiserver "$folder/"
}

store() {
    takes apt-get etcd
    takes dpkg-deb etcd
    echo "getting etcd" >&2
    mkdir "$work/store"
    cd "$work/store"
    logged "download etcd-server" apt-get -qq -o APT::Sandbox::User=root download etcd-server
    dpkg-deb -x etcd-server_*.deb .
    mv usr/bin/etcd "$folder/"
}

definitions() {
    takes go "the prometheus-operator's resource definitions"
    echo "making the prometheus-operator's resource definitions" >&2
    local operator=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring sources
    module definitions sigs.k8s.io/controller-tools/cmd/controller-gen "$operator/v1"
    logged "get controller-gen" go get "sigs.k8s.io/controller-tools/cmd/controller-gen@v$controller_tools" "$operator@v$operator_version"
    go mod tidy -e >> "$work/log" 2>&1 || true
    logged "build controller-gen" go build -o controller-gen sigs.k8s.io/controller-tools/cmd/controller-gen
    sources=$(go list -m -f '{{.Dir}}' "$operator")
    cd "$sources"
    logged "make resource definitions" "$work/definitions/controller-gen" crd:crdVersions=v1,allowDangerousTypes=true paths=./v1/... \
        "output:crd:dir=$work/crds"
    mv "$work/crds" "$folder/crds"
}

[ -x "$folder/etcd" ] || store
[ -d "$folder/crds" ] || definitions
[ -x "$folder/kube-apiserver" ] || api_server
echo "$folder"
