"""--web.config.file: what is read, what it means, and every mistake with its line."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import bcrypt
import pytest

from scalpels_exporter.config.settings import Mistakes
from scalpels_exporter.web import webfiles
from scalpels_exporter.web.webconfig import WebConfig, check
from scalpels_exporter.web.webfiles import WebFiles

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"


@pytest.fixture
def pair(authority, tmp_path):
    """server.crt, server.key and ca.crt beside the configuration."""
    certificate, key = authority.issue("server")
    for source, name in ((certificate, "server.crt"), (key, "server.key"), (authority.ca, "ca.crt")):
        (tmp_path / name).write_bytes(source.read_bytes())
    return tmp_path


def checked(text: str) -> WebConfig:
    """Of a configuration that names no file."""
    return check(WebFiles("web.yml", text, {}, ()))


def mistakes(text: str) -> list[str]:
    with pytest.raises(Mistakes) as problem:
        checked(text)
    return [str(mistake) for mistake in problem.value.found]


def test_an_empty_file_asks_for_nothing():
    assert checked("") == WebConfig()
    assert checked("# nothing\ntls_server_config:\nbasic_auth_users: {}\n").empty


def test_every_key_of_the_exporter_toolkit_is_understood(pair):
    text = f"""
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example.org]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: true
  curve_preferences: [CurveP256]
http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 0
    Content-Security-Policy: default-src 'self'
basic_auth_users:
  alice: {HASH}
rate_limit:
  interval: 500ms
  burst: 20
"""
    (pair / "web.yml").write_text(text)
    found = check(webfiles.read(str(pair / "web.yml")))
    assert found.tls is not None
    assert found.context is not None
    assert found.tls.allowed_sans == ("prometheus.example.org",)
    assert [suite["name"] for suite in found.context.get_ciphers() if suite["protocol"] == "TLSv1.2"] == [
        "ECDHE-ECDSA-AES128-GCM-SHA256"
    ]
    assert dict(found.headers)["X-XSS-Protection"] == "0"
    assert len(found.headers) == 5
    assert found.users == {"alice": HASH.encode()}
    assert (found.interval, found.burst, found.notes) == (0.5, 20, ())


def test_what_cannot_be_done_is_noted_and_not_taken_silently(pair):
    text = """
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  min_version: TLS10
  client_auth_type: RequestClientCert
  curve_preferences: [CurveP256, X25519]
