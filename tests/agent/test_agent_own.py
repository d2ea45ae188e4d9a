"""The agent's own metrics: of every tracer's status, named and typed as the design says, and readable by others."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from scalpels_exporter.agent.own import Own, Reloads
from scalpels_exporter.supervise.status import State, Status


def status(tracer: str, state: State = State.RUNNING, **more: object) -> Status:
    plain: dict[str, object] = {
        "help": "X.", "wanted": True, "since": 1.0, "why": "", "default": True, "overhead": "", "lease_until": None,
        "pid": 1, "starts": 1, "exits": {}, "timeouts": 0, "skipped": 0, "rejected": {}, "folded": 0, "series": 0,
        "snapshot_at": None, "cpu_seconds": 0.0, "memory_bytes": 0, "lost": {}, "probe_seconds": 0.0, "probe_runs": 0,
        "picture_title": "", "picture_unit": "", "picture": (),
    }  # fmt: skip
    return Status(tracer=tracer, state=state, **{**plain, **more})  # type: ignore[arg-type]


FULL = status(
    "fs", starts=3, exits={"signal": 2, "hung": 1}, timeouts=4, skipped=5, rejected={"bad_syntax": 6}, folded=7,
    series=8, snapshot_at=9.5, cpu_seconds=10.5, memory_bytes=11, lost={"ring full": 12}, probe_seconds=13.5,
    probe_runs=14, fill={"latency": 0.25},
)  # fmt: skip
EVERY = [FULL, status("sql", State.UNSUPPORTED)]
ORDERS = {("fs", "stop", "ok"): 2}


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(Own(lambda: EVERY, Reloads(False, 100.0, 200.0, 3, 1), lambda: ORDERS))
    return made


def values(text: str) -> dict[str, float]:
    """`name{labels}` → value, as the lines are."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
    return {series: float(value) for series, value in lines}


def test_every_number_of_a_status_has_its_series() -> None:
    found = values(generate_latest(registry()).decode())
    expected = {
        'scalpels_worker_up{tracer="fs"}': 1,
        'scalpels_worker_up{tracer="sql"}': 0,
        'scalpels_worker_starts_total{tracer="fs"}': 3,
        'scalpels_worker_exits_total{reason="signal",tracer="fs"}': 2,
        'scalpels_worker_exits_total{reason="hung",tracer="fs"}': 1,
        'scalpels_worker_collect_timeouts_total{tracer="fs"}': 4,
        'scalpels_worker_ticks_skipped_total{tracer="fs"}': 5,
        'scalpels_worker_rejected_total{reason="bad_syntax",tracer="fs"}': 6,
        'scalpels_tracer_series_folded_total{tracer="fs"}': 7,
        'scalpels_tracer_series{tracer="fs"}': 8,
        'scalpels_worker_snapshot_timestamp_seconds{tracer="fs"}': 9.5,
        'scalpels_worker_cpu_seconds_total{tracer="fs"}': 10.5,
        'scalpels_worker_resident_memory_bytes{tracer="fs"}': 11,
        'scalpels_tracer_lost_total{reason="ring full",tracer="fs"}': 12,
        'scalpels_tracer_probe_seconds_total{tracer="fs"}': 13.5,
        'scalpels_tracer_probe_runs_total{tracer="fs"}': 14,
        'scalpels_tracer_map_fill_ratio{map="latency",tracer="fs"}': 0.25,
        "scalpels_agent_config_last_reload_successful": 0,
        "scalpels_agent_config_last_reload_success_timestamp_seconds": 100,
        "scalpels_agent_config_last_reload_failure_timestamp_seconds": 200,
        "scalpels_agent_config_reloads_total": 3,
        "scalpels_agent_config_reload_failures_total": 1,
        'scalpels_agent_orders_total{order="stop",result="ok",tracer="fs"}': 2,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert 'scalpels_worker_snapshot_timestamp_seconds{tracer="sql"}' not in found  # it never gave one


def test_a_tracer_is_in_exactly_one_of_all_states() -> None:
    families = text_string_to_metric_families(generate_latest(registry()).decode())
    states = next(family for family in families if family.name == "scalpels_tracer_state").samples
    for tracer, state in (("fs", "running"), ("sql", "unsupported")):
        of = {sample.labels["state"]: sample.value for sample in states if sample.labels["tracer"] == tracer}
        assert of == {name.value: float(name.value == state) for name in State}


def test_both_formats_can_be_read_and_every_family_has_its_help() -> None:
    text = generate_latest(registry()).decode()
    open_text = generate_openmetrics(registry()).decode()
    plain = {family.name: family for family in text_string_to_metric_families(text)}
    open_families = {family.name: family for family in parse_openmetrics(open_text)}
    assert plain.keys() - open_families.keys() <= {"scalpels_build_info"}
    assert all(family.documentation.endswith(".") for family in plain.values())
    assert all(re.fullmatch(r"scalpels_(build|agent|worker|tracer)[a-z_]*", name) for name in plain)
