"""Tracers written in YAML alone: what each text becomes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scalpels_exporter.config.settings import Settings
from scalpels_exporter.declare import (
    Binding,
    Columns,
    Command,
    Counter,
    Explicit,
    Exponential,
    Gauge,
    Histogram,
    Lines,
    Log2,
    Logfmt,
    Metric,
    OpenMetrics,
    Samples,
    Tracer,
)
from scalpels_exporter.soundness import problems

Configured = Callable[[str], Settings]


@pytest.fixture(name="vpn")
def vpn_fixture(configured: Configured) -> Callable[[str], Tracer]:
    """The tracer `vpn` with these lines in its section."""

    def vpn(lines: str) -> Tracer:
        indented = "\n".join("    " + line for line in lines.splitlines())
        chosen = configured(f"tracers:\n  vpn:\n{indented}\n").tracers["vpn"]
        assert chosen.enabled
        assert (chosen.stem, chosen.parameters) == ("", {})
        assert not problems(chosen.tracer)
        return chosen.tracer

    return vpn


def test_three_lines_make_a_tracer_of_a_script_that_prints_numbers(configured: Configured) -> None:
    text = "tracers:\n  vpn:\n    command: /bin/sh -c 'echo 12.00 pkt/s 3400.00 byte/s'\n"
    assert text.count("\n") == 3
    chosen = configured(text).tracers["vpn"]
    assert chosen.tracer == Tracer(
        name="vpn",
        help="What /bin/sh -c echo 12.00 pkt/s 3400.00 byte/s prints.",
        metrics=(
            Gauge(
                "scalpels_vpn_value",
                "Numbers that /bin/sh -c echo 12.00 pkt/s 3400.00 byte/s prints, by the word after each.",
                ("unit",),
            ),
        ),
        runs=Command(
            ("/bin/sh", "-c", "echo 12.00 pkt/s 3400.00 byte/s"),
            Lines(bindings=(Binding("scalpels_vpn_value", "value", {"unit": "unit"}),)),
        ),
        default=True,
    )
    assert (chosen.enabled, chosen.series) == (True, 2000)


def test_the_example_of_the_documentation_is_read_as_it_says(vpn: Callable[[str], Tracer]) -> None:
    tracer = vpn(
        r"""command: [sh]
format: lines
pattern: '(?P<peer>\S+) (?P<value>\d+)'
metric: {name: scalpels_vpn_received_bytes_total, type: counter, help: Bytes received, labels: [peer]}
series: 50
help: Traffic of the VPN.
"""
    )
    assert tracer.metrics == (Counter("scalpels_vpn_received_bytes_total", "Bytes received", ("peer",), "bytes"),)
    assert isinstance(tracer.runs, Command)
    assert tracer.runs.format == Lines(
        r"(?P<peer>\S+) (?P<value>\d+)", (Binding("scalpels_vpn_received_bytes_total", "value", {"peer": "peer"}),)
    )
    assert (tracer.help, tracer.series, tracer.needs.commands) == ("Traffic of the VPN.", 50, ("sh",))


@pytest.mark.parametrize(
    ("pattern", "metrics"),
    [
        (r"(?P<value>\d+)", [Gauge("scalpels_vpn_value", "Numbers that sh prints.")]),
        (r"(?P<peer>\S+) (?P<value>\d+)", [Gauge("scalpels_vpn_value", "Numbers that sh prints.", ("peer",))]),
        (
            r"(?P<peer>\S+) (?P<value_rx>\d+) (?P<value_tx>\d+)",
            [
                Gauge("scalpels_vpn_rx", "Numbers that sh prints.", ("peer",)),
                Gauge("scalpels_vpn_tx", "Numbers that sh prints.", ("peer",)),
            ],
        ),
    ],
)
def test_a_pattern_without_a_metric_makes_gauges_of_its_value_groups(
    pattern: str, metrics: list[Metric], vpn: Callable[[str], Tracer]
) -> None:
    tracer = vpn(f"command: sh\npattern: '{pattern}'")
    assert list(tracer.metrics) == metrics


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("{name: scalpels_vpn_peers}", Gauge("scalpels_vpn_peers", "As printed by sh.")),
        ("{name: scalpels_vpn_x_total}", Counter("scalpels_vpn_x_total", "As printed by sh.")),
        (
            "{name: scalpels_vpn_seconds, buckets: [0.1, 1], series: 5}",
            Histogram("scalpels_vpn_seconds", "As printed by sh.", (), "seconds", 5, Explicit((0.1, 1.0))),
        ),
        (
            "{name: scalpels_vpn_seconds, type: histogram}",
            Histogram("scalpels_vpn_seconds", "As printed by sh.", (), "seconds", 1000, Exponential()),
        ),
        ("{name: scalpels_vpn_dbm, unit: dbm, help: Level}", Gauge("scalpels_vpn_dbm", "Level", (), "dbm")),
    ],
)
def test_what_a_metric_does_not_say_is_taken_from_its_name(
    metric: str, expected: Metric, vpn: Callable[[str], Tracer]
) -> None:
    assert vpn(f"command: sh\nmetric: {metric}").metrics == (expected,)


@pytest.mark.parametrize(
    ("format", "mode", "kind", "counts"),
    [
        ("lines", "stream", "counter", "increments"),
        ("logfmt", "stream", "counter", "increments"),
        ("columns", "stream", "counter", "totals"),
        ("lines", "rerun", "counter", "totals"),
        ("logfmt", "ticked", "counter", "totals"),
        ("columns", "rerun", "histogram", "increments"),
        ("lines", "rerun", "gauge", "increments"),
    ],
)
def test_a_counters_number_is_an_increment_in_a_stream_of_events_and_a_total_in_a_table(
    format: str, mode: str, kind: str, counts: str, vpn: Callable[[str], Tracer]
) -> None:
    name = "scalpels_vpn_x_total" if kind == "counter" else "scalpels_vpn_x"
    tracer = vpn(f"command: sh\nformat: {format}\nmode: {mode}\nmetric: {{name: {name}, type: {kind}}}")
    assert isinstance(tracer.runs, Command)
    assert isinstance(tracer.runs.format, Lines | Columns | Logfmt)
    assert tracer.runs.format.bindings[0].counts == counts
    assert tracer.ticked is (mode != "stream")


def test_columns_take_their_header_and_separator_and_fields(vpn: Callable[[str], Tracer]) -> None:
    tracer = vpn(
        """command: cat /proc/net/dev
