"""What RPC clients and servers of oslo.messaging share: their mode, their transport, the methods that are called."""

from __future__ import annotations

import sys
from typing import Any

METHODS = (
    *("build_instance", "report_state", "select_destinations", "object_action", "attach_volume", "sync_routers"),
    *("get_ports", "update_device_up", "security_groups_rules", "ping", "create_snapshot", "delete_volume"),
    *("prep_resize", "finish_resize", "reboot_instance", "live_migration", "get_console", "heartbeat", "tunnel_sync"),
    "object_class_action_versions",
)
NAMESPACE = "compute_task"  # in which servers have the same methods again
OURS = ("mark", "slow")  # options that are not the driver's


def begin(mode: str) -> None:
    """Before anything else is imported: `eventlet` patches the process, `threading` leaves it as it is."""
    if mode != "eventlet":
        return
    import warnings

    warnings.simplefilter("ignore")
    import eventlet

    eventlet.monkey_patch()
    from eventlet.greenio import GreenPipe

    sys.stdin = GreenPipe(sys.stdin.buffer.fileno(), "r")


def transport(target: dict[str, Any], options: dict[str, Any]) -> Any:
    """Options are settings of oslo.messaging's driver for RabbitMQ, by its names for them. The URL asks for TLS."""
    import oslo_messaging
    from oslo_config import cfg

    conf = cfg.CONF
    conf([], project="load", default_config_files=[])
    url = f"rabbit://{target['user']}:{target['password']}@{target['host']}:{target['port']}/"
    if target["certificate"]:
        url += f"?ssl=1&ssl_ca_file={target['certificate']}"
    made = oslo_messaging.get_rpc_transport(conf, url=url)
    group = "oslo_messaging_rabbit"
    for name, value in options.items():
        if name not in OURS:
            conf.set_override(name, value, group=group)
    return made
