"""What the tracer `http` adds to a request, at the client and at the server.

    .venv/bin/python -m benchmarks.http [--rounds 9] [--requests 3000]

CPU microseconds of one small GET over a kept connection (http.client on loopback, gunicorn with threads and uWSGI),
added by the real agent with `http` on: paired within alternating rounds with the tracer stopped, then medians.
`bystander` is a client that no rule names; the servers have built-in names. Throughput is the ratio of requests a
second with and without. Needs root; asserts nothing.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from http.client import HTTPConnection

from benchmarks.ends import Subject, measure, show  # first: it puts the tests on the path

# isort: split
from servers.http_server import HttpServer
from servers.python_servers import Gunicorn
from servers.server import LOOPBACK
from servers.uwsgi_server import Uwsgi

RULES = """programs:
  - {name: client, cmdline: benchmarks.http}
  - {name: server, cmdline: 'scalpels-(gunicorn|uwsgi)-'}
"""
# As a client of an API sends.
HEADERS = {"X-Auth-Token": "g" * 180, "Accept": "application/json", "User-Agent": "python-novaclient"}
TARGET = "/v2.1/servers/8c0a4f5e-7d0f-4c0a-9a55-1f6f0a3c9b11?size=10"


def subject(stack: ExitStack, server: HttpServer) -> Subject:
    stack.enter_context(server)
    connection = HTTPConnection(LOOPBACK, server.port, timeout=10)
    stack.callback(connection.close)

    def ask() -> None:
        connection.request("GET", TARGET, headers=HEADERS)
        connection.getresponse().read()

    return Subject(ask, server.processes())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=3000)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        subjects = {
            "gunicorn": subject(stack, Gunicorn("gthread", workers=1, threads=2)),
            "uwsgi": subject(stack, Uwsgi(workers=1, threads=2)),
        }
        found = measure("http", RULES, subjects, chosen.rounds, chosen.requests)
    show(f"CPU µs of a small GET; {chosen.rounds} rounds of {chosen.requests}, medians", found)


if __name__ == "__main__":
    main()
