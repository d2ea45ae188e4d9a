"""`list`, `start`, `stop` and `reload` against a real agent: over TCP, its Unix socket, TLS and with a password."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest
from cli_process import Until, run
from running import RunningAgent

Start = Callable[..., RunningAgent]

CONFIG = """
tracers:
  honest:
    command: [/usr/bin/python3, -S, {workers}/is_honest.py, honest]
    mode: ticked
    format: samples
    metric: {{name: scalpels_honest_events_total, type: counter, help: Events., labels: [kind]}}
  gone:
    command: [no-such-command-here]
  broken:
    command: [sh, -c, 'echo cannot open the thing >&2; exit 3']
  program: off
"""


@pytest.fixture
def agent(start_agent: Start, workers: Path, until: Until) -> RunningAgent:
    started = start_agent(CONFIG.format(workers=workers))
    until(lambda: started.tracer("honest")["state"] == "running")
    return started


@pytest.fixture(params=["tcp", "unix"])
def url(request: pytest.FixtureRequest, agent: RunningAgent) -> str:
    return agent.url if request.param == "tcp" else f"unix:{agent.socket}"


def test_every_tracer_is_listed(agent: RunningAgent, url: str) -> None:
    done = run("list", "--url", url)
    assert (done.returncode, done.stderr) == (0, "")
    title, *lines = done.stdout.splitlines()
    assert title.split()[:3] == ["TRACER", "STATE", "SINCE"]
    states = {line.split()[0]: line.split()[1] for line in lines}
    assert states["honest"] == "running"
    assert states["program"] == "stopped"
    assert states["gone"] == "unsupported"
    assert "no-such-command-here" in done.stdout
    said = json.loads(run("list", "--json", "--url", url).stdout)
    assert {t["tracer"] for t in said["tracers"]} == set(states)


def test_a_tracer_is_stopped_and_started_with_a_lease_and_a_reason(agent: RunningAgent, url: str) -> None:
    done = run("stop", "honest", "--reason", "too noisy", "--url", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("honest: stopped · ")
    assert "too noisy" in done.stdout
    assert agent.tracer("honest")["state"] == "stopped"
    done = run("start", "honest", "--for", "10m", "--reason", "a look", "--url", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("honest: running · 2 series · ")
    assert "a look" in done.stdout
    line = next(x for x in run("list", "--url", url).stdout.splitlines() if x.startswith("honest"))
    assert " 9 min " in line


def test_a_start_says_why_it_cannot_be(agent: RunningAgent) -> None:
    done = run("start", "gone", "--url", agent.url)
    assert done.returncode == 69
    assert done.stdout.startswith("gone: unsupported · command no-such-command-here not found")
    done = run("start", "broken", "--url", agent.url)
    assert done.returncode == 1
    assert done.stdout.startswith("broken: failed · ")
    assert "cannot open the thing" in done.stdout


def test_no_wait_answers_at_once(agent: RunningAgent) -> None:
    done = run("start", "broken", "--no-wait", "--url", agent.url)
    assert (done.returncode, done.stdout) == (0, "broken is being started\n")


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_an_unknown_tracer_is_answered_by_the_nearest_one(agent: RunningAgent, verb: str) -> None:
    done = run(verb, "honst", "--url", agent.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"scalpels {verb}: no tracer is called 'honst'; did you mean honest?\n"
    known = run(verb, "qqq/../x", "--url", agent.url).stderr.partition("known: ")[2].split(", ")
    assert {"broken", "gone", "honest"} <= set(known)


def test_a_reload_is_all_or_nothing_and_says_every_mistake(agent: RunningAgent, workers: Path) -> None:
    agent.config.write_text(CONFIG.format(workers=workers) + "  progam: off\nbudget: {}\n")
    done = run("reload", "--url", agent.url)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"scalpels reload: {agent.config}:") for line in lines)
    assert agent.tracer("honest")["state"] == "running"
    agent.config.write_text(CONFIG.format(workers=workers))
    done = run("reload", "--url", agent.url)
    assert (done.returncode, done.stdout) == (0, "reloaded\n")


@pytest.mark.root
def test_who_may_not_use_the_socket_is_told_so(agent: RunningAgent) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    done = run("list", "--url", f"unix:{agent.socket}", prefix=nobody)
    assert done.returncode == 1
    assert done.stderr == f"scalpels list: no agent answers at unix:{agent.socket}: not for this user, try sudo\n"


# ---------------------------------------------------------------------------- passwords and TLS


def test_a_password_is_taken_from_the_environment_and_tls_is_checked(start_agent: Start, open_folder: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs the Debian package openssl")
    key, certificate = open_folder / "server.key", open_folder / "server.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", key, "-out", certificate, "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    hashed = bcrypt.hashpw("sésame".encode(), bcrypt.gensalt(4)).decode()
    web = open_folder / "web.yaml"
    web.write_text(
        f"tls_server_config: {{cert_file: {certificate}, key_file: {key}}}\nbasic_auth_users: {{alice: {hashed}}}\n"
    )
    agent = start_agent("tracers:\n  program: off\n", f"--web.config.file={web}")
    place = ("--url", agent.url.replace("http:", "https:"))
    done = run("list", *place, "--user", "alice", SCALPELS_PASSWORD="sésame")
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
    for trust in (("--ca-file", str(certificate)), ("--insecure",)):
        done = run("list", *place, *trust, "--user", "alice", SCALPELS_PASSWORD="sésame")
        assert (done.returncode, done.stderr) == (0, "")
        assert "program" in done.stdout
    done = run("list", *place, "--insecure", "--user", "alice", SCALPELS_PASSWORD="open")
    assert done.returncode == 1
    assert done.stderr.startswith("scalpels list: the user name or the password is wrong")
    done = run("list", *place, "--insecure")
    assert done.stderr.startswith("scalpels list: a user name and a password are needed: give --user NAME")
    done = run("list", *place, "--insecure", "--user", "alice")
    assert done.returncode == 2
    assert "SCALPELS_PASSWORD" in done.stderr


# ---------------------------------------------------------------------------- what is no agent


def test_no_agent_is_one_line_with_what_to_type() -> None:
    done = run("list", "--url", "http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "scalpels list: no agent answers at http://127.0.0.1:1: Connection refused\n"
    done = run("list", "--url", "unix:/nonexistent/agent.sock")
    assert done.stderr == "scalpels list: no agent answers at unix:/nonexistent/agent.sock: No such file or directory\n"


def test_nothing_anywhere_says_how_to_start_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    from scalpels_exporter.cli import client
    from scalpels_exporter.cli.exits import Problem

    monkeypatch.setattr(client, "SOCKETS", ("/nonexistent/agent.sock",))
    monkeypatch.setattr(client, "TCP", "http://127.0.0.1:1")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(Problem, match="no agent runs here; start one with: sudo scalpels agent"):
        client.found(client.usual_places())


def test_a_proxy_in_the_environment_is_not_asked(agent: RunningAgent) -> None:
    done = run("list", "--url", agent.url, http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1")
    assert done.returncode == 0


class Impostor(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.server.body  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def impostor() -> Iterator[Callable[[bytes], str]]:
    """A server that answers everything with one body."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Impostor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def with_body(body: bytes) -> str:
        server.body = body  # type: ignore[attr-defined]
        return f"http://127.0.0.1:{server.server_port}"

    yield with_body
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"[]",
        b"{}",
        b'{"agent": {"version": "1", "now": 1}, "tracers": 7}',
        b'{"agent": {"version": "1", "now": 1}, "tracers": [{"tracer": "x"}]}',
        b'{"agent": {"version": "1", "now": "x"}, "tracers": []}',
    ],
)
def test_what_is_no_agent_is_seen(impostor: Callable[[bytes], str], body: bytes) -> None:
    done = run("list", "--url", impostor(body))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "scalpels list: what answers there is no agent of scalpels\n"


def test_what_an_agent_says_cannot_command_the_terminal(impostor: Callable[[bytes], str]) -> None:
    status = {
        "tracer": "x\x1b[2J", "state": "\x1b]0;y\x07", "why": "a\nb\x1b[31m", "since": 1, "series": 1, "rejected": {},
        "cpu_seconds": 0, "memory_bytes": 0, "lease_until": None,
    }  # fmt: skip
    body = json.dumps({"agent": {"version": "1", "now": 5}, "tracers": [status]}).encode()
    done = run("list", "--url", impostor(body))
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert len(done.stdout.splitlines()) == 2


def test_a_server_that_never_answers_is_given_up() -> None:
    from scalpels_exporter.cli import transport

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        quick = transport.Transport(f"http://127.0.0.1:{deaf.getsockname()[1]}", answer_seconds=0.2)
        with pytest.raises(transport.Unreachable, match="no answer in time"):
            quick.request("GET", "/")
