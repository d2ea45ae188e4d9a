"""A RabbitMQ of its own: node name, ports, folder and epmd; and what its own counters say it did.

Nothing of the host's RabbitMQ is read or touched, and epmd, which other nodes might share, is one of its own too.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from loads.target import Target
from running import wait_until

from servers.certificate import make_certificate
from servers.server import LOOPBACK, Server, free_port, program

BIN = "/usr/lib/rabbitmq/bin"  # /usr/sbin's is a wrapper that goes over to another user, which we have done already
PREAMBLE = b"AMQP\0\0\x09\x01"
MARK = "scalpels_tests"
USER = "guest"  # RabbitMQ's own, for loopback alone
_UNACKNOWLEDGED = re.compile(r"^rabbitmq_queue_messages_unacked (\d+)$", re.M)
_COUNTER = re.compile(r"^(rabbitmq_global_messages_\w+_total)\{(.*)\} (\d+)$", re.M)


class RabbitMq(Server):
    """`frame_max` and `heartbeat` are what it proposes to its clients; `tls`: it listens for nothing else."""

    name = "rabbitmq"
    users = ("rabbitmq", "nobody")
    stop = signal.SIGKILL  # nothing of it is kept, and its own end takes it seconds
    patience = 60.0

    def __init__(self, *, frame_max: int = 131072, heartbeat: int = 60, tls: bool = False) -> None:
        super().__init__()
        self._tls = tls
        self._certificate = Path()
        self._frame_max, self._heartbeat = frame_max, heartbeat
        self._epmd_port, self._metrics_port, self._node_port = free_port(), free_port(), free_port()
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def node(self) -> str:
        return f"scalpels{self.port}@localhost"

    @property
    def rule(self) -> str:
        """A line under `programs` that names this broker `broker`: others may run on this machine."""
        return f"  - {{name: broker, cmdline: 'beam.* -{MARK} {self.port}( |$)'}}\n"

    def prepare(self) -> None:
        plugins, settings = self.folder / "enabled_plugins", self.folder / "rabbitmq.conf"
        plugins.write_text("[rabbitmq_prometheus].\n")
        settings.write_text(
            f"{self._listener()}"
            f"prometheus.tcp.ip = {LOOPBACK}\nprometheus.tcp.port = {self._metrics_port}\n"
            f"frame_max = {self._frame_max}\nheartbeat = {self._heartbeat}\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
            "disk_free_limit.absolute = 1MB\nvm_memory_high_watermark.absolute = 2GB\n"
        )
        self.own(plugins, settings)
        command = [program("epmd"), "-port", str(self._epmd_port), "-address", LOOPBACK]
        self._epmd = subprocess.Popen(
            self.as_user(["setpriv", "--pdeathsig=KILL", "--", *command]),  # in this order: a change of user forgets it
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # it remarks upon our asking whether it listens
            stderr=subprocess.DEVNULL,
            env=self.environment(),
            start_new_session=True,
        )
        wait_until(self._epmd_listens, 10, "epmd listens")  # or the broker starts another one, which stays

    def _listener(self) -> str:
        if not self._tls:
            return f"listeners.tcp.default = {LOOPBACK}:{self.port}\n"
        self._certificate, key = make_certificate(self.folder)
        self.own(self._certificate, key)
        return (
            f"listeners.tcp = none\nlisteners.ssl.default = {LOOPBACK}:{self.port}\n"
            f"ssl_options.cacertfile = {self._certificate}\nssl_options.certfile = {self._certificate}\n"
            f"ssl_options.keyfile = {key}\nssl_options.verify = verify_none\n"
        )

    def _epmd_listens(self) -> bool:
        with socket.create_connection((LOOPBACK, self._epmd_port), 1):
            return True

    def command(self) -> Sequence[str | Path]:
        return [program("rabbitmq-server", BIN)]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RUNNING_UNDER_SYSTEMD": "yes",  # the script becomes the broker: one process, which gets its signals
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "none.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            # Schedulers do not spin; and the command line tells this broker from any other on the machine.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+sbwt none +sbwtdcpu none +sbwtdio none -{MARK} {self.port}",
        }

    def answers(self) -> bool:
        with socket.create_connection((LOOPBACK, self.port), 1) as plain, self._spoken(plain) as probe:
            probe.sendall(PREAMBLE)
            return probe.recv(1) == b"\1"  # a method: Connection.Start

    def _spoken(self, plain: socket.socket) -> socket.socket:
        if not self._tls:
            return plain
        context = ssl.create_default_context(cafile=str(self._certificate))
        return context.wrap_socket(plain, server_hostname="localhost")

    def restart(self) -> None:
        """It dies as in a power cut, and comes back on the same port with what it had on disk."""
        assert self._process is not None
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):  # one of its helpers has ended by itself meanwhile
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        wait_until(lambda: not self.survivors(), 10, "every process of the broker is gone")
        self._start()
        wait_until(self._answers_or_ended, self.patience, f"{self.name} answers again")
        self.processes()

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self._epmd is not None:
                self._epmd.kill()
                self._epmd.wait()
                self._epmd = None

    def target(self) -> Target:
        certificate = str(self._certificate) if self._tls else ""
        return Target("amqp", LOOPBACK, self.port, user=USER, password=USER, database="/", certificate=certificate)

    def _metrics(self) -> str:
        url = f"http://{LOOPBACK}:{self._metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def unacknowledged(self) -> int:
        """Messages in all queues that were delivered and not answered; it counts anew every few seconds."""
        found = _UNACKNOWLEDGED.search(self._metrics())
        return int(found[1]) if found else 0

    def messages(self) -> Counter[str]:
        """Its global counters of AMQP 0-9-1: received, routed, delivered, acknowledged …"""
        found: Counter[str] = Counter()
        for name, labels, value in _COUNTER.findall(self._metrics()):
            if 'protocol="amqp091"' in labels:
                found[name.removeprefix("rabbitmq_global_messages_").removesuffix("_total")] += int(value)
        return found
