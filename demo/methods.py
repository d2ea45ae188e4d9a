"""The RPC methods of the demo: whose topic is which, how long each takes, and which of them becomes slower, by what."""

from __future__ import annotations

COMPUTE, CONDUCTOR = "compute", "conductor"
METHOD = "build_instance"
SLOWER = 1.6  # times as long
SECONDS = {METHOD: 0.120, "reboot_instance": 0.025, "get_console": 0.010, "object_action": 0.004}
