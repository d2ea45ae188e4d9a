"""WebFiles → checked settings of --web.config.file, or everything that is wrong. Reads no file: `webfiles` does.

The format is the Prometheus exporter-toolkit's, so that a file that works for node_exporter works here. Where
OpenSSL cannot do what Go does, a note or a mistake says so; nothing is taken silently.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from yaml import Node

from scalpels_exporter.config.durations import parse as parse_duration
from scalpels_exporter.config.settings import Mistakes
from scalpels_exporter.web.located import Located, compose
from scalpels_exporter.web.tls import TlsProblem, TlsSettings, context
from scalpels_exporter.web.tlskeys import SECTION, read_tls
from scalpels_exporter.web.webfiles import WebFiles

SECTIONS = (SECTION, "http_server_config", "basic_auth_users", "rate_limit")
HEADERS: Mapping[str, tuple[str, ...]] = {  # the ones that may be set, and their values where only some are valid
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
BCRYPT_MOST_COST = 18  # some 20 s of one CPU for one login; every step doubles it


@dataclass(frozen=True, slots=True)
class WebConfig:
    tls: TlsSettings | None = None
    context: ssl.SSLContext | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # name → bcrypt hash
    interval: float = 0.0  # seconds between two requests; 0: no limit
    burst: int = 0
    notes: tuple[str, ...] = ()  # what was accepted and means nothing here

    @property
    def empty(self) -> bool:
        return self.tls is None and not self.users


def check(files: WebFiles) -> WebConfig:
    """Raises Mistakes."""
    located = Located(files.path)
    notes: list[str] = []
    root = compose(files.text, files.path)
    sections = located.mapping(root, "", SECTIONS)
    headers = _headers(located, sections.get("http_server_config"), notes)
    users = _users(located, sections.get("basic_auth_users"))
    interval, burst = _rate(located, sections.get("rate_limit"))
    tls = read_tls(located, sections.get(SECTION), files.contents, notes)
    made = _context(located, sections.get(SECTION), tls)
    if located.found:
        raise Mistakes(sorted(located.found, key=lambda mistake: mistake.line))
    return WebConfig(tls, made, headers, users, interval, burst, tuple(notes))


def _context(located: Located, section: Node | None, tls: TlsSettings | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    try:
        return context(tls)
    except TlsProblem as problem:
        inline = problem.key.removesuffix("_file")
        entries = located.mapping(section, SECTION)
        key = inline if inline in entries else problem.key
        located.wrong(entries.get(key, section), f"{SECTION}.{key}", str(problem))
        return None


def _headers(located: Located, node: Node | None, notes: list[str]) -> tuple[tuple[str, str], ...]:
    section = located.mapping(node, "http_server_config", ("http2", "headers"))
    if "http2" in section and located.flag(section["http2"], "http_server_config.http2", True):
        notes.append("http_server_config.http2: this server speaks HTTP/1.1 alone; the key is ignored")
    key = "http_server_config.headers"
    found = []
    for name, value_node in located.mapping(section.get("headers"), key, HEADERS).items():
        value = located.text(value_node, f"{key}.{name}")
        allowed = HEADERS[name]
        if allowed and value and value not in allowed:
            located.wrong(value_node, f"{key}.{name}", f"expected {' or '.join(allowed)}, got {value!r}")
        elif not HEADER_VALUE.fullmatch(value):
            located.wrong(value_node, f"{key}.{name}", "expected one line of printable ASCII")
        elif value:
            found.append((name, value))
    return tuple(found)


def _users(located: Located, node: Node | None) -> dict[str, bytes]:
    users = {}
    for name, value_node in located.mapping(node, "basic_auth_users").items():
        key = f"basic_auth_users.{name}"
        value = located.text(value_node, key)
        match = BCRYPT.fullmatch(value)
        # The value is never shown: it may be the password itself, put here by mistake.
        if not value:
            located.wrong(value_node, key, "expected a bcrypt hash ($2y$…), got nothing")
        elif match is None:
            located.wrong(
                value_node, key, "expected a bcrypt hash ($2y$…, 60 characters), as htpasswd -nBC 10 makes it"
            )
        elif not 4 <= int(match[1]) <= BCRYPT_MOST_COST:
            located.wrong(value_node, key, f"expected a bcrypt cost from 4 to {BCRYPT_MOST_COST}, got {int(match[1])}")
        elif not name or ":" in name or not name.isprintable():
            located.wrong(value_node, key, "expected a printable user name without a colon")
        else:
            users[name] = value.encode()
    return users


def _rate(located: Located, node: Node | None) -> tuple[float, int]:
    section = located.mapping(node, "rate_limit", ("interval", "burst"))
    node = section.get("interval")
    wanted = "int" if node is not None and node.tag.endswith(":int") else "str"
    interval = located.scalar(node, "rate_limit.interval", wanted, parse_duration) or 0.0
    burst = located.integer(section.get("burst"), "rate_limit.burst")
    if wanted == "int" and interval:  # Go counts a bare number in nanoseconds, everybody else in seconds
        located.wrong(node, "rate_limit.interval", "expected a duration with its unit, such as 1s")
    if interval and (burst is None or burst < 1):
        got = "nothing" if burst is None else str(burst)
        located.wrong(section.get("burst", node), "rate_limit.burst", f"expected at least 1, got {got}")
    return interval, burst or 0
