"""What an agent is started with: the flags, and what the privileged moments leave for the serving ones. Types only."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from scalpels_exporter.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `scalpels agent`."""

    config: Path | None
    listen: tuple[str, ...]
    web_config: Path | None = None
    telemetry_path: str = "/metrics"
    log_level: str = "info"
    log_format: str = "logfmt"
    socket: str = ""  # of the control socket; "" for the default place


@dataclass(frozen=True, slots=True)
class Parts:
    """What the privileged moments leave for the serving ones."""

    options: Options
    settings: Settings
    spawner: socket.socket
    control: str  # path of the Unix socket to listen on, "" for none
    confined: bool
