"""The format and the compression follow the request, as Prometheus asks; nonsense gets plain text."""

import pytest
from prometheus_client.exposition import choose_encoder

from scalpels_exporter.exposition.negotiate import PLAIN_004, accepts_gzip, choose_format

OM = "application/openmetrics-text"
OM_100 = f"{OM}; version=1.0.0; charset=utf-8"
PROMETHEUS_316 = (
    f"{OM};version=1.0.0;escaping=allow-utf-8;q=0.7,{OM};version=0.0.1;q=0.6,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
)
PROMETHEUS_242 = f"{OM};version=1.0.0,{OM};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_220 = f"{OM}; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
UNDERSCORES = "; escaping=underscores"


@pytest.mark.parametrize(
    ("accept", "form", "content_type"),
    [
        (PROMETHEUS_316, "openmetrics", f"{OM_100}; escaping=allow-utf-8"),
        (f"{PROTOBUF};q=0.8,{PROMETHEUS_316}", "openmetrics", f"{OM_100}; escaping=allow-utf-8"),
        (PROMETHEUS_242, "openmetrics", OM_100 + UNDERSCORES),
        (PROMETHEUS_220, "openmetrics", f"{OM}; version=0.0.1; charset=utf-8"),
        (CHROME, "text", PLAIN_004),
        ("", "text", PLAIN_004),
        ("*/*", "text", PLAIN_004),
        ("text/*", "text", PLAIN_004),
        ("application/*", "openmetrics", OM_100),
        (OM, "openmetrics", OM_100),
        (OM.upper(), "openmetrics", OM_100),
        (f'{OM}; version="1.0.0"', "openmetrics", OM_100 + UNDERSCORES),
        (f"{OM};version=1.0.0;escaping=wild", "openmetrics", OM_100 + UNDERSCORES),
        (f"{OM};version=1.0.0;escaping=dots", "openmetrics", f"{OM_100}; escaping=dots"),
        (f"{OM};version=2.0.0", "text", PLAIN_004),
        (f"{OM};version=2.0.0,{OM};version=1.0.0;q=0.1", "openmetrics", OM_100 + UNDERSCORES),
        ("text/plain;version=1.0.0", "text", f"text/plain; version=1.0.0; charset=utf-8{UNDERSCORES}"),
        ("text/plain;version=0.0.4", "text", PLAIN_004),
        (f"{OM};q=0.3,text/plain;q=0.9", "text", PLAIN_004),
        (f"text/plain;q=0.3,{OM};q=0.9", "openmetrics", OM_100),
        (f"{OM};q=0", "text", PLAIN_004),
        (f"{OM};q=0,*/*;q=0.1", "text", PLAIN_004),
        (f"{OM};q=nan,text/plain;q=0.5", "text", PLAIN_004),
        (f"{OM};q=high", "openmetrics", OM_100),
        ("application/json", "text", PLAIN_004),
        (";;;,,,=;q=", "text", PLAIN_004),
        ("\x00\xff" * 100, "text", PLAIN_004),
        ("a/b," * 10000 + OM, "text", PLAIN_004),
    ],
)
def test_the_format_that_is_asked_for_is_given(accept: str, form: str, content_type: str) -> None:
    chosen = choose_format(accept)
    assert (chosen.form, chosen.content_type) == (form, content_type)


@pytest.mark.parametrize(
    "accept",
    [PROMETHEUS_316, PROMETHEUS_242, "", "*/*", CHROME, OM, "text/plain;version=0.0.4", "text/plain;version=1.0.0"]
    + [f"{OM};version=1.0.0;escaping={scheme}" for scheme in ("allow-utf-8", "underscores", "dots", "values", "x")],
)
def test_the_content_type_is_prometheus_clients(accept: str) -> None:
    assert choose_format(accept).content_type == choose_encoder(accept)[1]


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate", False),
        ("", False),
        ("identity", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("gzip;q=0.5, identity;q=0.9", False),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("identity;q=0", False),
        ("gzip;q=1.0, *;q=0", True),
        ("gzip;q=nonsense", True),
        (",,;", False),
    ],
)
def test_gzip_is_given_to_those_who_ask(accept_encoding: str, gzip: bool) -> None:
    assert accepts_gzip(accept_encoding) is gzip
