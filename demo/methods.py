"""The RPC methods of the demo: whose topic is which, how long each takes, and which of them becomes slower, by what."""

from __future__ import annotations

COMPUTE, CONDUCTOR = "compute", "conductor"
METHOD = "build_instance"
SLOWER = 1.6  # times as long
# The first is below a bound of the histogram, 125 ms, and above it once it is slower: quantiles show it too.
SECONDS = {METHOD: 0.100, "reboot_instance": 0.025, "get_console": 0.010, "object_action": 0.004}
