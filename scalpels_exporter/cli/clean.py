"""Text from a worker or from the network, made fit for a terminal. Pure."""

from __future__ import annotations


def clean(text: str) -> str:
    """What came from a worker or over the network, without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "\ufffd" for c in text)
