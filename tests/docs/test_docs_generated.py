"""What follows from the declarations and the parsers is in the docs, and is what they say now."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_client import CollectorRegistry

from scalpels_exporter.agent.own import Own, Reloads
from scalpels_exporter.catalog import find
from scalpels_exporter.cli.main import VERBS
from scalpels_exporter.intake.rejection import Reason
from scalpels_exporter.supervise.status import State
from scalpels_exporter.web.counted import REASONS, Counted

ROOT = Path(__file__).parent.parent.parent
TROUBLE = ROOT / "docs" / "troubleshooting.md"


def test_the_generated_parts_are_those_that_make_update_would_write(tables: ModuleType) -> None:
    generated = tables.parts()
    used = set()
    for path in tables.documents():
        text = path.read_text()
        assert tables.rewrite(text, generated) == text, f"{path.name} is not current: make update"
        used |= set(re.findall(r"<!-- generated: ([a-z-]+) -->", text))
    assert used == set(generated), "a part that is generated and stands nowhere"


def test_every_declared_metric_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    names = [metric.name for found in find().values() for metric in found.tracer.metrics]
    assert names
    assert [name for name in names if f"`{name}`" not in readme and f"`{name}{{" not in readme] == []


def test_every_tracer_says_what_it_costs() -> None:
    assert [name for name, found in find().items() if not found.tracer.overhead] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_flag_is_in_the_docs(verb: str) -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    parser = ArgumentParser(add_help=False)
    import_module(f"scalpels_exporter.cli.{verb}").add_arguments(parser)
    assert f"### {verb}\n" in text
    section = text.partition(f"### {verb}\n")[2].partition("\n### ")[0]
    flags = [flag for action in parser._actions if action.help != SUPPRESS for flag in action.option_strings[-1:]]
    assert [flag for flag in flags if not re.search(rf"[` ]{flag}[` ,]", section)] == []


def own_metrics() -> list[str]:
    """As the agent exports them: a counter's with `_total`, an info's with `_info`."""
    registry = CollectorRegistry()
    Counted(registry, lambda: 0)
    families = [*Own(list, Reloads(), dict).collect(), *registry.collect()]
    suffix = {"counter": "_total", "info": "_info"}
    return [family.name + suffix.get(family.type, "") for family in families]


def test_troubleshooting_explains_every_metric_of_the_agents_own_health() -> None:
    text = TROUBLE.read_text()
    names = own_metrics()
    assert len(names) > 15
    assert [name for name in names if not re.search(rf"`{name}[`{{]", text)] == []


def test_troubleshooting_explains_every_state_and_every_way_in_which_a_worker_ends() -> None:
    text = TROUBLE.read_text()
    assert [state for state in State if f"| `{state.value}` |" not in text] == []
    supervise = "".join(path.read_text() for path in (ROOT / "scalpels_exporter" / "supervise").glob("*.py"))
    reasons = {"exit", "signal", "hung", "memory", "unsupported", "stopped", "refused", "shed"}
    assert [reason for reason in reasons if f'"{reason}"' not in supervise] == [], "a reason that the code has no more"
    row = next(line for line in text.splitlines() if "scalpels_worker_exits_total" in line)
    assert [reason for reason in reasons if f"`{reason}`" not in row] == []


def test_every_reason_for_a_refusal_is_explained() -> None:
    contract = (ROOT / "docs" / "worker-contract.md").read_text()
    assert [reason.value for reason in Reason if f"`{reason.value}`" not in contract] == []
    text = TROUBLE.read_text()
    assert [reason for reason in REASONS if f"`{reason}`" not in text] == []
