"""Whatever is said in whatever pieces by whatever system calls: what is counted at both ends equals the model."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from callers import lost
from http_messages import METHODS, STATUSES, answer, path, question, request, split
from http_truth import Counted, Watched, in_flight
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from running import RunningAgent

pytestmark = pytest.mark.root
WRITES = ("write", "writev", "sendto", "sendmsg")
READS = ("read", "readv", "recvfrom", "recvmsg")
LENGTHS = (1, 2, 3, 5, 20, 90, 1000, 4000)  # of a send or a receive; one call tells some 28 messages apart
PHASES = (Phase.generate,)  # what fails is shown as it was found: an agent is too slow to make it smaller
Calls = list[tuple[str, int]]  # method and status


def said(data: bytes, by: str, chance: random.Random) -> list[str]:
    """Words for the talker: one end sends all of it in pieces, the other one takes it in others."""
    words = [f"{by}{chance.choice(WRITES)},{piece.hex()}" for piece in split(data, chance, LENGTHS)]
    taken = [f"{by}{chance.choice(READS)}={len(piece)}" for piece in split(data, chance, LENGTHS)]
    return words + taken


@st.composite
def conversations(draw: Callable[..., random.Random]) -> tuple[str, list[str], Calls]:
    """The family of the sockets, what is said over one connection, and what must be counted of it at each end."""
    chance = draw(st.randoms(use_true_random=False))
    words, calls = [], Calls()
    packets = chance.choice((False, False, True))  # uWSGI's, which are not pipelined
    for _ in range(chance.randrange(1, 5)):
        many = 1 if packets else chance.choice((1, 1, 2, 16))
        some = [(chance.choice(METHODS[: len(METHODS) - packets]), chance.choice(STATUSES)) for _ in range(many)]
        questions = [
            question(method, chance.randrange(999), chance) if packets else request(method, path(chance), chance)
            for method, _ in some
        ]
        words += said(b"".join(questions), "", chance)
        words += said(b"".join(answer(method, status, chance) for method, status in some), "<", chance)
        calls += some
    return chance.choice(("tcp", "pair")), words, calls


# What fails is shown, however long it is.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_any_conversation_is_counted_as_the_model_says(
    start: Callable[..., RunningAgent], talk: Callable[..., None]
) -> None:
    agent = start(hostile=1)

    @settings(max_examples=20, deadline=None, database=None, phases=PHASES, suppress_health_check=list(HealthCheck))
    @given(conversations())
    def check(conversation: tuple[str, list[str], Calls]) -> None:
        family, words, calls = conversation
        watched = Watched(agent)
        talk("by-calls", family, *words)
        seen = watched.after()
        truth = Counter((method if method != "PROPFIND" else "other", status) for method, status in calls)
        for side in ("client", "server"):
            assert by_method(seen.requests("hostile", side)) == truth
            assert seen.complete("hostile", side) == len(calls)
            assert in_flight(agent, side, "hostile") == 0

    check()
    assert lost(agent) == {}
    assert "canary" not in str(agent.samples())


def by_method(found: Counted) -> Counter[tuple[str, int]]:
    total: Counter[tuple[str, int]] = Counter()
    for (method, status, _), count in found.items():
        total[method, status] += count
    return total
