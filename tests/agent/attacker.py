"""Stands in the agent proper's place, with its privileges and its socket to the spawner, and tries what it may not.

Run by test_agent_attacker.py as root: `attacker.py CONFIG SOCKET`. Prints one JSON object of what happened.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scalpels_exporter.agent.main as place
from scalpels_exporter.agent.options import Options, Parts
from scalpels_exporter.agent.process import run


def tried(what: Callable[[], Any]) -> str:
    try:
        return f"done: {what()!r}"
    except OSError as error:
        return error.strerror or str(error)


def asked(spawner: socket.socket, packet: bytes) -> str:
    spawner.send(packet)
    answer, descriptors, _, _ = socket.recv_fds(spawner, 512, 3)
    for descriptor in descriptors:
        os.close(descriptor)
    return answer.decode()


def attack(parts: Parts) -> int:
    spawner = parts.spawner
    parent = int(Path("/proc/self/task").joinpath(str(os.getpid()), "children").read_text().split()[0])
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: int) -> str:
        return "done" if getattr(libc, name)(*arguments) == 0 else os.strerror(ctypes.get_errno())

    found = {
        "exec": tried(lambda: os.execv("/bin/sh", ["sh", "-c", "id"])),
        "fork": tried(os.fork),
        "system": os.system("id > /dev/null") != 0,
        "spawn": tried(lambda: os.posix_spawn("/bin/id", ["id"], {})),
        "thread": _thread(),
        "setuid": tried(lambda: os.setuid(0)),
        "setgid": tried(lambda: os.setgid(0)),
        "shadow": tried(lambda: Path("/etc/shadow").read_text()),
        "config": tried(lambda: Path(sys.argv[1]).read_text()),
        "kill the spawner": tried(lambda: os.kill(parent, 9)),
        "memory of the spawner": tried(lambda: Path(f"/proc/{parent}/mem").read_bytes()),
        "environment of the spawner": tried(lambda: Path(f"/proc/{parent}/environ").read_bytes()),
        "ptrace": call("ptrace", 16, parent, 0, 0),
        "unshare": call("unshare", 0x10000000),
        "mount": call("mount", 0, 0, 0, 0, 0),
        "capabilities": [x.split()[1] for x in Path("/proc/self/status").read_text().splitlines() if x[:3] == "Cap"],
    }
    spawner.setblocking(True)
    found["orders"] = {
        "a command": asked(spawner, b"start /bin/sh 1"),
        "a command with words": asked(spawner, b"start sh -c id 1"),
        "an unknown message": asked(spawner, b"exec /bin/sh"),
        "undeclared": asked(spawner, b"start nosuch 1"),
        "too long": asked(spawner, b"start " + b"a" * 5000 + b" 1"),
        "not text": asked(spawner, bytes(range(256))),
        "web without one": asked(spawner, b"web"),
        "declared": asked(spawner, b"start honest 7").rsplit(" ", 1)[0],
        "twice": asked(spawner, b"start honest 8"),
    }
    print(json.dumps(found))
    sys.stdout.flush()
    return 0


def _thread() -> bool:
    ran = threading.Event()
    threading.Thread(target=ran.set).start()
    return ran.wait(5)


place.serve = attack
sys.exit(run(Options(Path(sys.argv[1]), ("127.0.0.1:0",), socket=sys.argv[2])))
