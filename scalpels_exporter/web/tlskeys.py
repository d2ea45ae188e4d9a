"""The keys of tls_server_config → TlsSettings. Makes no context: `tls` does."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from yaml import Node

from scalpels_exporter.web.located import Located
from scalpels_exporter.web.tls import (
    CIPHERS,
    CIPHERS_13,
    CLIENT_AUTH,
    CURVES,
    OLD_VERSIONS,
    VERSIONS,
    TlsSettings,
)

SECTION = "tls_server_config"
PAIRS = ("cert", "key", "client_ca")  # each inline, or as NAME_file
KEYS = (
    *PAIRS,
    *(f"{name}_file" for name in PAIRS),
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
)
UNVERIFIED = ("RequireAnyClientCert", "RequireClientCert")


class _Section:
    """One tls_server_config while it is read: its entries, and where mistakes and notes go."""

    def __init__(self, located: Located, node: Node, contents: Mapping[str, bytes], notes: list[str]) -> None:
        self.located = located
        self.node = node
        self.contents = contents
        self.notes = notes
        self.entries = located.mapping(node, SECTION, KEYS)

    def wrong(self, key: str, problem: str) -> None:
        self.located.wrong(self.entries.get(key, self.node), f"{SECTION}.{key}", problem)

    def note(self, key: str, what: str) -> None:
        self.notes.append(f"{SECTION}.{key}: {what}")

    def text(self, key: str) -> str:
        return self.located.text(self.entries.get(key), f"{SECTION}.{key}")

    def texts(self, key: str) -> list[tuple[str, Node]]:
        return self.located.texts(self.entries.get(key), f"{SECTION}.{key}")


def read_tls(
    located: Located, node: Node | None, contents: Mapping[str, bytes], notes: list[str]
) -> TlsSettings | None:
    """None where the section is absent or empty; mistakes go to `located`."""
    if node is None or not located.mapping(node, SECTION):
        return None
    section = _Section(located, node, contents, notes)
    certificate, key = _content(section, "cert"), _content(section, "key")
    for name, content in (("cert", certificate), ("key", key)):
        if not content and not located.found:
            section.wrong(f"{name}_file", f"expected {name}_file or {name}, got neither")
    client_auth, client_ca, sans = _clients(section)
    minimum, maximum = _versions(section)
    ciphers, only_13 = _ciphers(section)
    server_order = located.flag(
        section.entries.get("prefer_server_cipher_suites"), f"{SECTION}.prefer_server_cipher_suites", True
    )
    curve = _curve(section)
    if located.found:
        return None
    return TlsSettings(
        certificate,
        key,
        client_ca,
        client_auth,
        sans,
        ssl.TLSVersion.TLSv1_3 if only_13 else minimum,
        maximum,
        ciphers,
        server_order,
        curve,
    )


def _content(section: _Section, name: str) -> bytes:
    inline, file = section.text(name), section.text(f"{name}_file")
    if inline and file:
        section.wrong(name, f"expected one of {name} and {name}_file, got both")
    if inline:
        return inline.encode()
    if not file:
        return b""
    content = section.contents.get(file, b"")
    if not content:
        section.wrong(f"{name}_file", f"{file}: the file is empty")
    return content


def _clients(section: _Section) -> tuple[ssl.VerifyMode, bytes, tuple[str, ...]]:
    kind = section.text("client_auth_type")
    if kind in UNVERIFIED:
        section.wrong(
            "client_auth_type", f"{kind} takes any certificate without verifying it: use RequireAndVerifyClientCert"
        )
    elif kind not in CLIENT_AUTH:
        section.wrong("client_auth_type", f"expected one of {', '.join(filter(None, CLIENT_AUTH))}, got {kind!r}")
    if kind == "RequestClientCert":
        section.note("client_auth_type", "RequestClientCert verifies nothing, so no certificate is asked for")
    mode = CLIENT_AUTH.get(kind, ssl.CERT_NONE)
    client_ca = _content(section, "client_ca")
    known = kind in CLIENT_AUTH
    if known and client_ca and mode == ssl.CERT_NONE:
        section.wrong("client_auth_type", "a client CA is given: expected RequireAndVerifyClientCert to make use of it")
    if mode != ssl.CERT_NONE and not client_ca:
        section.wrong("client_ca_file", f"{kind} needs client_ca_file or client_ca")
    sans = tuple(word for word, _ in section.texts("client_allowed_sans"))
    if known and sans and mode != ssl.CERT_REQUIRED:
        section.wrong("client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert")
    return mode, client_ca, sans


def _versions(section: _Section) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    lowest = section.text("min_version") or "TLS12"
    highest = section.text("max_version") or "TLS13"
    expected = f"expected one of {', '.join(VERSIONS)}"
    if lowest in OLD_VERSIONS:
        section.note("min_version", f"{lowest} is not offered any more; TLS12 is the least")
        lowest = "TLS12"
    if lowest not in VERSIONS:
        section.wrong("min_version", f"{expected}, got {lowest!r}")
    if highest not in VERSIONS:
        section.wrong("max_version", f"{expected}, got {highest!r}")
    minimum = VERSIONS.get(lowest, ssl.TLSVersion.TLSv1_2)
    maximum = VERSIONS.get(highest, ssl.TLSVersion.TLSv1_3)
    if minimum > maximum:
        section.wrong("max_version", f"expected at least min_version ({lowest}), got {highest}")
    return minimum, maximum


def _ciphers(section: _Section) -> tuple[tuple[str, ...], bool]:
    """OpenSSL's names for TLS 1.2, and whether only suites of TLS 1.3 were named."""
    named = section.texts("cipher_suites")
    for word, node in named:
        if word not in CIPHERS and word not in CIPHERS_13:
            section.located.wrong(node, f"{SECTION}.cipher_suites", f"unknown cipher suite {word!r}")
    ciphers = tuple(CIPHERS[word] for word, _ in named if word in CIPHERS)
    return ciphers, bool(named) and not ciphers


def _curve(section: _Section) -> str:
    named = section.texts("curve_preferences")
    for word, node in named:
        if word not in CURVES:
            section.located.wrong(node, f"{SECTION}.curve_preferences", f"expected {', '.join(CURVES)}, got {word!r}")
    if len(named) > 1:
        # Python can hand exactly one curve to OpenSSL, and only one could lock clients out.
        section.note("curve_preferences", "more than one is given, so OpenSSL's own order is used")
        return ""
    return CURVES.get(named[0][0], "") if named else ""
