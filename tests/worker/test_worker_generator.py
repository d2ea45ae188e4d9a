"""A tracer that is a Python generator, in a user's folder: what it may do wrong, and what the user then reads."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import QUIET, RunningAgent

pytestmark = pytest.mark.root
Start = Callable[..., RunningAgent]
Until = Callable[..., Any]

STEM = '''"""A stem of a test."""

from scalpels_exporter.declare import Counter, Generator, Needs, Parameter, Tracer, Unsupported

TRACER = Tracer(
    name="{name}",
    help="A test.",
    metrics=(Counter("scalpels_{name}_events_total", "Events.", ("kind",)),),
    runs=Generator(),
    parameters=(Parameter("step", "integer", 1, "By how much it counts.", least=1),),
    needs=Needs({needs}),
)


def snapshots(context):
{body}
'''
BODIES = {
    "counts": "    n = 0\n    while True:\n        n += context.parameters['step']\n"
    "        yield [('scalpels_counts_events_total', ('a',), n)]",
    "raises": "    yield []\n    raise ValueError('a bad day')",
    "ends": "    yield []",
    "unfit": "    raise Unsupported('this kernel lacks a scalpel')\n    yield",
    "wrong": "    while True:\n        yield [('scalpels_wrong_events_total', ('a',), object())]",
    "needy": "    yield []",
    "whoami": "    import os\n    status = open('/proc/self/status').read()\n"
    "    caps = status.split('CapPrm:')[1].split()[0]\n"
    "    while True:\n        yield [('scalpels_whoami_events_total', (f'{os.getuid()} {caps}',), 1)]",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Under /run, where root alone can write: a user's folder elsewhere would be refused."""
    place = Path(tempfile.mkdtemp(prefix="scalpels-stems-", dir="/run"))
    for name, body in BODIES.items():
        needs = {"needy": 'commands=("nosuchcommand",)', "whoami": 'capabilities=("CAP_SYS_PTRACE",)'}.get(name, "")
        (place / f"{name}.py").write_text(STEM.format(name=name, body=body, needs=needs))
    yield place
    shutil.rmtree(place)


@pytest.fixture
def agent(start_agent: Start, folder: Path) -> RunningAgent:
    switched_on = "".join(f"  {name}: {{}}\n" for name in BODIES if name != "counts")
    return start_agent(f"{QUIET}{switched_on}  counts: {{step: 5}}\ntracer_folders: [{folder}]\n")


def test_its_parameters_arrive_and_its_samples_are_served(agent: RunningAgent, until: Until) -> None:
    first = until(lambda: agent.value("scalpels_counts_events_total", kind="a"))
    assert first % 5 == 0
    assert agent.value("scalpels_counts_events_total", kind="a") == first + 5


@pytest.mark.parametrize(
    ("tracer", "state", "why"),
    [
        ("raises", "backoff", "ValueError: a bad day (/run/"),
        ("ends", "backoff", "snapshots ended; it is expected to yield for ever"),
        ("unfit", "unsupported", "this kernel lacks a scalpel"),
        ("wrong", "backoff", "not a sample: ('scalpels_wrong_events_total'"),
        ("needy", "unsupported", "nosuchcommand"),
    ],
)
def test_what_goes_wrong_is_one_line_that_says_it(
    agent: RunningAgent, until: Until, tracer: str, state: str, why: str
) -> None:
    def as_expected() -> bool:
        agent.get()
        found = agent.tracer(tracer)
        return found["state"] in (state, "failed") and why in found["why"]

    until(as_expected, 20)
    assert "Traceback" not in agent.log.read_text()


def test_it_keeps_the_capabilities_that_it_declared_and_no_other(agent: RunningAgent, until: Until) -> None:
    until(lambda: agent.tracer("whoami")["state"] == "running")
    (labels,) = [labels for name, labels in agent.samples() if name == "scalpels_whoami_events_total"]
    user, capabilities = labels[0][1].split()
    assert user != "0"
    assert int(capabilities, 16) == 1 << 19  # CAP_SYS_PTRACE
