"""The spawner's few messages: what is one, and everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalpels_exporter.spawn import messages
from scalpels_exporter.spawn.messages import Kill, ReadWeb, Refused, Reload, Start, Terminate

ORDERS = [
    (Start("system", 1), b"start system 1"),
    (Terminate("program", 12), b"terminate program 12"),
    (Kill("a1", 999999999999), b"kill a1 999999999999"),
    (Reload(), b"reload"),
    (ReadWeb(), b"web"),
]


@pytest.mark.parametrize(("order", "packet"), ORDERS, ids=lambda v: str(v))
def test_an_order_survives_the_wire(order: messages.Order, packet: bytes) -> None:
    assert messages.encode(order) == packet
    assert messages.decode(packet) == order


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"", "unknown message"),
        (b"exec /bin/sh 1", "unknown message"),
        (b"start", "unknown message"),
        (b"start system", "unknown message"),
        (b"start system 1 2", "unknown message"),
        (b"start /bin/sh 1", "not the name"),
        (b"start ../../x 1", "not the name"),
        (b"start System 1", "not the name"),
        (b"start system -1", "not the name"),
        (b"start system 1\n", "not the name"),
        (b"start system\n 1", "not the name"),
        (b"start  1", "not the name"),
        (b"start " + b"a" * 40 + b" 1", "not the name"),
        (b"start system 1234567890123", "not the name"),
        (b"reload now", "unknown message"),
        (b"st\xc3\xa4rt system 1", "not ASCII"),
        (b"start " + b"a" * 600, "bytes or more"),
    ],
)
def test_anything_else_is_refused_with_a_reason(packet: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        messages.decode(packet)


@given(st.binary(max_size=messages.LIMIT + 10))
def test_no_packet_raises_anything_but_refused(packet: bytes) -> None:
    try:
        order = messages.decode(packet)
    except Refused as refusal:
        raises_one_line = "\n" not in str(refusal)
        if not raises_one_line:
            raise AssertionError(str(refusal)) from refusal
    else:
        assert messages.encode(order).split()[0] == packet.split()[0]


def test_the_text_of_a_refusal_keeps_its_blanks() -> None:
    assert messages.split(b"refused no tracer is declared as x") == ["refused", "no tracer is declared as x"]
    assert messages.split(b"started system 1 77") == ["started", "system", "1", "77"]
