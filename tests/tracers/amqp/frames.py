"""Frames of AMQP 0-9-1 and envelopes of oslo.messaging, made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

PREAMBLE = b"AMQP\0\0\x09\x01"
END = b"\xce"
CONTENT_TYPE, ENCODING, EXPIRATION = 1 << 15, 1 << 14, 1 << 8


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return bytes([kind]) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + END


def method(channel: int, number: tuple[int, int], arguments: bytes = b"") -> bytes:
    return frame(1, channel, number[0].to_bytes(2, "big") + number[1].to_bytes(2, "big") + arguments)


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def content(channel: int, body: bytes, expires: str = "", most: int = 131_064) -> bytes:
    """Header and body; `expires` in milliseconds."""
    flags, properties = CONTENT_TYPE | ENCODING, short("application/json") + short("utf-8")
    if expires:
        flags, properties = flags | EXPIRATION, properties + short(expires)
    head = (60).to_bytes(2, "big") + bytes(2) + len(body).to_bytes(8, "big") + flags.to_bytes(2, "big") + properties
    pieces = [body[at : at + most] for at in range(0, len(body), most)]
    return frame(2, channel, head) + b"".join(frame(3, channel, piece) for piece in pieces)


def publish(body: bytes, exchange: str = "openstack", key: str = "topic", channel: int = 1, expires: str = "") -> bytes:
    return method(channel, (60, 40), bytes(2) + short(exchange) + short(key) + b"\0") + content(channel, body, expires)


def deliver(
    body: bytes,
    tag: int = 1,
    exchange: str = "openstack",
    *,
    again: bool = False,
    consumer: str = "1",
    channel: int = 1,
    expires: str = "",
) -> bytes:
    arguments = short(consumer) + tag.to_bytes(8, "big") + bytes([again]) + short(exchange) + short("topic")
    return method(channel, (60, 60), arguments) + content(channel, body, expires)


def consume(channel: int = 1, *, no_ack: bool = False) -> bytes:
    return method(channel, (60, 20), bytes(2) + short("queue") + short("me") + bytes([2 * no_ack]) + bytes(4))


def get(channel: int = 1, *, no_ack: bool = False) -> bytes:
    return method(channel, (60, 70), bytes(2) + short("queue") + bytes([no_ack]))


def got(body: bytes, tag: int, exchange: str = "openstack", channel: int = 1) -> bytes:
    """GetOk: nothing else is in the queue."""
    return method(channel, (60, 71), tag.to_bytes(8, "big") + b"\0" + short(exchange) + short("topic") + bytes(4)) + (
        content(channel, body)
    )


def acknowledge(tag: int = 1, *, several: bool = False, channel: int = 1) -> bytes:
    return method(channel, (60, 80), tag.to_bytes(8, "big") + bytes([several]))


def refuse(tag: int = 1, channel: int = 1) -> bytes:
    return method(channel, (60, 120), tag.to_bytes(8, "big") + b"\0")


def closes(channel: int, code: int) -> bytes:
    """Of a channel; of the connection where it is 0."""
    return method(channel, (20, 40) if channel else (10, 50), code.to_bytes(2, "big") + short("why") + bytes(4))


def returns(body: bytes, code: int = 312, exchange: str = "openstack", channel: int = 1) -> bytes:
    arguments = code.to_bytes(2, "big") + short("NO_ROUTE") + short(exchange) + short("nowhere")
    return method(channel, (60, 50), arguments) + content(channel, body)


def tune(heartbeat: int) -> bytes:
    """TuneOk."""
    return method(0, (10, 31), (2047).to_bytes(2, "big") + (131072).to_bytes(4, "big") + heartbeat.to_bytes(2, "big"))


def envelope(message: dict[str, object]) -> bytes:
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()


def request(name: str, number: int = -1, filling: int = 10, context: int = 50, namespace: str = "") -> bytes:
    """A call with an id, or a cast without one, as oslo.messaging orders its members."""
    message: dict[str, object] = {"method": name, "args": {"filling": "x" * filling} if filling else {}}
    message |= {"namespace": namespace} if namespace else {}
    message |= {"version": "1.0"}
    if number >= 0:
        message |= {"_msg_id": f"{number:032x}", "_reply_q": f"reply_{7:032x}", "_timeout": None}
    return envelope(message | {"_unique_id": f"{99:032x}", "_context_user": "y" * context})


def reply(number: int, exception: str = "", *, ending: bool = True, filling: int = 0) -> bytes:
    failure = json.dumps({"class": exception, "module": "builtins", "message": "z" * filling}) if exception else None
    message = {"result": None if exception else "r" * filling, "failure": failure, "ending": ending}
    return envelope(message | {"_msg_id": f"{number:032x}", "_unique_id": f"{98:032x}"})


def notification(event: str, priority: str = "INFO") -> bytes:
    publisher = {"message_id": "8c0a4f5e-7d0f-4c0a-9a55-1f6f0a3c9b11", "publisher_id": "compute.host-1"}
    return envelope(publisher | {"event_type": event, "priority": priority, "payload": {"a": 1}, "timestamp": "now"})


def chunks(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    while data:
        some = next(sizes)
        yield data[:some]
        data = data[some:]