format: columns
mode: rerun
header: '^Iface'
separator: '[:|\\s]+'
metrics:
  - {name: scalpels_vpn_received_bytes_total, value: bytes, labels: {device: Iface}}
  - {name: scalpels_vpn_seconds_total, value: ms, scale: 0.001, labels: {device: Iface}}
"""
    )
    assert tracer.runs == Command(
        ("cat", "/proc/net/dev"),
        Columns(
            "^Iface",
            "[:|\\s]+",
            (
                Binding("scalpels_vpn_received_bytes_total", "bytes", {"device": "Iface"}, 1.0, "totals"),
                Binding("scalpels_vpn_seconds_total", "ms", {"device": "Iface"}, 0.001, "totals"),
            ),
        ),
        "rerun",
    )


def test_columns_can_be_named_and_lines_skipped(vpn: Callable[[str], Tracer]) -> None:
    table = vpn(
        "command: df -P\nformat: columns\nmode: rerun\ncolumns: [disk, used, mount]\n"
        "metric: {name: scalpels_vpn_used_bytes, value: used, labels: [mount]}"
    )
    assert isinstance(table.runs, Command)
    assert isinstance(table.runs.format, Columns)
    assert table.runs.format.names == ("disk", "used", "mount")
    lines = vpn("command: sh\nskip: '^total|^$'")
    assert isinstance(lines.runs, Command)
    assert isinstance(lines.runs.format, Lines)
    assert (lines.runs.format.pattern, lines.runs.format.skip) == ("", "^total|^$")


def test_log2_has_the_bounds_that_the_tools_print(vpn: Callable[[str], Tracer]) -> None:
    tracer = vpn(
        "command: biolatency 1\nformat: log2\nprivileged: on\n"
        "metric: {name: scalpels_vpn_seconds, scale: 0.000001, labels: {device: section}}"
    )
    (metric,) = tracer.metrics
    assert isinstance(metric, Histogram)
    bounds = metric.buckets.bounds()
    assert len(bounds) == 31
    assert bounds[:3] == pytest.approx((1e-6, 3e-6, 7e-6))
    assert tracer.runs == Command(
        ("biolatency", "1"),
        Log2((Binding("scalpels_vpn_seconds", "value", {"device": "section"}, 1e-6),)),
        privileged=True,
    )


@pytest.mark.parametrize(("format", "expected"), [("samples", Samples()), ("openmetrics", OpenMetrics())])
def test_formats_that_name_their_metrics_have_no_bindings(
    format: str, expected: Samples | OpenMetrics, vpn: Callable[[str], Tracer]
) -> None:
    tracer = vpn(f"command: sh\nformat: {format}\nmetric: {{name: scalpels_vpn_peers, labels: [site]}}")
    assert isinstance(tracer.runs, Command)
    assert tracer.runs.format == expected
    assert tracer.metrics == (Gauge("scalpels_vpn_peers", "As printed by sh.", ("site",)),)


def test_a_script_tracer_can_wait_to_be_started_by_hand(configured: Configured) -> None:
    chosen = configured("budgets: {series: 9}\ntracers:\n  vpn: {command: sh, default: off}").tracers["vpn"]
    assert (chosen.enabled, chosen.series) == (False, 9)


def test_a_long_command_is_cut_in_the_help(vpn: Callable[[str], Tracer]) -> None:
    tracer = vpn('command: |\n  sh -c "\n  echo 1 ' + "x" * 200 + '"')
    assert len(tracer.help) < 120
    assert tracer.help.isprintable()
