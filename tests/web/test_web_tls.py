"""TLS over real sockets: handshakes that fail, certificates that change, clients that must show one."""

from __future__ import annotations

import socket
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from running import public_python

REFUSED = "scalpels_agent_http_refused_total"


@pytest.fixture
def web(authority, tmp_path):
    """web(text) writes the configuration; certificate and key are server.crt and server.key beside it."""
    copy(authority.issue("first"), tmp_path)

    def write(more: str = "") -> Path:
        path = tmp_path / "web.yml"
        fresh = tmp_path / "fresh.yml"
        fresh.write_text(f"tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}")
        fresh.replace(path)
        return path

    return write


def copy(pair: tuple[Path, Path], folder: Path) -> None:
    for source, name in zip(pair, ("server.crt", "server.key"), strict=True):
        fresh = folder / "fresh"
        fresh.write_bytes(source.read_bytes())
        fresh.replace(folder / name)


def turned_away(running, context: ssl.SSLContext) -> bool:
    """Whether the connection ends before an answer; under TLS 1.3 the client learns that after its handshake."""
    try:
        with running.client(context=context) as client:
            assert client.ask("GET", "/metrics").status == 200
    except OSError:
        return True
    return False


def name_of(running, authority) -> str:
    with running.client(context=authority.trusting()) as client:
        assert client.ask("GET", "/-/healthy").status == 200
        return dict(pair[0] for pair in client.socket.getpeercert()["subject"])["commonName"]


def test_a_scrape_over_tls_1_3_and_1_2_gets_the_whole_body(serve, web, authority):
    from web_fake import PIECE, Agent

    running = serve(agent=Agent([PIECE] * 40), config=web())
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        context = authority.trusting()
        context.maximum_version = version
        with running.client(context=context) as client:
            got = client.ask("GET", "/metrics")
            assert got.body == PIECE * 40
            assert client.ask("GET", "/-/healthy").status == 200


def test_a_certificate_replaced_on_disk_is_shown_to_the_next_connection(serve, web, authority, tmp_path):
    running = serve(config=web(), refresh_seconds=0.0)
    assert name_of(running, authority) == "first"
    with running.client(context=authority.trusting()) as old:
        old.ask("GET", "/-/healthy")
        copy(authority.issue("second"), tmp_path)
        assert name_of(running, authority) == "second"
        assert old.ask("GET", "/-/healthy").status == 200


def test_the_files_are_looked_at_no_more_than_once_an_interval(serve, web, authority):
    from web_disk import Disk

    disk = Disk(web())
    running = serve(fetch=disk, refresh_seconds=60.0)
    for _ in range(5):
        assert name_of(running, authority) == "first"
    assert disk.calls == 1


def test_a_broken_new_file_keeps_the_old_one_in_force_and_is_said_once(serve, web, authority, tmp_path, caplog):
    running = serve(config=web(), refresh_seconds=0.0)
    (tmp_path / "server.key").write_text("broken")
    for _ in range(3):
        assert name_of(running, authority) == "first"
    assert running.counted("scalpels_agent_web_config_failures_total") >= 1
    said = [record.getMessage() for record in caplog.records if "stays in force" in record.getMessage()]
    assert len(said) == 1
    assert "tls_server_config.key_file" in said[0]


@pytest.mark.parametrize("text", ["", "rate_limit: {interval: 1s, burst: 1000}\n"])
def test_a_file_cut_short_while_it_is_written_does_not_open_the_port(serve, web, authority, text, tmp_path):
    running = serve(config=web(), refresh_seconds=0.0)
    (tmp_path / "web.yml").write_text(text)
    assert name_of(running, authority) == "first"


def test_a_privileged_side_that_hangs_or_fails_does_not_stop_the_server(serve, web, authority):
    import asyncio

    from web_disk import Disk

    disk = Disk(web())
    how = iter(["read", "fail", "hang"])

    async def fetch():
        match next(how, "hang"):
            case "read":
                return await disk()
            case "fail":
                raise OSError("the spawner is gone")
        await asyncio.Event().wait()
        return None

    running = serve(fetch=fetch, refresh_seconds=0.0, refresh_wait_seconds=0.2)
    for _ in range(4):
        assert name_of(running, authority) == "first"


def test_plain_http_to_a_tls_port_is_told_so(serve, web, until):
    running = serve(config=web())
    got = running.get("/metrics")
    assert (got.status, got.text) == (400, "this port speaks TLS: use https://\n")
    until(lambda: running.counted(REFUSED, reason="handshake") == 1)


