"""The `port` script with real traffic of known size, in a network namespace that has no other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scalpels_exporter.soundness import problems

PACKETS, BYTES = "scalpels_port_packets_total", "scalpels_port_bytes_total"
PORT = 5672
STREAM = textwrap.dedent("""
    import os, socket, sys
    address, port, there, back = sys.argv[1], *map(int, sys.argv[2:])
    server = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    if os.fork() == 0:
        connection, _ = server.accept()
        while there:
            there -= len(connection.recv(65536))
        connection.sendall(bytes(back))
        connection.close()
        os._exit(0)
    client = socket.create_connection((address, port))
    client.sendall(bytes(there))
    while back:
        back -= len(client.recv(65536))
    assert client.recv(1) == b""
    client.close()
    os.wait()
""")


@dataclass
class Namespace:
    """A network namespace with a loopback device and nothing else, held by a sleeping process."""

    holder: int

    def argv(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.holder}/ns/net", "--", *words]

    def run(self, *words: str) -> str:
        return subprocess.run(self.argv(*words), check=True, capture_output=True, text=True).stdout

    def stream(self, port: int, there: int, back: int, address: str = "127.0.0.1") -> None:
        """A TCP connection that carries so many bytes there and back."""
        self.run(sys.executable, "-c", STREAM, address, str(port), str(there), str(back))

    def interface(self) -> tuple[int, int]:
        """Packets and bytes that the loopback device has received."""
        fields = self.run("cat", "/proc/self/net/dev").partition("lo:")[2].split()
        return int(fields[1]), int(fields[0])

    def tables(self) -> str:
        return self.run("nft", "list", "tables")


@pytest.fixture(name="namespace")
def namespace_fixture(until: Any) -> Iterator[Namespace]:
    if os.geteuid() != 0:
        pytest.skip("needs root, for a network namespace")
    if shutil.which("nft") is None:
        pytest.skip("nft is not installed (Debian package nftables)")
    words = ["unshare", "--net", "--", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        yield Namespace(holder.pid)
        holder.kill()


@pytest.fixture(name="port")
def port_fixture(stem: Callable[[str], ModuleType]) -> ModuleType:
    return stem("port")


@pytest.fixture(name="start")
def start_fixture(port: ModuleType, namespace: Namespace, script: Any) -> Callable[..., Any]:
    """The script, as the worker runs it, in the namespace."""

    def start(number: int = PORT, before: tuple[str, ...] = ()) -> Any:
        file = Path(str(port.__file__)).parent / port.TRACER.runs.argv[0]
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        return script(port.TRACER, namespace.argv(*before, str(file), str(number)), environment)

    return start


def test_the_declaration_is_sound(port: ModuleType) -> None:
    assert not problems(port.TRACER)


@pytest.mark.root
@pytest.mark.parametrize(("address", "header"), [("127.0.0.1", 20), ("::1", 40)])
def test_packets_and_bytes_are_those_of_the_interface_and_hold_the_payload(
    start: Any, namespace: Namespace, address: str, header: int
) -> None:
    script = start()
    before = script.tick()
    assert set(before.families[PACKETS].values()) == {0}
    packets_before, bytes_before = namespace.interface()
    namespace.stream(PORT, 1_000_003, 70_001, address)
    namespace.stream(PORT + 1, 5000, 5000, address)  # another port, in the interface's count alone
    noise_packets, noise_bytes = namespace.interface()
    namespace.stream(PORT + 1, 5000, 5000, address)
    after = script.tick()
    packets, octets = after.families[PACKETS], after.families[BYTES]
    payloads = {"local": 1_000_003, "remote": 70_001}  # received where the port is, and where it is not
    for end, other in (("local", "remote"), ("remote", "local")):
        received, sent = (str(PORT), "receive", end), (str(PORT), "transmit", other)
        for key in (received, sent):
            # Every packet has the IP header and 32 bytes of TCP header with its timestamp; the first has 8 more.
            headers = packets[key] * (header + 32) + 8
            surplus = octets[key] - payloads[end] - headers
            # Selective acknowledgements, and what IPv6 needs for packets above 64 KiB.
            assert 0 <= surplus <= 12 * packets[key], key
    # What the interface has counted and the port has not is the other connection, whose ends are bounded.
    ours = (
        sum(packets[str(PORT), "receive", e] for e in payloads),
        sum(octets[str(PORT), "receive", e] for e in payloads),
    )
    assert 0 < noise_packets - packets_before - ours[0] < 60
    assert 10_000 < noise_bytes - bytes_before - ours[1] < 10_000 + 60 * (header + 40)


@pytest.mark.root
def test_received_packets_and_bytes_equal_the_interfaces_when_nothing_else_is_sent(
    start: Any, namespace: Namespace
) -> None:
    script = start(40_404)
    script.tick()
    before = namespace.interface()
    for size in (0, 1, 1448, 65_536, 3_000_000):
        namespace.stream(40_404, size, 17)
    after = script.tick()
    for metric, (now, then) in zip((PACKETS, BYTES), zip(namespace.interface(), before, strict=True), strict=True):
        assert sum(after.families[metric]["40404", "receive", end] for end in ("local", "remote")) == now - then


@pytest.mark.root
def test_nothing_stays_in_the_kernel_when_all_of_it_is_killed(start: Any, namespace: Namespace, until: Any) -> None:
    script = start()
    script.tick()
    assert "scalpels_port" in namespace.tables()
    script.kill()
    until(lambda: namespace.tables() == "", seconds=5, what="the table is gone")


@pytest.mark.root
def test_nothing_stays_in_the_kernel_when_the_shell_alone_is_killed(
    start: Any, namespace: Namespace, until: Any
) -> None:
    script = start()
    script.tick()
    os.kill(script.process.pid, signal.SIGKILL)
    script.process.communicate()  # the agent's end of the pipe goes with the worker
    until(lambda: namespace.tables() == "", seconds=5, what="the table is gone")


@pytest.mark.root
def test_a_closed_stdin_ends_it_and_leaves_nothing_in_the_kernel_or_at_home(
    port: ModuleType, namespace: Namespace, script: Any, tmp_path: Path
) -> None:
    file = Path(str(port.__file__)).parent / "port.sh"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    started = script(port.TRACER, namespace.argv(str(file), "5672"), environment)
    started.tick()
    assert started.end() == (0, "")
    assert namespace.tables() == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
def test_two_may_count_the_same_port_at_once(start: Any, namespace: Namespace) -> None:
    scripts = [start(), start()]
    for script in scripts:
        script.tick()
    namespace.stream(PORT, 1000, 1000)
    first, second = (script.tick().families for script in scripts)
    assert first == second
    assert first[PACKETS][str(PORT), "receive", "local"] > 0


@pytest.mark.root
def test_with_the_declared_capability_alone_it_counts_and_without_it_says_why_it_cannot(
    port: ModuleType, start: Any, open_folder: Path
) -> None:
    assert port.TRACER.needs.capabilities == ("CAP_NET_ADMIN",)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    # The checkout may lie where another user cannot go.
    shutil.copy(Path(str(port.__file__)).parent / "port.sh", open_folder / "port.sh")
    port.__file__ = str(open_folder / "port.py")
    with_it = start(before=(*nobody, "--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin"))
    assert set(with_it.tick().families) == {PACKETS, BYTES}
    without_it = start(before=(*nobody, "--inh-caps=-all", "--bounding-set=-all"))
    status, said = without_it.end()
    assert status == 69
    assert said.startswith("E! nft cannot count here: ")
    assert "Operation not permitted" in said


@pytest.mark.root
@pytest.mark.parametrize("argument", ["", "x", "56 72", "-1", "1;id"])
def test_what_is_no_port_number_is_refused(port: ModuleType, script: Any, argument: str) -> None:
    started = script(port.TRACER, [str(Path(str(port.__file__)).parent / "port.sh"), argument])
    assert started.end() == (64, f"E! port.sh: expected a port number, got '{argument}'\n")