http_server_config: {http2: true}
"""
    (pair / "web.yml").write_text(text)
    notes = check(webfiles.read(str(pair / "web.yml"))).notes
    assert [note.partition(": ")[0] for note in sorted(notes)] == [
        "http_server_config.http2",
        "tls_server_config.client_auth_type",
        "tls_server_config.curve_preferences",
        "tls_server_config.min_version",
    ]


def test_certificate_and_key_may_stand_in_the_file_itself(authority):
    certificate, key = authority.issue("inline")

    def block(text: str) -> str:
        return "|\n" + "".join(f"    {line}\n" for line in text.splitlines())

    text = f"tls_server_config:\n  cert: {block(certificate.read_text())}  key: {block(key.read_text())}"
    assert checked(text).context is not None


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[]", ["web.yml: expected a mapping, got a list"]),
        ("tls_server_confg: {}", ["web.yml:1: tls_server_confg: unknown key; did you mean tls_server_config?"]),
        ("a: [", ["web.yml:1: no YAML:"]),
        (
            "basic_auth_users:\n  alice: secret\n  bob: 12345\n",
            [
                "web.yml:2: basic_auth_users.alice: expected a bcrypt hash ($2y$…, 60 characters)",
                "web.yml:3: basic_auth_users.bob: expected a bcrypt hash ($2y$…, 60 characters)",
            ],
        ),
        (
            f"basic_auth_users:\n  alice: {HASH.replace('$10$', '$31$')}\n",
            ["web.yml:2: basic_auth_users.alice: expected a bcrypt cost from 4 to 18, got 31"],
        ),
        (
            f"basic_auth_users:\n  'a:b': {HASH}\n",
            ["web.yml:2: basic_auth_users.a:b: expected a printable user name without a colon"],
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: maybe\n    Server: me\n",
            [
                "web.yml:3: http_server_config.headers.X-Frame-Options: expected deny or sameorigin, got 'maybe'",
                "web.yml:4: http_server_config.headers.Server: unknown key",
            ],
        ),
        (
            'http_server_config:\n  headers:\n    X-XSS-Protection: "a\\r\\nSet-Cookie: b"\n',
            ["web.yml:3: http_server_config.headers.X-XSS-Protection: expected one line of printable ASCII"],
        ),
        ("rate_limit:\n  interval: 1s\n", ["web.yml:2: rate_limit.interval: expected a burst of at least 1, got none"]),
        (
            "rate_limit:\n  interval: 1\n  burst: many\n",
            [
                "web.yml:2: rate_limit.interval: expected a duration with its unit, such as 1s",
                "web.yml:3: rate_limit.burst: expected",
            ],
        ),
        (
            "tls_server_config:\n  min_version: TLS14\n",
            [
                "web.yml:1: tls_server_config: cert_file: expected cert_file or cert, got neither",
                "web.yml:1: tls_server_config: key_file: expected key_file or key, got neither",
                "web.yml:2: tls_server_config.min_version: expected one of TLS12, TLS13, got 'TLS14'",
            ],
        ),
        (
            "tls_server_config:\n  cert: x\n  cert_file: x\n  key: [secret]\n",
            [
                "web.yml:2: tls_server_config.cert: expected one of cert and cert_file, got both",
                "web.yml:4: tls_server_config.key: expected a text",
            ],
        ),
        (
            "tls_server_config:\n  cert: x\n  key: x\n",
            ["web.yml:2: tls_server_config.cert: expected a certificate in PEM form"],
        ),
        (
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: RequireAnyClientCert\n",
            ["web.yml:4: tls_server_config.client_auth_type: RequireAnyClientCert takes any certificate without"],
        ),
        (
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: Maybe\n",
            ["web.yml:4: tls_server_config.client_auth_type: expected one of NoClientCert, "],
        ),
        (
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: RequireAndVerifyClientCert\n",
            ["web.yml:1: tls_server_config: client_ca_file: RequireAndVerifyClientCert needs client_ca_file"],
        ),
        (
            "tls_server_config:\n  cert: x\n  key: x\n  client_ca: x\n  client_allowed_sans: [a]\n",
            [
                "web.yml:1: tls_server_config: client_auth_type: a client CA is given: expected RequireAndVerifyClient",
                "web.yml:5: tls_server_config.client_allowed_sans: needs client_auth_type: RequireAndVerifyClientCert",
            ],
        ),
        (
            "tls_server_config:\n  cert: x\n  key: x\n  min_version: TLS13\n  max_version: TLS12\n",
            ["web.yml:5: tls_server_config.max_version: expected at least min_version (TLS13), got TLS12"],
        ),
        (
            "tls_server_config:\n  cert: x\n  key: x\n  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n"
            "  curve_preferences: [CurveP224]\n",
            [
                "web.yml:4: tls_server_config.cipher_suites[0]: unknown cipher suite 'TLS_RSA_WITH_RC4_128_SHA'",
                "web.yml:5: tls_server_config.curve_preferences[0]: expected CurveP256, CurveP384, CurveP521,",
            ],
        ),
    ],
)
def test_every_mistake_is_one_line_with_its_place(text, lines):
    found = mistakes(text)
    assert len(found) == len(lines), found
    for got, expected in zip(found, lines, strict=True):
        assert got.startswith(expected)
        assert "\n" not in got


def test_a_password_that_is_no_hash_is_never_shown():
    assert "hunter2" not in "".join(mistakes("basic_auth_users:\n  alice: hunter2\n"))


def test_wrong_files_are_told_apart(pair, authority):
    def told(text: str) -> str:
        (pair / "web.yml").write_text("tls_server_config:\n  cert_file: server.crt\n  key_file: " + text)
        with pytest.raises(Mistakes) as problem:
            check(webfiles.read(str(pair / "web.yml")))
        return str(problem.value).replace(f"{pair}/", "")

    (pair / "other.key").write_bytes(authority.issue("other")[1].read_bytes())
    (pair / "none.key").write_text("none")
    (pair / "empty.key").write_text("")
    command = ["openssl", "ec", "-in", "server.key", "-aes128", "-passout", "pass:x", "-out", "locked.key"]
    subprocess.run(command, cwd=pair, check=True, capture_output=True)
    key = "web.yml:3: tls_server_config.key_file: "
    assert told("other.key") == f"{key}the key does not belong to the certificate"
    assert told("none.key").startswith(f"{key}expected a key in PEM form")
    assert told("empty.key") == f"{key}empty.key: the file is empty"
    assert told("locked.key") == f"{key}the key is encrypted; expected one without a passphrase"
    assert told("absent.key") == f"{key}absent.key: No such file or directory"
    assert told("/dev/zero") == f"{key}/dev/zero: not a regular file"
    assert told("server.key\n  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: none.key") == (
        "web.yml:5: tls_server_config.client_ca_file: expected certificates in PEM form"
    )


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(Mistakes) as problem:
        webfiles.read(str(tmp_path / "web.yml"))
    assert str(problem.value) == f"{tmp_path}/web.yml: No such file or directory"


def test_a_file_that_is_too_long_or_not_text_is_one_line(tmp_path):
    path = tmp_path / "web.yml"
    for content, why in ((b"#" * (webfiles.FILE_BYTES + 1), "longer than 1048576 bytes"), (b"\xff\xfe", "not UTF-8")):
        path.write_bytes(content)
        with pytest.raises(Mistakes) as problem:
            webfiles.read(str(path))
        assert str(problem.value) == f"{path}: {why}"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "web.yml")
    with pytest.raises(Mistakes, match="not a regular file"):
        webfiles.read(str(tmp_path / "web.yml"))


def test_what_was_read_travels_between_processes_and_shows_no_key(pair):
    (pair / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    found = webfiles.read(str(pair / "web.yml"))
    assert pickle.loads(pickle.dumps(found)) == found
    assert "PRIVATE" not in repr(found) + repr(check(found))


@pytest.mark.parametrize("name", ["web.yml", "server.crt", "server.key"])
def test_a_change_of_any_file_is_seen(pair, name):
    (pair / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    found = webfiles.read(str(pair / "web.yml"))
    assert not webfiles.changed(found)
    fresh = pair / "fresh"
    fresh.write_bytes((pair / name).read_bytes())
    fresh.replace(pair / name)
    assert webfiles.changed(found)


def test_asking_for_a_change_imports_no_yaml():
    code = "import sys, scalpels_exporter.web.webfiles as w; w.signature(['/']); sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_hashes_of_htpasswd_and_of_the_library_are_both_taken():
    for prefix in (b"2a", b"2b"):
        hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4, prefix)).decode()
        assert checked(f"basic_auth_users:\n  a: {hashed}\n").users == {"a": hashed.encode()}
