#!/bin/sh
# Statistics of every port of every Open vSwitch bridge.
# A worker of format `samples`, mode `ticked`: each line on stdin is answered by one snapshot on stdout.
#
#   ./ovs.sh /var/run/openvswitch        then press Enter for a snapshot, Ctrl-D to end
#
# The bridges are asked over OpenFlow, which counts at the moment of the question: the database's column `statistics`
# is only written every 5 seconds. A figure that a port does not know (`?`) is left out.
set -u

run=${1:-/var/run/openvswitch}
export OVS_RUNDIR="$run"
patience=5 # seconds, for a switch that hangs
versions=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15

bridges() {
    ovs-vsctl --timeout=$patience --db="unix:$run/db.sock" --real list-br
}

ports() { # of a bridge; a bridge that was removed meanwhile has said so on stderr
    echo "bridge $1"
    ovs-ofctl --timeout=$patience --protocols=$versions --names dump-ports "$1"
}

# In:   bridge br-int
#         port  "tap0-1": rx pkts=1, bytes=118, drop=0, errs=?, frame=?, over=?, crc=?
#                  tx pkts=2, bytes=236, drop=0, errs=0, coll=?
# Names that are no plain words come quoted and escaped as JSON has it.
samples() {
    awk '
    BEGIN {
        called["pkts"] = "packets"
        called["bytes"] = "bytes"
        called["drop"] = "drops"
        called["errs"] = "errors"
    }
    function give(direction, figures,   count, word, n) {
        count = split(figures, word, /[ ,=]+/)
        for (n = 1; n < count; n++)
            if (word[n] in called && word[n + 1] ~ /^[0-9]+$/)
                printf "[\"scalpels_ovs_%s_%s_total\",[\"%s\",%s],%s]\n", direction, called[word[n]], bridge, port, word[n + 1]
    }
    /^bridge / {
        bridge = substr($0, 8)
        gsub(/[\\"]/, "\\\\&", bridge)
    }
    /^ +port .*: rx pkts=/ {
        match($0, /: rx pkts=/)
        figures = substr($0, RSTART + 4)
        port = substr($0, 1, RSTART - 1)
        sub(/^ +port +/, "", port)
        if (port !~ /^"/) port = "\"" port "\""
        give("receive", figures)
    }
    /^ +tx pkts=/ {
        give("transmit", $0)
    }
    END { print "{\"end\": true}" }
    '
}

while read -r _; do
    names=$(bridges) || {
        echo "E! ovs.sh: the database of Open vSwitch does not answer at $run/db.sock" >&2
        exit 1
    }
    echo "$names" | while read -r bridge; do
        [ -z "$bridge" ] || ports "$bridge"
    done | samples
done
