"""The rules of a declaration: each by a sound one with one thing changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scalpels_exporter.declare import (
    Binding,
    Columns,
    Command,
    Counter,
    Explicit,
    Exponential,
    Format,
    Gauge,
    Generator,
    Histogram,
    Info,
    Lines,
    Log2,
    Logfmt,
    Metric,
    Needs,
    OpenMetrics,
    Parameter,
    Tracer,
)
from scalpels_exporter.soundness import problems

SOUND = Tracer(
    name="vpn",
    help="Traffic of the VPN.",
    metrics=(
        Counter("scalpels_vpn_received_bytes_total", "Bytes received.", ("peer",), "bytes"),
        Gauge("scalpels_vpn_peers", "Peers."),
        Histogram("scalpels_vpn_seconds", "Round trips.", ("peer",), "seconds"),
    ),
    runs=Generator(),
    parameters=(
        Parameter("every", "duration", "10s", "How often.", least=1),
        Parameter("calls", "texts", ("a", "b"), "Which.", choices=("a", "b", "c")),
    ),
    needs=Needs(capabilities=("CAP_NET_ADMIN", "CAP_BPF"), commands=("wg",)),
    picture="scalpels_vpn_peers",
)


def test_a_sound_declaration_has_no_problems() -> None:
    assert problems(SOUND) == []


def test_an_info_ends_in_info() -> None:
    assert (
        problems(replace(SOUND, metrics=(Info("scalpels_vpn_peer_info", "What it is.", ("peer",)),), picture="")) == []
    )


def test_a_metric_may_bear_the_tracers_name_alone() -> None:
    assert problems(replace(SOUND, metrics=(Gauge("scalpels_vpn", "Up."),), picture="")) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"help": ""}, ["help: expected a sentence, got nothing"]),
        ({"help": "a\nb"}, ["help: expected one line without control characters"]),
        ({"help": "a" * 401}, ["help: expected at most 400 characters, got 401"]),
        ({"metrics": (), "picture": ""}, ["metrics: expected at least one"]),
        ({"series": 0}, ["series: expected 1 to 1000000, got 0"]),
        ({"picture": "scalpels_vpn_x"}, ['picture: expected the name of a declared metric, got "scalpels_vpn_x"']),
        ({"overhead": "a\nb"}, ["overhead: expected one line"]),
        ({"needs": Needs(capabilities=("CAP_NET", "NET_ADMIN"))},
         ["needs: CAP_NET is no Linux capability", "needs: NET_ADMIN is no Linux capability"]),
        ({"runs": Generator("a b")}, ['runs: expected the name of a function, got "a b"']),
        ({"runs": Generator(format=OpenMetrics())}, ["runs: a generator's format is Samples"]),
        ({"runs": Command(())}, ["runs: expected a command"]),
        ({"runs": Command((" ", "x"))}, ["runs: expected a command"]),
        ({"runs": Command(("a\0b",))}, ["runs: a command's words hold no NUL"]),
        ({"runs": Command(("a",), mode="once")}, ['runs: expected the mode stream, ticked or rerun, got "once"']),
        # fields of the wrong type are told before anything else
        ({"name": 7}, ["name: expected a text, got 7"]),
        ({"series": True}, ["series: expected a whole number, got True"]),
        ({"metrics": [Gauge("a", "b")]}, ["metrics: expected a tuple of Metrics, got "
                                          "[Gauge(name='a', help='b', labels=(), unit='', series=1000)]"]),
        ({"needs": Needs(packages={"wg": 1})}, ["needs.packages: expected a mapping of texts, got {'wg': 1}"]),  # type: ignore[dict-item]
        ({"needs": Needs(kernel=(5,))}, ["needs.kernel: expected a tuple of 2, got (5,)"]),  # type: ignore[arg-type]
        ({"metrics": (Gauge("scalpels_vpn_x", "x", ("peer")),)},  # type: ignore[arg-type]
         ["metrics[0].labels: expected a tuple of texts, got 'peer'"]),
        ({"runs": Command(("a",), Lines(bindings=(Binding("x", scale="1"),)))},  # type: ignore[arg-type]
         ["runs.format.bindings[0].scale: expected a number, got '1'"]),
        ({"metrics": (Histogram("scalpels_vpn_x", "x", buckets=(1, 2)),)},  # type: ignore[arg-type]
         ["metrics[0].buckets: expected an Exponential or an Explicit, got (1, 2)"]),
    ],
)  # fmt: skip
def test_a_broken_tracer_is_told_why(changes: dict[str, Any], expected: list[str]) -> None:
    assert problems(replace(SOUND, **changes)) == expected


@pytest.mark.parametrize("name", ["agent", "worker", "fleet", "tracer", "build"])
def test_the_agents_own_words_are_no_tracers(name: str) -> None:
    tracer = replace(SOUND, name=name, metrics=(Gauge(f"scalpels_{name}_x", "X."),), picture="")
    assert problems(tracer) == [f'name: "{name}" is reserved for the agent\'s own metrics']


@pytest.mark.parametrize("name", ["", "a", "Vpn", "my_vpn", "my-vpn", "4g", "a" * 17, "vpn ", "vpn\n", "müll"])
def test_a_tracers_name_is_short_and_lower_case(name: str) -> None:
    assert problems(replace(SOUND, name=name))[0] == (
        f'name: expected 2 to 16 lower-case letters and digits, a letter first, got "{name}"'
    )


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Info("scalpels_vpn_peer", "X."), "an info's name ends in _info"),
        (Gauge("scalpels_ovs_x", "X."), "expected a name that begins with scalpels_vpn_"),
        (Gauge("scalpels_vpnx", "X."), "expected a name that begins with scalpels_vpn_"),
        (Gauge("vpn_x", "X."), "expected a name that begins with scalpels_vpn_"),
        (Gauge("scalpels_vpn_X", "X."), "expected a name of lower-case words joined by single underscores"),
        (Gauge("scalpels_vpn__x", "X."), "expected a name of lower-case words joined by single underscores"),
        (Gauge("scalpels_vpn_x:y", "X."), "expected a name of lower-case words joined by single underscores"),
        (Gauge("scalpels_vpn_" + "x" * 120, "X."), "expected a name of at most 120 characters"),
        (Counter("scalpels_vpn_x", "X."), "a counter's name ends in _total"),
        (Gauge("scalpels_vpn_x_total", "X."), "a gauge's name does not end in _total"),
        (Histogram("scalpels_vpn_x_bucket", "X."), "a histogram's name does not end in _bucket"),
        (Counter("scalpels_vpn_x_count_total", "X."), "a counter's name does not end in _count"),
        (Gauge("scalpels_vpn_x_info", "X."), "a gauge's name does not end in _info"),
        (Gauge("scalpels_vpn_x", "X.", (), "bytes"), "the unit bytes is not the end of the name (before _total)"),
        (Counter("scalpels_vpn_bytes_x_total", "X.", (), "bytes"),
         "the unit bytes is not the end of the name (before _total)"),
        (Gauge("scalpels_vpn_x_bytes", "X."), 'the name says bytes: declare unit="bytes"'),
        (Gauge("scalpels_vpn_x_ms", "X."), "ms is no base unit; use seconds, bytes, ratio … and a scale"),
        (Counter("scalpels_vpn_x_kilobytes_total", "X."),
         "kilobytes is no base unit; use seconds, bytes, ratio … and a scale"),
        (Gauge("scalpels_vpn_x", " "), "help: expected a sentence, got nothing"),
        (Gauge("scalpels_vpn_x", "a\tb"), "help: expected one line without control characters"),
        (Gauge("scalpels_vpn_x", "X.", series=0), "series: expected 1 to 1000000, got 0"),
        (Metric("scalpels_vpn_x", "X."), "expected a Counter, Gauge or Histogram"),
        (Gauge("scalpels_vpn_x", "X.", ("a", "b", "a")), "label a: declared twice"),
        (Gauge("scalpels_vpn_x", "X.", tuple("abcdefghi")), "expected at most 8 labels, got 9"),
        (Gauge("scalpels_vpn_x", "X.", ("Peer",)),
         'label "Peer": expected lower-case words joined by single underscores'),
        (Gauge("scalpels_vpn_x", "X.", ("__x",)),
         'label "__x": expected lower-case words joined by single underscores'),
        (Gauge("scalpels_vpn_x", "X.", ("",)), 'label "": expected lower-case words joined by single underscores'),
        (Histogram("scalpels_vpn_x", "X.", buckets=Exponential(4, 4)),
         "buckets: expected -40 <= lowest < highest <= 60, got 4 and 4"),
        (Histogram("scalpels_vpn_x", "X.", buckets=Exponential(-50, 4)),
         "buckets: expected -40 <= lowest < highest <= 60, got -50 and 4"),
        (Histogram("scalpels_vpn_x", "X.", buckets=Explicit(())), "buckets: expected 1 to 100 bounds, got 0"),
        (Histogram("scalpels_vpn_x", "X.", buckets=Explicit((1.0, 1.0))), "buckets: expected ascending bounds"),
        (Histogram("scalpels_vpn_x", "X.", buckets=Explicit((2.0, 1.0))), "buckets: expected ascending bounds"),
        (Histogram("scalpels_vpn_x", "X.", buckets=Explicit((1.0, float("inf")))),
         "buckets: expected finite bounds (+Inf is added)"),
        (Histogram("scalpels_vpn_x", "X.", buckets=Explicit((float("nan"),))),
         "buckets: expected finite bounds (+Inf is added)"),
    ],
)  # fmt: skip
def test_a_broken_metric_is_told_why(metric: Metric, expected: str) -> None:
    tracer = replace(SOUND, metrics=(metric,), picture="")
    assert problems(tracer) == [f"metric {metric.name}: {expected}"]


@pytest.mark.parametrize(
    "label",
    ["service", "instance", "job", "pod", "namespace", "container", "type", "env", "cluster", "le", "quantile"],
)
def test_labels_that_clash_are_refused(label: str) -> None:
    tracer = replace(SOUND, metrics=(Gauge("scalpels_vpn_x", "X.", (label,)),), picture="")
    assert problems(tracer) == [
        f'metric scalpels_vpn_x: label "{label}" clashes with labels that Prometheus or the target gives'
    ]


def test_a_pid_is_never_a_label() -> None:
    tracer = replace(SOUND, metrics=(Gauge("scalpels_vpn_x", "X.", ("pid",)),), picture="")
    assert problems(tracer) == ['metric scalpels_vpn_x: label "pid" would make a series for each process; use program']


@pytest.mark.parametrize(
    "metrics",
    [
        (Gauge("scalpels_vpn_x", "X."), Gauge("scalpels_vpn_x", "Y.")),
        (Gauge("scalpels_vpn_x", "X."), Counter("scalpels_vpn_x_total", "Y.")),  # one family in OpenMetrics
    ],
)
def test_no_two_metrics_make_one_family(metrics: tuple[Metric, ...]) -> None:
    assert problems(replace(SOUND, metrics=metrics, picture="")) == ["metric scalpels_vpn_x: declared twice"]


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (Parameter("Every", "text", "", "H."), "expected a name of lower-case words joined by single underscores"),
        (Parameter("series", "integer", 1, "H."), "the name is a key of every tracer's section"),
        (Parameter("a", "text", "", ""), "help: expected a sentence, got nothing"),
        (Parameter("a", "float", 1.0, "H."),
         'default: the kind "float" is none of integer, number, text, switch, duration, texts, pattern'),
        (Parameter("a", "integer", 1.5, "H."), "default: expected a whole number, got the number 1.5"),
        (Parameter("a", "integer", True, "H."), "default: expected a whole number, got on"),
        (Parameter("a", "integer", 0, "H.", least=1), "default: expected at least 1, got the number 0"),
        (Parameter("a", "integer", 9, "H.", most=8), "default: expected at most 8, got the number 9"),
        (Parameter("a", "number", float("nan"), "H."), "default: expected a number, got the number nan"),
        (Parameter("a", "number", 2, "H.", least=0, most=1), "default: expected 0 to 1, got the number 2"),
        (Parameter("a", "switch", 1, "H."), "default: expected on or off, got the number 1"),
        (Parameter("a", "text", None, "H."), "default: expected a text, got nothing"),
        (Parameter("a", "text", "x", "H.", choices=("y", "z")), 'default: expected one of y, z, got the text "x"'),
        (Parameter("a", "texts", "x", "H."), 'default: expected a list of texts, got the text "x"'),
        (Parameter("a", "texts", ("x", "x"), "H."), 'default: expected each text once, got "x" twice'),
        (Parameter("a", "texts", (), "H.", least=1), "default: expected at least 1 texts, got 0"),
        (Parameter("a", "duration", "soon", "H."),
         'default: expected a duration such as 10s, 5m or 1h30m, got "soon"'),
        (Parameter("a", "duration", -1, "H."),
         "default: expected a duration such as 10s, 5m or 1h30m, got the number -1"),
        (Parameter("a", "duration", "1s", "H.", least=5), 'default: expected at least 5 s, got the text "1s"'),
        (Parameter("a", "pattern", "(", "H."),
         'default: "(" is no regular expression: missing ), unterminated subpattern at character 1'),
        (Parameter("a", "integer", 1, "H.", least=2, most=0), "expected least <= most, got 2 and 0"),
        (Parameter("a", "integer", 1, "H.", choices=("1",)), "only a text or texts can have choices"),
    ],
)  # fmt: skip
def test_a_broken_parameter_is_told_why(parameter: Parameter, expected: str) -> None:
    assert problems(replace(SOUND, parameters=(parameter,)))[0] == f"parameter {parameter.name}: {expected}"


def test_a_parameter_is_declared_once() -> None:
    one = Parameter("a", "text", "", "H.")
    assert problems(replace(SOUND, parameters=(one, one))) == ["parameter a: declared twice"]


PEERS = Gauge("scalpels_vpn_peers", "Peers.", ("site",))
LATE = Histogram("scalpels_vpn_seconds", "Late.", ("site",), "seconds")
PATTERN = r"(?P<site>\w+) (?P<value>\d+)"
SITE = {"site": "site"}


@pytest.mark.parametrize(
    ("metric", "format", "expected"),
    [
        (PEERS, Lines(PATTERN, (Binding(PEERS.name, labels=SITE),)), []),
        (PEERS, Lines("", (Binding(PEERS.name, labels={"site": "unit"}),)), []),
        (LATE, Log2((Binding(LATE.name, labels={"site": "section"}),)), []),
        (LATE, Log2((Binding(LATE.name, labels={"site": "section"}, counts="totals"),)), []),
        (PEERS, Columns("^Site", r"\s+", (Binding(PEERS.name, "n", SITE, -1.0),)), []),
        (PEERS, Logfmt((Binding(PEERS.name, "n", SITE),)), []),
        (PEERS, Lines(PATTERN), [f"the metric {PEERS.name} has no binding"]),
        (PEERS, Lines(PATTERN, (Binding("x"), Binding(PEERS.name, labels=SITE))),
         ['a binding names the metric "x", which is not declared']),
        (PEERS, Lines(PATTERN, (Binding(PEERS.name),)),
         [f"binding of {PEERS.name}: expected the labels site, got none"]),
        (PEERS, Lines(PATTERN, (Binding(PEERS.name, labels=SITE | {"a": "value"}),)),
         [f"binding of {PEERS.name}: expected the labels site, got site, a"]),
        (PEERS, Lines(PATTERN, (Binding(PEERS.name, "n", SITE),)),
         [f'binding of {PEERS.name}: the records have no field "n", only site, value']),
        (PEERS, Lines(r"(\d+)", (Binding(PEERS.name, labels=SITE),)),
         [f'binding of {PEERS.name}: the records have no field "{name}", because the pattern has no named group: '
          f'(?P<{name}>…)' for name in ("value", "site")]),
        (PEERS, Lines("", (Binding(PEERS.name, labels=SITE),)),
         [f'binding of {PEERS.name}: the records have no field "site", only value, unit']),
        (PEERS, Lines("(", (Binding(PEERS.name, labels=SITE),)),
         ['pattern: "(" is no regular expression: missing ), unterminated subpattern at character 1']),
        (PEERS, Lines(r"(?P<value>\d*)(?P<site>\w*)", (Binding(PEERS.name, labels=SITE),)),
         ["pattern: matches the empty text"]),
        (PEERS, Columns("(", "", (Binding(PEERS.name, labels=SITE),)),
         ["separator: expected a regular expression, got nothing",
          'header: "(" is no regular expression: missing ), unterminated subpattern at character 1']),
        (PEERS, Columns("", r"\s*", (Binding(PEERS.name, labels=SITE),)), ["separator: matches the empty text"]),
        (PEERS, Lines(PATTERN, (Binding(PEERS.name, labels=SITE, counts="rate"),)),
         [f'binding of {PEERS.name}: counts: expected increments or totals, got "rate"']),
        (PEERS, Lines(PATTERN, (Binding(PEERS.name, labels=SITE, scale=0),)),
         [f"binding of {PEERS.name}: scale: expected a number other than 0, got 0"]),
        (LATE, Lines(PATTERN, (Binding(LATE.name, labels=SITE, scale=-1),)),
         [f"binding of {LATE.name}: scale: expected a number above 0 for a histogram, got -1"]),
        (LATE, Lines(PATTERN, (Binding(LATE.name, labels=SITE, counts="totals"),)),
         [f"binding of {LATE.name}: counts: an observation of a histogram is no total"]),
        (PEERS, Log2((Binding(PEERS.name, labels={"site": "section"}),)),
         [f"binding of {PEERS.name}: the format log2 fills a histogram, not a gauge"]),
        (LATE, Log2(()), ["the format log2 has exactly one binding, got 0"]),
        (LATE, Log2((Binding(LATE.name, labels={"site": "section"}),) * 2),
         ["the format log2 has exactly one binding, got 2"]),
        (LATE, Log2((Binding(LATE.name, labels={"site": "disk"}),)),
         [f'binding of {LATE.name}: the records have no field "disk", only section']),
    ],
)  # fmt: skip
def test_bindings_name_declared_metrics_and_fields_that_records_have(
    metric: Metric, format: Format, expected: list[str]
) -> None:
    tracer = replace(SOUND, metrics=(metric,), runs=Command(("wg",), format), picture="")
    assert problems(tracer) == [f"runs: {line}" for line in expected]
