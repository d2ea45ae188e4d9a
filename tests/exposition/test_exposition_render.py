"""What is rendered is byte for byte what prometheus_client renders; nothing is rendered twice or kept for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from families import registry_of, snapshots
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Counter as OwnCounter
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from scalpels_exporter.declare import Counter, Counts, Exponential, Gauge, Generator, Histogram, Tracer
from scalpels_exporter.exposition.render import PIECE_BYTES, Renderer, render_own
from scalpels_exporter.intake.snapshot import Snapshot

EMPTY = CollectorRegistry()
PEERS = {"text": generate_latest, "openmetrics": generate_openmetrics}
METRICS = (
    Counter("scalpels_try_bytes_total", 'He said "no\\",\nand left.', ("zone", "device"), "bytes"),
    Histogram("scalpels_try_seconds", "S.", ("who",), "seconds", buckets=Exponential(-1, 1)),
    Gauge("scalpels_try_level", "L."),
)
TRACER = Tracer("try", "Tried.", METRICS, Generator())


def snapshot(**families) -> Snapshot:
    named = {f"scalpels_try_{name}": family for name, family in families.items()}
    return Snapshot(TRACER, {m.name: named.get(m.name, {}) for m in METRICS}, 0.0)


def page(renderer: Renderer, *several: Snapshot, form: str = "text") -> str:
    return b"".join(renderer.render(several, EMPTY, form)).decode()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshots(), st.sampled_from(["text", "openmetrics"]))
def test_any_snapshot_is_rendered_as_prometheus_client_renders_it(any_snapshot: Snapshot, form: str) -> None:
    assert page(Renderer(), any_snapshot, form=form) == PEERS[form](registry_of(any_snapshot)).decode()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(snapshots(), min_size=2, max_size=4), st.randoms())
def test_templates_serve_whatever_comes_next(several: list[Snapshot], dice) -> None:
    """The same metrics, with series that come, go and change their order from snapshot to snapshot."""
    renderer = Renderer()
    tracer = several[0].tracer
    known = dict(several[0].families)
    for _ in range(4):
        families = {}
        for name, family in known.items():
            kept = [key for key in family if dice.random() < 0.7]
            dice.shuffle(kept)
            families[name] = {key: family[key] for key in kept}
        now = Snapshot(tracer, families, 0.0)
        assert page(renderer, now) == PEERS["text"](registry_of(now)).decode()


def test_text_as_a_person_reads_it() -> None:
    shown = snapshot(
        bytes_total={('a"b\\c\nd', "sda"): 5, ("", "nvme0n1"): 1234567},
        seconds={("x",): Counts(2.5, (1, 0, 0, 0, 2, 0, 0, 0, 0, 3), -4, 1)},
        level={(): -0.5},
    )
    assert page(Renderer(), shown) == (
        '# HELP scalpels_try_bytes_total He said "no\\\\",\\nand left.\n'
        "# TYPE scalpels_try_bytes_total counter\n"
        'scalpels_try_bytes_total{device="nvme0n1",zone=""} 1.234567e+06\n'
        'scalpels_try_bytes_total{device="sda",zone="a\\"b\\\\c\\nd"} 5.0\n'
        "# HELP scalpels_try_seconds S.\n"
        "# TYPE scalpels_try_seconds histogram\n"
        'scalpels_try_seconds_bucket{le="0.5",who="x"} 2.0\n'
        'scalpels_try_seconds_bucket{le="1.0",who="x"} 4.0\n'
        'scalpels_try_seconds_bucket{le="2.0",who="x"} 4.0\n'
        'scalpels_try_seconds_bucket{le="+Inf",who="x"} 7.0\n'
        'scalpels_try_seconds_count{who="x"} 7.0\n'
        'scalpels_try_seconds_sum{who="x"} 2.5\n'
        "# HELP scalpels_try_level L.\n"
        "# TYPE scalpels_try_level gauge\n"
        "scalpels_try_level -0.5\n"
    )


def test_a_family_without_series_still_says_what_it_is() -> None:
    assert page(Renderer(), snapshot(), form="openmetrics") == (
        '# HELP scalpels_try_bytes He said \\"no\\\\\\",\\nand left.\n'
        "# TYPE scalpels_try_bytes counter\n# UNIT scalpels_try_bytes bytes\n"
        "# HELP scalpels_try_seconds S.\n# TYPE scalpels_try_seconds histogram\n# UNIT scalpels_try_seconds seconds\n"
        "# HELP scalpels_try_level L.\n# TYPE scalpels_try_level gauge\n"
        "# EOF\n"
    )


@pytest.mark.parametrize("form", ["text", "openmetrics"])
@pytest.mark.parametrize("before", [False, True])
def test_the_agents_own_metrics_are_prometheus_clients_and_there_is_one_end(form: str, before: bool) -> None:
    own = CollectorRegistry()
    OwnCounter("scalpels_own", "Own.", registry=own).inc()
    shown = snapshot(level={(): 1})
    rendered = b"".join(Renderer().render([shown], render_own(own, form) if before else own, form))
    both = registry_of(shown)
    for collector in own._collector_to_names:
        both.register(collector)
    assert rendered == PEERS[form](both)
    assert rendered.count(b"# EOF") == (form == "openmetrics")


@pytest.mark.parametrize("magnitude", [0, 10**5, 10**6, 10**7, 10**16])
def test_a_histogram_of_any_magnitude_is_exact(magnitude: int) -> None:
    renderer = Renderer()
    for step in range(3):  # the template of large numbers is kept, too
        counts = tuple(magnitude + n + step for n in range(14))
        shown = snapshot(seconds={("a",): Counts(magnitude + 0.25, counts, -5, step), ("b",): Counts(1, (1,), 0)})
        assert page(renderer, shown) == generate_latest(registry_of(shown)).decode()


def test_a_snapshot_is_rendered_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    from scalpels_exporter.exposition import template

    times = 0
    render = template.HistogramLines.render

    def counted(self, family):
        nonlocal times
        times += 1
        return render(self, family)

    monkeypatch.setattr(template.HistogramLines, "render", counted)
    renderer = Renderer()
    first = snapshot(seconds={("a",): Counts(1.0, (1,), 0)})
    pages = {page(renderer, first, form=form) for form in ("text", "openmetrics") for _ in range(25)}
    assert (len(pages), times) == (2, 1)
    page(renderer, snapshot(seconds={("a",): Counts(1.0, (1,), 0)}))
    assert times == 2, "another snapshot, though equal"


def test_what_vanishes_is_forgotten() -> None:
    renderer = Renderer()
    page(renderer, snapshot(seconds={(str(n),): Counts(1e9, (10**9,), 0) for n in range(100)}))
    page(renderer, snapshot(seconds={("1",): Counts(1e9, (10**9,), 0)}))
    (kept,) = renderer._tracers.values()
    assert len(kept.writers[1]._shelf._series) == 1
    assert page(renderer) == ""
    assert renderer._tracers == {}


def test_a_tracer_that_is_declared_anew_has_new_templates() -> None:
    renderer = Renderer()
    page(renderer, snapshot(level={(): 1}))
    renamed = replace(TRACER, metrics=(Gauge("scalpels_try_height", "H."),))
    assert page(renderer, Snapshot(renamed, {"scalpels_try_height": {(): 2}}, 0.0)).endswith(
        "\nscalpels_try_height 2.0\n"
    )


def test_pieces_are_of_bounded_size_and_not_crumbs() -> None:
    family = {(f"{n}", "x" * 150): n for n in range(5000)}
    pieces = Renderer().render([snapshot(bytes_total=family)], b"o" * (3 * PIECE_BYTES), "text")
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert len(pieces) <= 2 * sum(map(len, pieces)) / PIECE_BYTES + 2
