"""The `ovs` script against Debian's Open vSwitch with packets of known number and size.

And against output written after that of ovs-ofctl 3.1, with all that ports without a device never say: errors, drops.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scalpels_exporter.soundness import problems

HERE = Path(__file__).parent
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
PACKET = "in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(frag=no)"


class Switch:
    """An Open vSwitch of its own folder, with bridges and ports that exist in its memory alone."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.started: list[subprocess.Popen[bytes]] = []
        self.environment = os.environ | {f"OVS_{what}DIR": str(run) for what in ("RUN", "LOG", "DB", "SYSCONF")}
        self.do("ovsdb-tool", "create", str(run / "conf.db"), str(SCHEMA))
        self.start("ovsdb-server", str(run / "conf.db"), f"--remote=punix:{run}/db.sock", f"--unixctl={run}/db.ctl")

    def start(self, *words: str) -> None:
        with (self.run / f"{words[0]}.err").open("wb") as log:
            self.started.append(subprocess.Popen(words, stderr=log, env=self.environment))

    def vswitchd(self) -> None:
        flags = ("--disable-system", "--enable-dummy", f"--unixctl={self.run}/vswitchd.ctl")
        self.start("ovs-vswitchd", f"unix:{self.run}/db.sock", *flags)

    def do(self, *words: str) -> str:
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def configure(self, *words: str) -> None:
        self.do("ovs-vsctl", "--timeout=20", *words)

    def add_bridge(self, bridge: str, *ports: str) -> None:
        words = ["add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=dummy"]
        for port in ports:
            words += ["--", "add-port", bridge, port, "--", "set", "interface", port, "type=dummy"]
        self.configure(*words)

    def receive(self, port: str, packets: int, size: int) -> None:
        """Lets packets come in at a port."""
        for _ in range(packets):
            self.do(
                "ovs-appctl", "-t", f"{self.run}/vswitchd.ctl", "netdev-dummy/receive", port, PACKET, "--len", str(size)
            )

    def end(self) -> None:
        for process in reversed(self.started):
            process.kill()
            process.wait()


@pytest.fixture(name="switch")
def switch_fixture(until: Any) -> Iterator[Switch]:
    if shutil.which("ovs-vswitchd") is None or not SCHEMA.exists():
        pytest.skip("Open vSwitch is not installed (Debian package openvswitch-switch)")
    folder = Path(tempfile.mkdtemp(prefix="scalpels-ovs-"))  # a socket's path has 108 bytes, pytest's is too long
    switch = Switch(folder)
    try:
        until(lambda: (folder / "db.sock").exists(), what="the database is up")
        switch.configure("--no-wait", "init")
        switch.vswitchd()
        switch.add_bridge("br-int", "p1", "p2")
        yield switch
    finally:
        switch.end()
        shutil.rmtree(folder)


@pytest.fixture(name="ovs")
def ovs_fixture(stem: Callable[[str], ModuleType]) -> ModuleType:
    return stem("ovs")


@pytest.fixture(name="start")
def start_fixture(ovs: ModuleType, script: Any) -> Callable[..., Any]:
    file = Path(str(ovs.__file__)).parent / ovs.TRACER.runs.argv[0]

    def start(run: Path, environment: dict[str, str] | None = None) -> Any:
        return script(ovs.TRACER, [str(file), str(run)], {"PATH": os.environ["PATH"]} | (environment or {}))

    return start


def test_the_declaration_is_sound(ovs: ModuleType) -> None:
    assert not problems(ovs.TRACER)


