"""Serves wsgi_app.py by eventlet.wsgi, as OpenStack's services did for years: everything patched, first of all.

Usage: eventlet_app.py PORT SOCKET ACCESS_LOG FORMAT [CERTIFICATE KEY]
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import os  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402

import eventlet.wsgi  # noqa: E402

from servers.apps.wsgi_app import application  # noqa: E402


class Log:
    """Requests alone, a line at a time, at once."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def info(self, line: str) -> None:
        if "\t" in line:
            os.write(self._file, line.rstrip("\n").encode() + b"\n")

    debug = info


def serve(port: int, path: str, access_log: str, text: str, *keys: str) -> None:
    listeners = [eventlet.listen(("127.0.0.1", port)), eventlet.listen(path, family=socket.AF_UNIX)]
    if keys:
        listeners[0] = eventlet.wrap_ssl(listeners[0], certfile=keys[0], keyfile=keys[1], server_side=True)
    log = Log(access_log)
    threads = [
        eventlet.spawn(eventlet.wsgi.server, listener, application, log=log, log_format=text, debug=False)
        for listener in listeners
    ]
    for thread in threads:
        thread.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
