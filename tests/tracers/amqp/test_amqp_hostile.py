"""Whatever bytes named programs exchange, nothing of their neighbours is lost, and nothing is made up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from types import ModuleType

import pytest
from amqp_truth import MARK, Watched
from loads.load import AmqpLoad
from running import RunningAgent
from servers.rabbitmq_server import RabbitMq
from talking import talker

pytestmark = [pytest.mark.root, pytest.mark.server]
PIECES = (1, 1, 2, 3, 5, 7, 20, 64, 100, 1000, 5000)


def split(data: bytes, moments: random.Random) -> list[str]:
    """The same bytes in several sends."""
    pieces = []
    while data:
        some = moments.choice(PIECES)
        pieces.append(data[:some].hex())
        data = data[some:]
    return pieces


@pytest.mark.parametrize("seed", range(4))
def test_frames_split_anywhere_are_counted_once(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType, seed: int
) -> None:
    moments = random.Random(seed)
    calls = range(1000 * seed, 1000 * seed + 30)
    with talker(agent, until) as talk:
        watched = Watched(agent)
        asked, told, moved = [frames.PREAMBLE.hex()], [], 0
        for number in calls:
            body = frames.request("ping", number, moments.choice((0, 9, 200, 20_000)), moments.choice((0, 300, 5000)))
            moved += len(body)
            asked += split(frames.publish(body, key="k" * moments.randrange(250)), moments)
            answer = frames.reply(number, filling=moments.choice((0, 300, 9000)))
            told += ["<" + one for one in split(frames.deliver(answer, consumer="c" * moments.randrange(60)), moments)]
        talk("tcp", *asked, *told)
        seen = watched.after()
    assert seen.messages("hostile") == Counter(publish=60, deliver=60)  # at both ends, of one program
    assert seen.bytes("hostile", exchange="openstack")["publish"] == 2 * moved
    assert seen.by("method", "scalpels_rpc_client_seconds_count", program="hostile") == Counter(ping=30)
    assert seen.lost() == Counter()


@pytest.mark.parametrize("seed", range(3))
def test_a_namespace_is_read_wherever_the_pieces_end(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType, seed: int
) -> None:
    """It stands behind the arguments, whose length decides in which window of the scan it comes to lie."""
    moments = random.Random(50 + seed)
    spaces = ["", "a", "compute_task", "n" * 40]
    sent = Counter[str]()
    with talker(agent, until) as talk:
        watched = Watched(agent)
        asked = [frames.PREAMBLE.hex()]
        for number in range(400):
            space, filling = moments.choice(spaces), moments.choice((0, number, 3 * number, 7000 + 5 * number, 100_000))
            body = frames.request("ping", number if number % 2 else -1, filling, 300, space)
            whole = frames.publish(body)
            asked += split(whole, moments) if not number % 10 else [whole.hex()]
            sent[f"{space}.ping" if space else "ping"] += 1
        talk("tcp", *asked)
        seen = watched.after()
    for side in ("client", "broker"):
        assert seen.by("method", "scalpels_rpc_messages_total", program="hostile", side=side) == sent
    assert seen.lost() == Counter()


def test_channels_come_between_one_another(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType
) -> None:
    """A method of each channel, then a header of each, then their bodies a frame at a time, in turns."""
    with talker(agent, until) as talk:
        watched = Watched(agent)
        parts = []
        for channel in range(1, 9):
            body = frames.request("ping", channel, 400 * channel)
            whole = frames.content(channel, body, most=120)
            method = frames.publish(b"", channel=channel)[: -len(frames.content(channel, b""))]
            frame = [method]
            while whole:
                size = 8 + int.from_bytes(whole[3:7], "big")
                frame.append(whole[:size])
                whole = whole[size:]
            parts.append(frame)
        turns = [frame[turn] for turn in range(max(map(len, parts))) for frame in parts if turn < len(frame)]
        talk("tcp", frames.PREAMBLE.hex(), *(turn.hex() for turn in turns))
        seen = watched.after()
    assert seen.messages("hostile") == Counter(publish=16)
    found = seen.by("side", "scalpels_rpc_messages_total", program="hostile", kind="call", method="ping")
    assert found == Counter(client=8, broker=8)
    assert seen.lost() == Counter()


def nonsense(frames: ModuleType) -> dict[str, bytes]:
    good = frames.publish(b"m" * 100)
    return {
        "a wrong end": good[:-1] + b"\0" + good,
        "four gigabytes": frames.PREAMBLE + b"\3\0\1\xff\xff\xff\xff" + b"x" * 100,
        "an unknown type": b"\7\0\1\0\0\0\4" + b"x" * 4 + b"\xce",
        "a heartbeat with a body": b"\x08\0\0\0\0\0\4xxxx\xce",
        "a method without a number": frames.frame(1, 1, b"\0\x3c"),
        "a header of two bytes": frames.frame(2, 1, b"\0\x3c"),
    }


@pytest.mark.parametrize("place", range(6))
def test_what_loses_its_way_is_counted_and_found_again(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType, place: int
) -> None:
    name, bad = list(nonsense(frames).items())[place]
    good = frames.publish(b"m" * 100).hex()
    with talker(agent, until) as talk:
        watched = Watched(agent)
        talk("tcp", good, bad.hex(), good, good)
        seen = watched.after()
    assert seen.lost()["sync"] >= 2, name  # at both ends
    assert seen.messages("hostile") == Counter(publish=6), name


def test_more_names_than_one_send_can_teach_are_lost_and_counted(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType
) -> None:
    """Each new name takes two runs of what the kernel allows for one system call."""
    many = b"".join(frames.publish(b"m", exchange=f"newcomer-{number:x}-g") for number in range(40))
    good = frames.publish(b"m" * 100).hex()
    with talker(agent, until) as talk:
        watched = Watched(agent)
        talk("tcp", good, many.hex(), good, good)
        seen = watched.after()
    found = seen.by("exchange", "scalpels_amqp_messages_total", program="hostile", method="publish")
    assert found["openstack"] == 6
    assert seen.lost()["long"] >= 1


def test_messages_that_are_got_without_an_acknowledgement_are_not_owed(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType
) -> None:
    with talker(agent, until) as talk:
        watched = Watched(agent)
        free = [frames.get(no_ack=True).hex(), "<" + frames.got(b"m", 1).hex()]
        owed = [frames.get().hex(), "<" + frames.got(b"m", 2).hex(), frames.acknowledge(2).hex()]
        talk("tcp", frames.PREAMBLE.hex(), *free, *owed)
        seen = watched.after()
    assert seen.messages("hostile") == Counter(get=4, ack=2)
    assert seen.lost() == Counter()


def test_a_body_that_is_never_whole_is_no_message_and_the_next_one_is(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType
) -> None:
    """Its header tells 2 ** 63 bytes, which no frames bring."""
    body = frames.request("endless", 1)
    whole = frames.publish(body, exchange="endless")
    size = len(body).to_bytes(8, "big")
    assert whole.count(size) == 1
    with talker(agent, until) as talk:
        watched = Watched(agent)
        talk("tcp", whole.replace(size, (1 << 63).to_bytes(8, "big")).hex(), frames.publish(b"m" * 100).hex())
        seen = watched.after()
    assert seen.by("exchange", "scalpels_amqp_messages_total", program="hostile") == Counter(openstack=2)
    assert not seen.by("method", "scalpels_rpc_messages_total", program="hostile")
    assert seen.lost() == Counter()


def test_content_that_nobody_announced_is_none(
    agent: RunningAgent, until: Callable[..., object], frames: ModuleType
) -> None:
    lone = frames.content(77, b"m" * 500)
    with talker(agent, until) as talk:
        watched = Watched(agent)
        talk("tcp", frames.publish(b"m").hex(), lone.hex(), frames.frame(3, 9, b"x" * 50).hex())
        seen = watched.after()
    assert seen.messages("hostile") == Counter(publish=2)
    assert seen.lost() == Counter()


def test_garbage_hurts_no_neighbour_and_is_no_message(
    broker: RabbitMq, agent: RunningAgent, until: Callable[..., object], frames: ModuleType
) -> None:
    moments = random.Random(6)
    with AmqpLoad("pika", broker.target(), MARK) as load, talker(agent, until) as talk:
        until(lambda: agent.value("scalpels_programs_processes", program="load") == 1, 30, "the load has its name")
        watched = Watched(agent)
        load.say("exchange", exchange="calm", queue="calm", count=2000, sizes=[10, 1000])
        for _ in range(200):
            sizes = [moments.choice((1, 7, 8, 12, 40, 300)) for _ in range(5)]
            pieces = [moments.randbytes(size) for size in sizes]
            talk("tcp", *((b"\1\0\1\0\0" + piece if moments.random() < 0.3 else piece).hex() for piece in pieces))
        report = load.hear()
        seen = watched.after()
    assert seen.messages("load", *report.messages) == report.messages
    assert seen.messages("hostile").total() == 0
    assert agent.value("scalpels_worker_up", tracer="amqp") == 1
