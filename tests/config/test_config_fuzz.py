"""Whatever a file holds: settings or mistakes of one line each, never anything else, and soon."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistakes, Settings

BUILTIN = Path(__file__).parent / "tracers"
RULES = ("name", "cmdline", "exe", "unit", "container")
WORDS = [
    *RULES,
    *("(?P<value>\\d+)", "(", "\\1", "[[a]", "/bin/sh"),
    *re.findall(
        r"\w+",
        """
        programs tracers tracer_folders budgets histograms overhead series name cmdline exe unit container fs syscalls
        sched vpn agent command format pattern header separator metric metrics type help labels value scale counts
        buckets mode privileged default calls sample slots level idle every match lines columns logfmt log2 samples
        openmetrics counter gauge histogram stream rerun sh scalpels_vpn_x scalpels_vpn_x_total scalpels_vpn_seconds
        classic
        """,
    ),
]
TEXTS = st.sampled_from(WORDS) | st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.dates()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=6), max_leaves=30
)
SCRIPTS = st.fixed_dictionaries({"command": TEXTS | st.lists(TEXTS, max_size=3)}).flatmap(
    lambda start: st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6).map(lambda more: {**more, **start})
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "programs": st.lists(st.dictionaries(st.sampled_from(RULES), TEXTS, max_size=4), max_size=3) | VALUES,
        "tracers": st.dictionaries(TEXTS, SCRIPTS | VALUES, max_size=4) | VALUES,
        "tracer_folders": st.lists(TEXTS, max_size=2) | VALUES,
        "budgets": st.dictionaries(TEXTS, SCALARS, max_size=3),
        "histograms": SCALARS,
        "other": VALUES,
    },
)


def answer(raw: bytes) -> Settings | list[str]:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(raw)
        file.flush()
        try:
            return load(Path(file.name), builtin=BUILTIN)
        except Mistakes as exc:
            mistakes = exc
    lines = [str(mistake) for mistake in mistakes.found]
    assert lines
    assert all("\n" not in line and len(line) < 1000 for line in lines)
    return lines


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES)
def test_any_structure_gives_settings_or_mistakes(content: dict[str, Any]) -> None:
    answer(yaml.safe_dump(content).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text("{}[]&*!|>'\"%@`-?:, \nab<", max_size=60).map(str.encode))
@example(b"? !!map {} : 1")
@example(b"<<: 1")
@example(b"<<: [*a]")
@example(b"{<<: {<<: [1]}}")
@example(b"tracers: !!set {fs}")
@example(b"--- !!omap [a: 1]")
@example(b"'\\ud800': 1")
def test_any_bytes_give_settings_or_mistakes(raw: bytes) -> None:
    answer(raw)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a ",
        '"a" ',
        "- ",
        "? ",
        "[",
        "{a: ",
        "&a ",
        "*a ",
        "!a ",
        "a:\n",
        "#\n",
        "\n",
        "a: 1\n",
        "'",
        "| ",
        "a: |\n  x\n",
        "%a\n",
    ],
)
def test_a_mebibyte_of_anything_is_answered_soon(piece: str) -> None:
    start = time.process_time()
    assert answer((piece * (1 << 20))[: 1 << 20].encode())
    assert time.process_time() - start < 20
