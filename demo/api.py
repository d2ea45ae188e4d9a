"""The service `cloud-api`: a small part of Nova's API over MariaDB and cloud-compute, as WSGI for gunicorn."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import oslo_messaging

from demo.methods import COMPUTE
from demo.wires import client, transaction

Answer = tuple[str, Any]
_ONE = re.compile(r"/v2\.1/servers/([0-9a-f-]{36})(/action)?")


def created() -> Answer:
    instance = str(uuid.uuid4())
    with transaction() as cursor:
        cursor.execute("INSERT INTO instances VALUES (%s, %s, 'building', NOW(6))", (instance, f"vm-{instance[:4]}"))
    state = client(COMPUTE).call({}, "build_instance", instance=instance)
    return "202 Accepted", {"id": instance, "state": state}


def listed() -> Answer:
    with transaction() as cursor:
        cursor.execute("SELECT id, name, state FROM instances ORDER BY changed DESC LIMIT 50")
        return "200 OK", cursor.fetchall()


def shown(instance: str) -> Answer:
    with transaction() as cursor:
        cursor.execute("SELECT id, name, state FROM instances WHERE id = %s", (instance,))
        row = cursor.fetchone()
    return ("200 OK", row) if row else ("404 Not Found", {"no such instance": instance})


def acted(instance: str, body: bytes) -> Answer:
    action = next(iter(json.loads(body)))
    if action == "reboot":
        return "202 Accepted", client(COMPUTE).call({}, "reboot_instance", instance=instance)
    try:
        return "200 OK", client(COMPUTE).call({}, "get_console", instance=instance)
    except oslo_messaging.RemoteError:
        return "409 Conflict", {"no console": instance}


def deleted(instance: str) -> Answer:
    client(COMPUTE).cast({}, "delete_instance", instance=instance)
    return "204 No Content", None


def broken() -> Answer:
    """Asks a table that is not there, which MariaDB refuses: an error in SQL, and 500 over HTTP."""
    try:
        with transaction() as cursor:
            cursor.execute("SELECT * FROM quotas")
    except Exception as error:
        return "500 Internal Server Error", {"error": str(error)}
    return "200 OK", {}


def answer(method: str, path: str, body: bytes) -> Answer:
    one = _ONE.fullmatch(path)
    match method, path, one:
        case "GET", "/v2.1/limits", _:
            return broken()
        case "GET", "/v2.1/servers/detail", _:
            return listed()
        case "POST", "/v2.1/servers", _:
            return created()
        case "POST", _, re.Match() as found if found[2]:
            return acted(found[1], body)
        case "GET", _, re.Match() as found:
            return shown(found[1])
        case "DELETE", _, re.Match() as found:
            return deleted(found[1])
    return "404 Not Found", {"no such path": path}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    status, said = answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    text = b"" if status.startswith("204") else json.dumps(said).encode()
    length = [] if status.startswith("204") else [("Content-Length", str(len(text)))]
    start_response(status, [("Content-Type", "application/json"), *length])
    return [text]
