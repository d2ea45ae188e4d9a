#!/bin/bash
# Brings a real API server for `make test-kubernetes`: kube-apiserver (built: five minutes, more on a busy machine), etcd
# (Debian's), and the prometheus-operator's resource definitions. Kept by version in the user's cache.
#
# Usage: kubernetes_tools.sh       prints the folder that has kube-apiserver, etcd and crds/
set -eu

export PATH=$PATH:/usr/local/go/bin
folder=${XDG_CACHE_HOME:-$HOME/.cache}/scalpels-exporter/kubernetes-1  # another number when a version below changes
kubernetes=1.37.2 staging=0.37.2 controller_tools=0.23.0
mkdir -p "$folder"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# module FOLDER PACKAGE: a module that has a command of another one
module() {
    mkdir "$1"
    printf 'module tools\ngo 1.26.0\n' > "$1/go.mod"
    printf '//go:build tools\n\npackage tools\n\nimport _ "%s"\n' "$2" > "$1/tools.go"
}

if [ ! -x "$folder/kube-apiserver" ]; then
    echo "building kube-apiserver" >&2
    module "$work/kube" k8s.io/kubernetes/cmd/kube-apiserver
    cd "$work/kube"
    go mod edit -require "k8s.io/kubernetes@v$kubernetes"
    sources=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
    for one in "$sources"/staging/src/k8s.io/*/; do
        go mod edit -replace "k8s.io/$(basename "$one")=k8s.io/$(basename "$one")@v$staging"
    done
    go mod tidy -e 2> log
    nice go build -ldflags '-s -w' -o kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
    mv kube-apiserver "$folder/"
fi

if [ ! -x "$folder/etcd" ]; then
    echo "getting etcd" >&2
    mkdir "$work/etcd" && cd "$work/etcd"
    apt-get -qq download etcd-server 2> /dev/null
    dpkg -x etcd-server_*.deb .
    mv usr/bin/etcd "$folder/"
fi

if [ ! -d "$folder/crds" ]; then
    echo "making the resource definitions of the prometheus-operator" >&2
    module "$work/crds" sigs.k8s.io/controller-tools/cmd/controller-gen
    cd "$work/crds"
    operator=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring
    sed -i "s#^import .*#import (\n\t_ \"$operator/v1\"\n\t_ \"sigs.k8s.io/controller-tools/cmd/controller-gen\"\n)#" tools.go
    go get "sigs.k8s.io/controller-tools/cmd/controller-gen@v$controller_tools" "$operator@latest" 2> log
    go mod tidy -e 2>> log
    go build -o controller-gen sigs.k8s.io/controller-tools/cmd/controller-gen
    sources=$(go list -m -f '{{.Dir}}' "$operator")
    (cd "$sources" && "$work/crds/controller-gen" crd:crdVersions=v1,allowDangerousTypes=true paths=./v1/... "output:crd:dir=$work/crds/out")
    mv out "$folder/crds"
fi
echo "$folder"
