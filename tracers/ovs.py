"""Open vSwitch ports: packets, bytes, errors and drops, by bridge and port.

What the kernel's devices do not show: patch ports, tunnels, DPDK and vhost-user ports, and what a bridge dropped.
A script tracer (`ovs.sh`): an example of the contract, of format `samples` and mode `ticked`, in sh and awk.
"""

from __future__ import annotations

from scalpels_exporter.declare import Command, Counter, Needs, Parameter, Samples, Tracer

LABELS = ("bridge", "port")

TRACER = Tracer(
    name="ovs",
    help="Packets, bytes, errors and drops of every Open vSwitch port, from the bridge's point of view.",
    metrics=(
        Counter("scalpels_ovs_receive_packets_total", "Packets that came in at the port.", LABELS),
        Counter("scalpels_ovs_receive_bytes_total", "Bytes that came in at the port.", LABELS, "bytes"),
        Counter("scalpels_ovs_receive_errors_total", "Packets that came in broken; absent where not known.", LABELS),
        Counter("scalpels_ovs_receive_drops_total", "Packets dropped on receive; absent where not known.", LABELS),
        Counter("scalpels_ovs_transmit_packets_total", "Packets that went out at the port.", LABELS),
        Counter("scalpels_ovs_transmit_bytes_total", "Bytes that went out at the port.", LABELS, "bytes"),
        Counter("scalpels_ovs_transmit_errors_total", "Packets that failed to go out; absent where unknown.", LABELS),
        Counter("scalpels_ovs_transmit_drops_total", "Packets dropped on transmit; absent where not known.", LABELS),
    ),
    runs=Command(("./ovs.sh", "{rundir}"), Samples(), mode="ticked", privileged=True),
    parameters=(
        Parameter("rundir", "text", "/var/run/openvswitch", "Where db.sock and the bridges' sockets are (OVS_RUNDIR)."),
    ),
    needs=Needs(
        capabilities=("CAP_DAC_OVERRIDE",),  # the sockets are root's; root itself needs it not
        commands=("ovs-vsctl", "ovs-ofctl", "awk"),
        packages={"ovs-vsctl": "openvswitch-switch", "ovs-ofctl": "openvswitch-common", "awk": "mawk"},
    ),
    overhead="35 ms of CPU a tick for 3 bridges, 41 ms with 200 more ports (50 ticks, time(1)).",
    series=8000,
    picture="scalpels_ovs_receive_bytes_total",
)
