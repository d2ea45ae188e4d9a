"""Numbers and escapes as the text formats write them, the same as prometheus_client does."""

from __future__ import annotations

import math

# From here on Go's shortest form has an exponent, and prometheus_client follows it.
EXPONENT_FROM = 1_000_000


def numeral(value: int | float) -> bytes:
    """A sample's value."""
    if value.__class__ is int and 0 <= value < EXPONENT_FROM:
        return b"%d.0" % value
    return float_numeral(float(value))


def float_numeral(value: float) -> bytes:
    if value < EXPONENT_FROM and value > -math.inf:
        return b"%a" % value
    if value != value:
        return b"NaN"
    if math.isinf(value):
        return b"+Inf" if value > 0 else b"-Inf"
    digits, dot, fraction = repr(value).partition(".")
    if not dot:  # 1e+16 has an exponent already
        return digits.encode()
    if len(digits) == 1:
        return f"{digits}.{fraction}".encode()
    mantissa = f"{digits[0]}.{digits[1:]}{fraction}".rstrip("0").rstrip(".")
    return f"{mantissa}e+{len(digits) - 1:02d}".encode()


def count_numeral(count: int) -> bytes:
    """As `numeral` for a count of events at or above 0: the cheap way for the many buckets of a histogram."""
    if count < EXPONENT_FROM:
        return b"%d.0" % count
    if count >= 10**15:
        return float_numeral(float(count))
    digits = b"%d" % count
    tail = digits[1:].rstrip(b"0")
    if tail:
        return b"%b.%be+%02d" % (digits[:1], tail, len(digits) - 1)
    return b"%be+%02d" % (digits[:1], len(digits) - 1)


def bound_numeral(bound: float) -> str:
    """The value of a label `le`."""
    return float_numeral(bound).decode()


def escape_label(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def escape_help_text(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
