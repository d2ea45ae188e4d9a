"""Listen addresses: read, bound, refused with one line; and the Unix socket's file and peers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from web_client import Client

from scalpels_exporter.web.address import ListenProblem, Tcp, Unix, is_loopback, parse, plain_ip
from scalpels_exporter.web.limits import DEFAULT
from scalpels_exporter.web.listen import bind_all


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":10919", Tcp("", 10919)),
        ("127.0.0.1:0", Tcp("127.0.0.1", 0)),
        ("[::1]:1234", Tcp("::1", 1234)),
        ("[fe80::1%eth0]:1", Tcp("fe80::1%eth0", 1)),
        ("localhost:80", Tcp("localhost", 80)),
        ("unix:/run/scalpels/agent.sock", Unix("/run/scalpels/agent.sock")),
    ],
)
def test_an_address_is_read_as_the_exporter_toolkit_reads_it(text, address):
    assert parse(text) == address


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("10919", "expected HOST:PORT, :PORT or unix:/PATH"),
        (":", "expected a port from 0 to 65535, got ''"),
        (":65536", "expected a port from 0 to 65535, got '65536'"),
        (":http", "expected a port from 0 to 65535, got 'http'"),
        ("::1:80", "write an IPv6 address in brackets, as in [::1]:10919"),
        ("unix:agent.sock", "expected unix: and an absolute path of at most 107 bytes"),
        ("unix:/" + "x" * 107, "expected unix: and an absolute path of at most 107 bytes"),
    ],
)
def test_an_address_that_is_none_is_refused_by_one_line(text, line):
    with pytest.raises(ListenProblem) as problem:
        parse(text)
    assert str(problem.value) == f"listen address {text!r}: {line}"


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost", False),  # a name is not an address
    ],
)
def test_loopback_is_told_from_the_address(text, loopback):
    assert is_loopback(text) is loopback


def test_a_mapped_address_is_written_as_ipv4():
    assert str(plain_ip("::ffff:192.0.2.7")) == "192.0.2.7"


def test_several_addresses_are_bound_and_named_as_bound(serve, tmp_path):
    path = tmp_path / "agent.sock"
    running = serve(addresses=("127.0.0.1:0", "[::1]:0", f"unix:{path}"))
    first, second, third = running.server.addresses
    assert first.startswith("127.0.0.1:")
    assert second.startswith("[::1]:")
    assert third == f"unix:{path}"
    assert all(not address.endswith(":0") for address in running.server.addresses)


def test_every_interface_is_dual_stack(serve):
    running = serve(addresses=(":0",))
    for host in ("127.0.0.1", "::1"):
        with Client(socket.create_connection((host, running.port), 10)) as client:
            assert client.ask("GET", "/-/healthy").status == 200


def test_a_port_in_use_is_one_line_and_leaves_nothing_bound(tmp_path):
    path = tmp_path / "agent.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenProblem) as problem:
            bind_all([f"unix:{path}", address], DEFAULT)
    assert str(problem.value) == f"cannot listen on {address}: Address already in use"
    assert not path.exists()


def test_an_address_of_another_machine_is_one_line():
    with pytest.raises(ListenProblem) as problem:
        bind_all(["192.0.2.1:0"], DEFAULT)
    assert str(problem.value) == "cannot listen on 192.0.2.1:0: Cannot assign requested address"


def test_the_unix_socket_is_for_its_owner_alone_and_goes_with_the_server(serve, tmp_path):
    path = tmp_path / "agent.sock"
    running = serve(addresses=(f"unix:{path}",))
    assert path.stat().st_mode & 0o777 == 0o600
    with unix_client(path) as client:
        assert client.ask("POST", "/-/reload").status == 200
    assert running.agent.calls == [("reload", f"unix:uid={os.geteuid()}")]
    running.call(running.server.close())
    assert not path.exists()


def test_a_socket_file_that_nobody_answers_on_is_replaced(serve, tmp_path):
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    serve(addresses=(f"unix:{path}",))
    with unix_client(path) as client:
        assert client.ask("GET", "/-/healthy").status == 200


def test_a_socket_that_another_agent_answers_on_is_left_alone(serve, tmp_path):
    path = tmp_path / "agent.sock"
    serve(addresses=(f"unix:{path}",))
    with pytest.raises(ListenProblem) as problem:
        bind_all([f"unix:{path}"], DEFAULT)
    assert str(problem.value) == f"cannot listen on unix:{path}: another process answers on it"
    assert path.is_socket()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "agent.sock"
    path.write_text("precious")
    with pytest.raises(ListenProblem) as problem:
        bind_all([f"unix:{path}"], DEFAULT)
    assert str(problem.value) == f"cannot listen on unix:{path}: the file is there and is not a socket"
    assert path.read_text() == "precious"


def test_at_its_end_a_server_does_not_remove_its_successors_socket(serve, tmp_path):
    path = tmp_path / "agent.sock"
    running = serve(addresses=(f"unix:{path}",))
    path.unlink()
    serve(addresses=(f"unix:{path}",))
    running.call(running.server.close())
    assert path.is_socket()


NOBODY = """
import os, socket, sys
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.sendall(b"POST /-/reload HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
sys.stdout.buffer.write(sock.makefile("rb").read())
"""


@pytest.mark.root
def test_another_user_is_refused_on_the_unix_socket_even_where_its_mode_lets_him_in(serve, tmp_path, until):
    path = tmp_path / "agent.sock"
    running = serve(addresses=(f"unix:{path}",))
    path.chmod(0o666)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    python = Path(sys.executable).resolve()
    done = subprocess.run([python, "-I", "-c", NOBODY, path], capture_output=True, timeout=20, check=False)
    assert done.stdout.startswith(b"HTTP/1.1 403 Forbidden\r\n"), done.stderr
    assert done.stdout.endswith(b"this socket is for root and the agent's own user\n")
    assert running.agent.calls == []
    until(lambda: running.counted("scalpels_agent_http_refused_total", reason="peer") == 1)


def unix_client(path: Path) -> Client:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(path))
    return Client(sock)


@pytest.mark.root
def test_a_folder_that_the_agents_user_may_not_write_to_is_named_with_that_user(open_folder):
    code = (
        "import os, sys; from scalpels_exporter.web.limits import Limits\n"
        "from scalpels_exporter.web.listen import ListenProblem, bind_all\n"
        "os.setgroups([]); os.setgid(61910); os.setuid(61910)\n"
        "for address in sys.argv[1:]:\n"
        "    try: bind_all([address], Limits())\n"
        "    except ListenProblem as problem: print(problem)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"unix:{open_folder}/a.sock"], capture_output=True, text=True, timeout=20
    )
    assert done.stdout == (
        f"cannot listen on unix:{open_folder}/a.sock: Permission denied: uid 61910, which the agent runs as by now, "
        f"may not write to {open_folder}\n"
    ), done.stderr
