"""Numbers as people read them: three significant digits and the unit that fits. Pure; prints nothing."""

from __future__ import annotations

import math
import time

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_COUNTS = ("", " k", " M", " G", " T")
_EXACT_COUNT = 100_000  # below it a whole number is written in full
_MOMENTS = 1e9  # a gauge of seconds above it is a moment (2001 and later), not a span


def quantity(value: float, unit: str) -> str:
    """`value` in the base unit of a metric: seconds, bytes, ratio, another one, or "" for a plain number."""
    if not math.isfinite(value):
        return {"inf": "∞", "-inf": "-∞"}.get(str(value), "NaN")
    if value < 0:
        return f"-{quantity(-value, unit)}"
    match unit:
        case "seconds":
            return span(value)
        case "bytes":
            return size(value)
        case "ratio":
            return f"{count(100 * value)} %"
        case "":
            return count(value)
    return f"{count(value)} {unit}"


def rate(value: float, unit: str) -> str:
    """`value` is in `unit` a second."""
    if unit == "seconds" and 1 <= value < math.inf:  # 90 s/s, never 1 min 30 s/s
        return f"{_digits(value)} s/s"
    if unit == "" and 9999.5 <= value < _EXACT_COUNT:
        return f"{_digits(value / 1000)} k/s"
    return f"{quantity(value, '' if unit == 'ratio' else unit)}/s"


def level(value: float, unit: str) -> str:
    """A gauge: as `quantity`, but a Unix time is written as a moment."""
    if unit == "seconds" and _MOMENTS < value < 1e11:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    return quantity(value, unit)


def span(seconds: float) -> str:
    """`1.20 ms`, `3.45 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h`."""
    if seconds == 0:
        return "0 s"
    if seconds < 59.95:
        for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")):
            if seconds * factor >= 0.9995 or unit == "ns":
                return f"{_digits(seconds * factor)} {unit}"
    whole = round(seconds)
    for size_, name, below, below_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size_:
            big, rest = divmod(whole, size_)
            return f"{big} {name} {rest // below} {below_name}" if rest >= below else f"{big} {name}"
    return f"{whole} s"


def brief(seconds: float) -> str:
    """As `span`, but never two units: `310 ms`, `432 s`, `33 h`."""
    return span(seconds) if seconds < 59.95 else f"{_digits(seconds)} s" if seconds < 1000 else ago(seconds)


def ago(seconds: float) -> str:
    """A time since, in its greatest unit alone: `5 s`, `12 min`, `3 h`, `2 d`."""
    whole = max(0, int(seconds))
    for size_, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= size_:
            return f"{whole // size_} {name}"
    return f"{whole} s"


def size(value: float) -> str:
    """Bytes in powers of 1024."""
    power = 0
    while value >= 999.5 and power < len(_BYTES) - 1:
        value /= 1024
        power += 1
    return f"{_digits(value, whole=power == 0)} {_BYTES[power]}"


def count(value: float) -> str:
    """A plain number, with commas between thousands; shortened from 100,000 on."""
    if value < _EXACT_COUNT:
        return f"{int(value):,}" if value == int(value) else _digits(value)
    power = 0
    while value >= 999.5 and power < len(_COUNTS) - 1:
        value /= 1000
        power += 1
    return f"{_digits(value)}{_COUNTS[power]}"


def _digits(value: float, *, whole: bool = False) -> str:
    """Three significant digits; none after the point for whole numbers below 1000 when `whole`."""
    if value >= 99.95 or (whole and value == int(value)):
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    if value >= 0.0995 or value == 0:
        return f"{value:.2f}"
    return f"{value:.2g}"
