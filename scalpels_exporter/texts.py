"""Texts that kernel programs keep once and count by number, as their maps hold them: a byte of length, then the bytes.

For companions. What the numbers are is the tracers' own.
"""

from __future__ import annotations


def text_of(kept: bytes | None) -> str | None:
    """None where none is kept; a text that is kept may be empty."""
    return kept[1 : 1 + kept[0]].decode(errors="replace") if kept else None