def test_tls_to_a_plain_port_is_refused_and_the_next_client_is_served(serve):
    running = serve()
    with pytest.raises(ssl.SSLError):
        running.client(context=ssl._create_unverified_context())
    assert running.get("/-/healthy").status == 200


def test_a_handshake_that_does_not_come_is_cut_off(serve, web, until):
    running = serve(config=web(), handshake_seconds=0.3)
    with running.client() as silent, running.client() as half:
        half.send(b"\x16\x03\x01\x02\x00\x01")
        assert silent.ended()
        assert half.ended()
    until(lambda: running.counted(REFUSED, reason="handshake") == 2)


@pytest.mark.parametrize("data", [b"\x16" + b"\x00" * 300, b"\x16\x03\x01\xff\xff" + b"\xff" * 70000])
def test_rubbish_that_begins_like_a_handshake_ends_the_connection(serve, web, authority, data):
    running = serve(config=web())
    with running.client() as client, suppress(ConnectionError):
        client.send(data)
        while client.socket.recv(1000):  # an alert may come first
            pass
    assert name_of(running, authority) == "first"


MUTUAL = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {ca}\n"


def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(serve, web, authority, until):
    running = serve(config=web(MUTUAL.format(ca=authority.ca)))
    assert turned_away(running, authority.trusting())
    with running.client(context=authority.trusting(authority.issue("prometheus"))) as client:
        assert client.ask("GET", "/metrics").status == 200
    until(lambda: running.counted(REFUSED, reason="handshake") == 1)


def test_a_client_certificate_of_somebody_else_is_refused(serve, web, authority, tmp_path):
    running = serve(config=web(MUTUAL.format(ca=authority.ca)))
    key, crt = tmp_path / "own.key", tmp_path / "own.crt"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {crt} -days 2 -subj /CN=prometheus"
    subprocess.run(command.split(), check=True, capture_output=True)
    assert turned_away(running, authority.trusting((crt, key)))


def test_a_verified_client_certificate_may_control_in_its_own_name(serve, web, authority):
    running = serve(addresses=("0.0.0.0:0",), config=web(MUTUAL.format(ca=authority.ca)))
    with running.client(context=authority.trusting(authority.issue("operator"))) as client:
        assert client.ask("POST", "/-/reload").status == 200
    assert running.agent.calls == [("reload", "cert:operator")]


@pytest.mark.parametrize(
    ("sans", "allowed", "served"),
    [
        ("DNS:prometheus.example.org", "prometheus.example.org", True),
        ("IP:10.0.0.7,URI:spiffe://a/b", "spiffe://a/b", True),
        ("IP:0:0:0:0:0:0:0:1", "'::1'", True),
        ("email:a@example.org", "a@example.org", True),
        ("DNS:other.example.org", "prometheus.example.org", False),
        ("DNS:sub.prometheus.example.org", "prometheus.example.org", False),
    ],
)
def test_the_name_in_a_client_certificate_must_be_an_allowed_one(serve, web, authority, sans, allowed, served):
    running = serve(config=web(MUTUAL.format(ca=authority.ca) + f"  client_allowed_sans: [{allowed}]\n"))
    context = authority.trusting(authority.issue("client", sans))
    assert turned_away(running, context) is not served


def test_headers_of_the_configuration_are_on_every_answer(serve, web, authority):
    running = serve(config=web("http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=1\n"))
    with running.client(context=authority.trusting()) as client:
        for path in ("/metrics", "/nowhere", "/"):
            assert client.ask("GET", path).headers["strict-transport-security"] == "max-age=1"


UNPRIVILEGED = """
import ctypes, os, pickle, sys
files = pickle.load(sys.stdin.buffer)
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
from scalpels_exporter.web.webconfig import check
print(check(files).context is not None)
"""


@pytest.mark.root
def test_a_process_without_root_that_may_not_be_dumped_makes_a_context_of_bytes(web):
    import pickle

    from scalpels_exporter.web import webfiles

    path = web()
    for name in ("server.key", "web.yml"):
        (path.parent / name).chmod(0o600)
    files = pickle.dumps(webfiles.read(str(path)))
    python, environment = public_python()
    command = [python, "-c", UNPRIVILEGED]
    done = subprocess.run(command, input=files, capture_output=True, env=environment, cwd="/", check=False)
    assert done.stdout == b"True\n", done.stderr


def test_a_client_that_vanishes_in_the_handshake_leaves_nothing(serve, web, until):
    running = serve(config=web())
    sock = socket.create_connection(("127.0.0.1", running.port))
    sock.send(b"\x16\x03\x01")
    sock.close()
    until(lambda: running.counted("scalpels_agent_http_connections") == 0)
