"""An SSLContext from bytes that never touch a disk. Moves no bytes: `tlswire` does.

The names in the file are Go's, because the format is the exporter-toolkit's; OpenSSL's stand beside them.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from scalpels_exporter.web.address import plain_ip

CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
}
# Always on in TLS 1.3, in Go as in OpenSSL; naming them changes nothing.
CIPHERS_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
# Python 3.11 can hand OpenSSL one curve, and of these three alone; X25519 is the first in OpenSSL's own order.
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": ""}
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
OLD_VERSIONS = ("TLS10", "TLS11")
CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class TlsProblem(Exception):
    """`key` of tls_server_config is wrong; the text says how."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


@dataclass(frozen=True, slots=True)
class TlsSettings:
    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_ca: bytes = b""
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    allowed_sans: tuple[str, ...] = ()
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()  # OpenSSL's names, for TLS 1.2
    server_order: bool = True
    curve: str = ""  # OpenSSL's name


def context(settings: TlsSettings) -> ssl.SSLContext:
    """Raises TlsProblem."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = settings.minimum
    made.maximum_version = settings.maximum
    made.set_alpn_protocols(["http/1.1"])
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if settings.server_order:
        made.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        if settings.ciphers:
            made.set_ciphers(":".join(settings.ciphers))
    except ssl.SSLError:
        raise TlsProblem("cipher_suites", "this host's OpenSSL has none of them") from None
    if settings.curve:
        made.set_ecdh_curve(settings.curve)
    _load_pair(made, settings.certificate, settings.key)
    if settings.client_auth != ssl.CERT_NONE:
        try:
            made.load_verify_locations(cadata=settings.client_ca.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise TlsProblem("client_ca_file", "expected certificates in PEM form") from None
        made.verify_mode = settings.client_auth
    return made


def _load_pair(made: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL's interface in Python takes paths only. A memfd has one, and no disk under it; it works for a
    # process that gave up root and may not be dumped, because /proc/self/fd is always a process's own.
    certificate_fd, key_fd = _memory(certificate), _memory(key)
    try:
        made.load_cert_chain(
            f"/proc/self/fd/{certificate_fd}",
            f"/proc/self/fd/{key_fd}",
            password=_no_password,  # otherwise OpenSSL asks on the terminal
        )
    except _EncryptedKey:
        raise TlsProblem("key_file", "the key is encrypted; expected one without a passphrase") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsProblem("key_file", "the key does not belong to the certificate") from None
        which, what = ("cert_file", "certificate") if not _has(certificate, b"CERTIFICATE") else ("key_file", "key")
        raise TlsProblem(which, f"expected a {what} in PEM form ({error.reason or 'not readable'})") from None
    finally:
        os.close(certificate_fd)
        os.close(key_fd)


class _EncryptedKey(Exception):
    pass


def _no_password() -> str:
    raise _EncryptedKey


def _has(pem: bytes, what: bytes) -> bool:
    return b"-----BEGIN " + what + b"-----" in pem


def _memory(content: bytes) -> int:
    fd = os.memfd_create("scalpels-tls", os.MFD_CLOEXEC)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def names(certificate: dict[str, object]) -> list[str]:
    """The subject alternative names of SSLObject.getpeercert()."""
    found = certificate.get("subjectAltName", ())
    assert isinstance(found, tuple)
    return [str(plain_ip(value) or value) if kind == "IP Address" else value for kind, value in found]


def subject(certificate: dict[str, object]) -> str:
    """The common name, else the first alternative name, else "unnamed": who the client certificate speaks for."""
    parts = certificate.get("subject", ())
    assert isinstance(parts, tuple)
    common = [value for part in parts for kind, value in part if kind == "commonName"]
    found: Iterable[str] = [*common, *names(certificate), "unnamed"]
    return "".join(c for c in next(iter(found)) if c.isprintable())[:100]
