"""What is in the demo's way costs one line, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import ROOT, lives, processes_of
from servers.server import free_port

from demo import children, grafana
from demo.children import Child, Trouble, must_be_free

Until = Callable[..., Any]
FOLDER = """
import sys, tempfile
from demo.children import Child
from demo.leaving import folder_that_goes
from pathlib import Path
with folder_that_goes() as folder:
    other = ["setpriv", "--reuid=65534", "--clear-groups", "--"] if "drops root" in sys.argv else []
    child = Child("sleeper", folder, [*other, "sleep", "600"], drops_root=bool(other))
    print(folder, child.pid, tempfile.gettempdir(), flush=True)
    sys.stdin.read()
    child.end()
"""


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def starting(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *options],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.root
def test_a_port_that_is_taken_is_one_line_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        others = [word for name in ("prometheus", "api", "grafana") for word in (f"--{name}-port", str(free_port()))]
        done = starting(tmp_path, *others, "--agent-port", str(port))
    said = f"demo: port {port} of 127.0.0.1 is taken; --agent-port N chooses another\n"
    assert (done.returncode, done.stdout, done.stderr.splitlines(keepends=True)[-1]) == (1, "", said)
    assert list(tmp_path.iterdir()) == []


def test_ports_that_are_free_are_in_nobodys_way() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # not listening: nobody answers there, and nobody else is given it
        must_be_free({"--api-port": probe.getsockname()[1]})


def test_a_child_that_ends_is_told_with_the_last_line_of_its_log(tmp_path: Path, until: Until) -> None:
    with Child("liar", tmp_path, ["sh", "-c", "echo first; echo no room >&2; exit 3"]) as child:
        until(lambda: not lives(child.pid), 10, "it has ended")
        with pytest.raises(Trouble, match=r"^liar ended with 3: no room$"):
            child.check()


@pytest.mark.parametrize("who", ["stays", pytest.param("drops root", marks=pytest.mark.root)])
@pytest.mark.parametrize("how", ["end of input", signal.SIGKILL])
def test_folder_and_children_are_gone_however_it_ends(
    how: str | signal.Signals, who: str, tmp_path: Path, until: Until
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FOLDER, who],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    folder, child, temporary = process.stdout.readline().split()
    assert Path(folder).is_dir()
    assert temporary == folder
    # Before it is what it was started for, the kernel has not been asked yet to tell it of our death.
    until(lambda: any(comm(pid) == "sleep" for pid in processes_of(int(child))), 10, "it sleeps")
    tree = processes_of(int(child))
    if isinstance(how, signal.Signals):
        process.send_signal(how)
    process.stdin.close()
    process.stdout.close()
    process.wait(20)
    until(lambda: not [pid for pid in tree if lives(pid)], 10, "the child has ended")
    until(lambda: not Path(folder).exists(), 10, "the folder is gone")
    assert tempfile.gettempdir() != folder


FAKE = """#!/usr/bin/python3
import http.server, json, os, sys
with open(os.environ["GF_PATHS_DATA"] + ".told", "w") as told:
    json.dump({"words": sys.argv[1:], **{name: value for name, value in os.environ.items() if name[:3] == "GF_"}}, told)
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
address = os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"])
http.server.HTTPServer(address, Healthy).serve_forever()
"""


def test_a_grafana_that_is_installed_is_started_on_loopback_for_who_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in that says how it was started."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "grafana").write_text(FAKE)
    (programs / "grafana").chmod(0o755)
    for module in (grafana, children):
        monkeypatch.setattr(module, "PATH", f"{programs}:/usr/bin:/bin")
    port, server = free_port(), grafana.command()
    assert server == ["grafana", "server"]
    with ExitStack() as stack:
        grafana.started(stack, tmp_path, "http://127.0.0.1:9090", port, server)
        told = json.loads((tmp_path / "grafana-data.told").read_text())
    assert told["words"] == ["server", "--homepath=/usr/share/grafana"]
    assert told["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert told["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert (Path(told["GF_PATHS_PROVISIONING"]) / "dashboards" / "demo.yaml").is_file()


def test_grafana_is_told_of_prometheus_and_of_the_dashboards_that_are_committed(tmp_path: Path) -> None:
    grafana.provision(tmp_path, "http://127.0.0.1:9090")
    source = yaml.safe_load((tmp_path / "datasources" / "demo.yaml").read_text())
    assert source["apiVersion"] == 1
    assert [(one["type"], one["url"], one["isDefault"]) for one in source["datasources"]] == [
        ("prometheus", "http://127.0.0.1:9090", True)
    ]
    boards = yaml.safe_load((tmp_path / "dashboards" / "demo.yaml").read_text())
    folder = Path(boards["providers"][0]["options"]["path"])
    assert (folder / "scalpels-overview.json").is_file()