def test_packets_and_bytes_that_came_in_and_went_out_are_counted_exactly(
    switch: Switch, start: Any, until: Any
) -> None:
    script = start(switch.run)
    before = script.values("scalpels_ovs_receive_packets_total")
    assert before == {("br-int", port): 0 for port in ("p1", "p2", "LOCAL")}
    switch.receive("p1", packets=23, size=200)
    until(lambda: script.values("scalpels_ovs_receive_packets_total")["br-int", "p1"] == 23)
    switch.receive("p2", packets=7, size=100)
    until(lambda: script.values("scalpels_ovs_transmit_packets_total")["br-int", "LOCAL"] == 30)
    families = script.tick().families
    assert families["scalpels_ovs_receive_packets_total"]["br-int", "p1"] == 23
    assert families["scalpels_ovs_receive_bytes_total"]["br-int", "p1"] == 23 * 200
    assert families["scalpels_ovs_transmit_packets_total"]["br-int", "p2"] == 23  # flooded to all other ports
    assert families["scalpels_ovs_transmit_bytes_total"]["br-int", "p2"] == 23 * 200
    assert families["scalpels_ovs_transmit_packets_total"]["br-int", "p1"] == 7
    assert families["scalpels_ovs_transmit_bytes_total"]["br-int", "LOCAL"] == 23 * 200 + 7 * 100
    # Ports of this kind do not know their errors.
    assert not families["scalpels_ovs_receive_errors_total"]


def test_bridges_and_ports_come_and_go_whatever_their_names_and_protocols(switch: Switch, start: Any) -> None:
    script = start(switch.run)
    names = ["tap5e2f6a1b-0c", "eth0.100", "1234", "vxlan:7"]
    switch.add_bridge("br-tun", *names)
    switch.configure("set", "bridge", "br-tun", "protocols=OpenFlow13")
    found = script.values("scalpels_ovs_receive_bytes_total")
    assert found.keys() == {("br-int", port) for port in ("p1", "p2", "LOCAL")} | {
        ("br-tun", port) for port in (*names, "LOCAL")
    }
    switch.configure("del-br", "br-int")
    assert {bridge for bridge, _ in script.values("scalpels_ovs_receive_bytes_total")} == {"br-tun"}
    assert script.end() == (0, "")


def test_a_database_that_does_not_answer_ends_it_with_one_line_that_says_where(start: Any, tmp_path: Path) -> None:
    script = start(tmp_path, {"PATH": f"{HERE / 'canned' / 'bin'}:{os.environ['PATH']}", "CANNED": str(tmp_path)})
    script.process.stdin.write(b"\n")
    status, said = script.end()
    assert status == 1
    assert said.splitlines()[-1] == (f"E! ovs.sh: the database of Open vSwitch does not answer at {tmp_path}/db.sock")


def test_canned_output_gives_the_expected_samples(ovs: ModuleType) -> None:
    file = Path(str(ovs.__file__)).parent / ovs.TRACER.runs.argv[0]
    canned = HERE / "canned"
    environment = {"PATH": f"{canned / 'bin'}:{os.environ['PATH']}", "CANNED": str(canned)}
    done = subprocess.run([str(file)], input="\n", capture_output=True, text=True, env=environment)
    assert done.stdout == (HERE / "expected.jsonl").read_text()
    assert done.stderr == "ovs-ofctl: br-gone is not a bridge or a socket\n"  # removed after the bridges were listed
    assert done.returncode == 0


def test_canned_output_is_accepted_by_the_agent(start: Any) -> None:
    canned = HERE / "canned"
    environment = {"PATH": f"{canned / 'bin'}:{os.environ['PATH']}", "CANNED": str(canned)}
    script = start(Path("/nowhere"), environment)
    first, second = script.tick(), script.tick()
    assert first.families == second.families
    lines = (HERE / "expected.jsonl").read_text().splitlines()
    assert first.series == len(lines) - 1
    for line in lines[:-1]:
        metric, labels, value = json.loads(line)
        assert first.families[metric][tuple(labels)] == value


def test_no_bridge_is_an_empty_snapshot(start: Any, tmp_path: Path) -> None:
    (tmp_path / "list-br.txt").write_text("")
    environment = {"PATH": f"{HERE / 'canned' / 'bin'}:{os.environ['PATH']}", "CANNED": str(tmp_path)}
    assert start(tmp_path, environment).tick().series == 0
