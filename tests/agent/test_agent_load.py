"""The real agent under load and attack at once: honest clients get right answers in time, and memory stays bounded."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests
from running import RunningAgent

Start = Callable[..., RunningAgent]
Until = Callable[..., Any]
MOST_RESIDENT_BYTES = 200 << 20
PASSWORD = "right"


def peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.fixture
def agent(start_agent: Start, quiet_with: Callable[..., str], open_folder: Path, until: Until) -> RunningAgent:
    web = open_folder / "web.yml"
    digest = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    web.write_text(f"basic_auth_users:\n  alice: {digest}\n")
    running = start_agent(quiet_with(honest="is_honest", million="prints_a_million_series"), f"--web.config.file={web}")
    until(lambda: scrape(running).status_code == 200)
    return running


def scrape(agent: RunningAgent, **headers: str) -> requests.Response:
    headers.setdefault("X-Prometheus-Scrape-Timeout-Seconds", "5")
    return requests.get(agent.url + "/metrics", auth=("alice", PASSWORD), headers=headers, timeout=20)


class Attack:
    """Runs `once` again and again in threads of its own, until the block ends."""

    def __init__(self, agent: RunningAgent, *attacks: Callable[[RunningAgent, threading.Event], None]) -> None:
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(a, agent)) for a in attacks]

    def _run(self, attack: Callable[[RunningAgent, threading.Event], None], agent: RunningAgent) -> None:
        while not self.over.is_set():
            try:
                attack(agent, self.over)
            except OSError:  # thrown out: that is the point
                self.over.wait(0.01)

    def __enter__(self) -> Attack:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


def connect(agent: RunningAgent) -> socket.socket:
    return socket.create_connection(("127.0.0.1", agent.port), timeout=2)


def huge_headers(agent: RunningAgent, over: threading.Event) -> None:
    with connect(agent) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        for _ in range(1000):
            sock.sendall(b"X-Junk: " + b"j" * 10_000 + b"\r\n")
            if over.is_set():
                return


def pipelined_garbage(agent: RunningAgent, over: threading.Event) -> None:
    with connect(agent) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50 + b"\x16\x03\x01\xff\x00garbage\r\n\r\n" * 50)
        while sock.recv(65536) and not over.is_set():
            pass


def half_open(agent: RunningAgent, over: threading.Event) -> None:
    socks = [connect(agent) for _ in range(30)]
    for sock in socks:
        sock.sendall(b"GET /metrics HT")
    over.wait(1)
    for sock in socks:
        sock.close()


def slow_reader(agent: RunningAgent, over: threading.Event) -> None:
    with connect(agent) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(20):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        over.wait(1)


def wrong_password(agent: RunningAgent, _: threading.Event) -> None:
    requests.get(agent.url + "/metrics", auth=("alice", "wrong"), timeout=20)


def test_honest_clients_are_served_in_time_under_every_attack_at_once(agent: RunningAgent) -> None:
    took: list[float] = []
    attacks = (huge_headers, pipelined_garbage, half_open, slow_reader, wrong_password, wrong_password)
    with Attack(agent, *attacks):
        for _ in range(15):
            began = time.monotonic()
            response = scrape(agent)
            took.append(time.monotonic() - began)
            assert response.status_code == 200
            assert "scalpels_honest_events_total" in response.text
    assert max(took) < 5
    assert peak_bytes(agent.pid) < MOST_RESIDENT_BYTES
    text = scrape(agent).text
    assert 'scalpels_agent_http_refused_total{reason="authentication"}' in text
    assert "Traceback" not in agent.log.read_text()
    assert "internal error" not in agent.log.read_text()


def test_fifty_scrapers_at_once_share_their_ticks_and_get_the_same_numbers(agent: RunningAgent) -> None:
    answers: list[requests.Response] = []
    ready = threading.Barrier(50)

    def one() -> None:
        ready.wait()
        for _ in range(4):
            answers.append(scrape(agent))

    threads = [threading.Thread(target=one) for _ in range(50)]
    before = value(scrape(agent).text)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers] == [200] * 200
    for answer in answers:  # every one of them is whole, and of one moment
        assert value(answer.text, "b") == 2 * value(answer.text, "a")
    ticks = value(scrape(agent).text) - before
    assert ticks < 200  # fewer ticks than scrapes: they were shared
    assert peak_bytes(agent.pid) < MOST_RESIDENT_BYTES


def value(text: str, kind: str = "a") -> float:
    line = next(x for x in text.splitlines() if x.startswith(f'scalpels_honest_events_total{{kind="{kind}"}}'))
    return float(line.split()[1])
