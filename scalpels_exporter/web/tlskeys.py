"""The keys of tls_server_config → TlsSettings. Makes no context: `tls` does."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from scalpels_exporter.config.tree import Value
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
    """One tls_server_config while it is read: its entries, the files they name, and where notes go."""

    def __init__(self, section: Value, contents: Mapping[str, bytes], notes: list[str]) -> None:
        self.whole = section
        self.entries = section.section(KEYS)
        self.contents = contents
        self.notes = notes

    def wrong(self, key: str, problem: str) -> None:
        entry = self.entries.get(key)
        if entry is None:
            self.whole.mistake(f"{key}: {problem}")
        else:
            entry.mistake(problem)

    def note(self, key: str, what: str) -> None:
        self.notes.append(f"{SECTION}.{key}: {what}")

    def text(self, key: str) -> str:
        value = self.entries.get(key)
        plain = value.plain() if value else None
        if value is None or plain in (None, ""):
            return ""
        if not isinstance(plain, str):  # not shown: it may be a key
            value.mistake("expected a text")
            return ""
        return plain

    def texts(self, key: str) -> list[tuple[str, Value]]:
        value = self.entries.get(key)
        items = (value.items("names") if value else None) or []
        return [(text, item) for item in items if (text := item.text())]


def read_tls(value: Value | None, contents: Mapping[str, bytes], notes: list[str]) -> TlsSettings | None:
    """None where the section is absent, empty or wrong; mistakes are noted in `value`."""
    if value is None:
        return None
    before = len(value.mistakes)
    section = _Section(value, contents, notes)
    if not section.entries:
        return None
    certificate, key = _content(section, "cert"), _content(section, "key")
    for name in ("cert", "key"):
        if name not in section.entries and f"{name}_file" not in section.entries:
            section.wrong(f"{name}_file", f"expected {name}_file or {name}, got neither")
    client_auth, client_ca, sans = _clients(section)
    minimum, maximum = _versions(section)
    ciphers, only_13 = _ciphers(section)
    prefer = section.entries.get("prefer_server_cipher_suites")
    server_order = prefer is None or prefer.switch() is not False
    curve = _curve(section)
    if len(value.mistakes) > before:
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
    content = section.contents.get(file, b"")
    if file and not content:
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
    for word, value in named:
        if word not in CIPHERS and word not in CIPHERS_13:
            value.mistake(f"unknown cipher suite {word!r}")
    ciphers = tuple(CIPHERS[word] for word, _ in named if word in CIPHERS)
    return ciphers, bool(named) and not ciphers


def _curve(section: _Section) -> str:
    named = section.texts("curve_preferences")
    for word, value in named:
        if word not in CURVES:
            value.mistake(f"expected {', '.join(CURVES)}, got {word!r}")
    if len(named) > 1:
        section.note("curve_preferences", "more than one is given, so OpenSSL's own order is used")
        return ""  # the first of them alone could lock clients out
    if named and CURVES.get(named[0][0]) == "":
        section.note("curve_preferences", f"{named[0][0]} cannot be asked for alone, so OpenSSL's own order is used")
    return CURVES.get(named[0][0], "") if named else ""
