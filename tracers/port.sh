#!/bin/sh
# Counts packets and bytes of one TCP port, both directions, with counters of the kernel's packet filter.
# A worker of format `openmetrics`, mode `ticked`: each line on stdin is answered by one snapshot on stdout.
#
#   ./port.sh 5672        then press Enter for a snapshot, Ctrl-D to end
#
# The counters are in a table of their own that carries the flag `owner`: the kernel takes it away when the process
# that made it ends, however it ends. So the nft that makes it must live on, and is asked for the counters as well.
# No packet is changed, and none is dropped or let through by it: the table has no verdict but "next table".
set -u

port=${1-}
case $port in
'' | *[!0-9]*)
    echo "E! port.sh: expected a port number, got '$port'" >&2
    exit 64
    ;;
esac
table=scalpels_port_$$
unsupported=69

# On the loopback interface every packet is both transmitted and received. The hooks come before all filtering of
# received packets, and after all filtering of transmitted ones.
rules() {
    cat <<RULES
add table inet $table { flags owner; }
add counter inet $table receive_local
add counter inet $table receive_remote
add counter inet $table transmit_local
add counter inet $table transmit_remote
add chain inet $table receive { type filter hook input priority -300; }
add chain inet $table transmit { type filter hook output priority 300; }
add rule inet $table receive tcp dport $port counter name receive_local return
add rule inet $table receive tcp sport $port counter name receive_remote
add rule inet $table transmit tcp sport $port counter name transmit_local return
add rule inet $table transmit tcp dport $port counter name transmit_remote
RULES
}

ask() {
    rules
    while read -r _; do
        echo "list counters table inet $table"
    done
}

sample() { # metric, counter, value
    echo "scalpels_port_$1_total{port=\"$port\",direction=\"${2%_*}\",end=\"${2#*_}\"} $3"
}

answer() {
    counted=0
    while read -r word first _ second _; do
        case $word in
        counter) counter=$first ;;
        packets)
            sample packets "$counter" "$first"
            sample bytes "$counter" "$second"
            counted=$((counted + 1))
            [ $((counted % 4)) -ne 0 ] || echo '# EOF'
            ;;
        *rror*) # nft's own words; it goes on to the next command, so we must not
            echo "E! nft: $word $first" >&2
            exit 1
            ;;
        esac
    done
}

# The first nft tries all rules in one transaction, says what is wrong, and takes them along when it ends.
said=$(rules | nft -f - 2>&1) || {
    echo "E! nft cannot count here: ${said%%
*}" >&2
    exit $unsupported
}
# HOME, because nft would write the commands of `ask` to a history file there.
ask | HOME=/dev/null nft -i 2>&1 | answer
