"""Packets and bytes of one TCP port, for the service that has no metrics of its own: a broker, a database, an API.

A script tracer (`port.sh`): an example of the contract, of format `openmetrics` and mode `ticked`.
Why the packet filter's counters: those of sockets (`ss -i`) are lost when a connection closes, and counting a packet
capture is neither exact nor cheap. Why nothing stays behind: see `port.sh`.
"""

from __future__ import annotations

from scalpels_exporter.declare import Command, Counter, Needs, OpenMetrics, Parameter, Tracer

LABELS = ("port", "direction", "end")

TRACER = Tracer(
    name="port",
    help="Packets and bytes of one TCP port, in the network namespace of the agent.",
    metrics=(
        Counter(
            "scalpels_port_packets_total",
            "Packets as the packet filter sees them: what the device cuts up or puts together (GSO, GRO) is one. "
            "`end` says where the port is: `local` on this machine, `remote` on the other side.",
            LABELS,
            series=4,
        ),
        Counter(
            "scalpels_port_bytes_total",
            "Bytes of those packets from the IP header on.",
            LABELS,
            "bytes",
            series=4,
        ),
    ),
    runs=Command(("./port.sh", "{port}"), OpenMetrics(), mode="ticked", privileged=True),
    parameters=(Parameter("port", "integer", 5672, "The TCP port; 5672 is AMQP.", least=1, most=65535),),
    # Tables with an owner came with 5.12; the inet family, nft 1.0 and all else that is used are older.
    needs=Needs(
        capabilities=("CAP_NET_ADMIN",),
        commands=("nft",),
        kernel=(5, 12),
        packages={"nft": "nftables"},
    ),
    overhead="0.3 ms of CPU a tick (3,000 ticks, time(1)); in the kernel 0.6 µs a counted packet, 0.2 µs any other "
    "(120,000 packets of 1 byte over loopback, with and without it).",
    series=8,
    picture="scalpels_port_bytes_total",
)
