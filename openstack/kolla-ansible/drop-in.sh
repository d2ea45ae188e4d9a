#!/bin/bash
# Copies what Prometheus and Grafana need to know of scalpels-exporter to where kolla-ansible looks for it.
#
# Usage: drop-in.sh [FOLDER [RUNBOOKS]]
#   FOLDER: default /etc/kolla/config, which is kolla's node_custom_config
#   RUNBOOKS: the URL under which you serve docs/runbooks, for the links in alerts
# Then: kolla-ansible reconfigure --tags prometheus,grafana     (rules are taken where Alertmanager is enabled)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
to=${1:-/etc/kolla/config}
runbooks=${2:-}

install -d "$to/prometheus/prometheus.yml.d" "$to/grafana/dashboards"
install -m 644 "$here/prometheus/prometheus.yml.d/scalpels.yml" "$to/prometheus/prometheus.yml.d/"
for rules in "$root"/dashboards/rules/*.yaml; do
    name=$(basename "$rules" .yaml)
    install -m 644 "$rules" "$to/prometheus/scalpels-$name.rules"
    if [ -n "$runbooks" ]; then
        sed -i "s#\(runbook_url: \)[^ ]*/#\1${runbooks%/}/#" "$to/prometheus/scalpels-$name.rules"
    fi
done
install -m 644 "$root"/dashboards/json/*.json "$to/grafana/dashboards/"
echo "in $to: prometheus/prometheus.yml.d/scalpels.yml, prometheus/scalpels-*.rules, grafana/dashboards/scalpels-*.json"
