"""WebFiles → checked settings of --web.config.file, or everything that is wrong. Reads no file: `webfiles` does.

The format is the Prometheus exporter-toolkit's, so that a file that works for node_exporter works here. Where
OpenSSL cannot do what Go does, a note or a mistake says so; nothing is taken silently.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scalpels_exporter.config.durations import parse as parse_duration
from scalpels_exporter.config.settings import Mistake, Mistakes
from scalpels_exporter.config.source import compose
from scalpels_exporter.config.tree import Value
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
BURST_MOST = 1_000_000
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
    mistakes: list[Mistake] = []
    notes: list[str] = []
    root = compose(Path(files.path), files.text)
    sections = Value(root, "", files.path, 0, mistakes).section(SECTIONS) if root else {}
    headers = _headers(sections.get("http_server_config"), notes)
    users = _users(sections.get("basic_auth_users"))
    interval, burst = _rate(sections.get("rate_limit"))
    tls = read_tls(sections.get(SECTION), files.contents, notes)
    made = _context(sections[SECTION], tls) if tls else None
    if mistakes:
        raise Mistakes(sorted(mistakes, key=lambda mistake: mistake.line))
    return WebConfig(tls, made, headers, users, interval, burst, tuple(notes))


def _context(section: Value, tls: TlsSettings) -> ssl.SSLContext | None:
    try:
        return context(tls)
    except TlsProblem as problem:
        entries = section.section()
        inline = entries.get(problem.key.removesuffix("_file"))
        entries.get(problem.key, inline or section).mistake(str(problem))
        return None


def _headers(node: Value | None, notes: list[str]) -> tuple[tuple[str, str], ...]:
    section = node.section(("http2", "headers")) if node else {}
    if "http2" in section and section["http2"].switch():
        notes.append("http_server_config.http2: this server speaks HTTP/1.1 alone; the key is ignored")
    headers = section["headers"].section(tuple(HEADERS)) if "headers" in section else {}
    found = []
    for name, value in headers.items():
        plain = value.plain()
        allowed = HEADERS[name]
        if plain in (None, ""):  # unset
            continue
        if not isinstance(plain, str | int) or not HEADER_VALUE.fullmatch(str(plain)):
            value.mistake("expected one line of printable ASCII")
        elif allowed and plain not in allowed:
            value.mistake(f"expected {' or '.join(allowed)}, got {plain!r}")
        else:
            found.append((name, str(plain)))
    return tuple(found)


def _users(node: Value | None) -> dict[str, bytes]:
    users = {}
    for name, value in (node.section() if node else {}).items():
        # What was found is never shown: it may be the password itself, put here by mistake.
        hashed = value.plain()
        match = BCRYPT.fullmatch(hashed) if isinstance(hashed, str) else None
        if match is None:
            value.mistake("expected a bcrypt hash ($2y$…, 60 characters), as htpasswd -nBC 10 makes it")
        elif not 4 <= int(match[1]) <= BCRYPT_MOST_COST:
            value.mistake(f"expected a bcrypt cost from 4 to {BCRYPT_MOST_COST}, got {int(match[1])}")
        elif not name or ":" in name or not name.isprintable():
            value.mistake("expected a printable user name without a colon")
        else:
            users[name] = match[0].encode()
    return users


def _rate(node: Value | None) -> tuple[float, int]:
    section = node.section(("interval", "burst")) if node else {}
    interval = _interval(section["interval"]) if "interval" in section else 0.0
    burst = section["burst"].integer(0, BURST_MOST) if "burst" in section else 0
    if interval and burst == 0:
        section.get("burst", section["interval"]).mistake("expected a burst of at least 1, got none")
    return interval, burst or 0


def _interval(value: Value) -> float:
    plain = value.plain()
    if plain in (None, 0):
        return 0.0
    try:
        # Go counts a bare number in nanoseconds, everybody else in seconds: so none is taken.
        if not isinstance(plain, str) or not plain.endswith(("s", "m", "h", "d", "0")):
            raise ValueError("expected a duration with its unit, such as 1s")
        return parse_duration(plain)
    except ValueError as error:
        value.mistake(str(error))
        return 0.0
