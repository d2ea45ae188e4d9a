"""Which format and which compression a request's Accept and Accept-Encoding ask for. Renders nothing.

Every metric and label name of ours is valid in the old character set, so that any escaping scheme that is asked for
is kept to without doing anything; it is only named in the answer, as prometheus_client does.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXT = "text"
OPENMETRICS = "openmetrics"

PLAIN_004 = "text/plain; version=0.0.4; charset=utf-8"
ESCAPINGS = ("allow-utf-8", "underscores", "dots", "values")
HEADER_CHARACTERS = 4096  # what is beyond is not read
RANGES = 64


@dataclass(frozen=True, slots=True)
class Chosen:
    """`form` is TEXT or OPENMETRICS; `content_type` is the header of the answer."""

    form: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Range:
    """One element of an Accept header."""

    name: str
    parameters: dict[str, str]
    quality: float


def choose_format(accept: str) -> Chosen:
    """The best of the formats asked for; text 0.0.4 for everything that is not understood."""
    best = Chosen(TEXT, PLAIN_004)
    best_quality = 0.0
    for wanted in _ranges(accept):
        offer = _offer(wanted)
        if offer is not None and wanted.quality > best_quality:
            best, best_quality = offer, wanted.quality
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the answer is to be compressed: gzip is asked for, and not less than no compression."""
    qualities = {wanted.name: wanted.quality for wanted in _ranges(accept_encoding)}
    gzip = max(qualities.get("gzip", -1.0), qualities.get("x-gzip", -1.0))
    if gzip < 0:
        gzip = qualities.get("*", 0.0)
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _offer(wanted: Range) -> Chosen | None:
    version = wanted.parameters.get("version", "")
    escaping = wanted.parameters.get("escaping", "")
    named = f"; escaping={escaping if escaping in ESCAPINGS else 'underscores'}"
    match wanted.name, version:
        case "application/openmetrics-text" | "application/*", "":
            return Chosen(OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        case "application/openmetrics-text", "1.0.0":
            return Chosen(OPENMETRICS, f"application/openmetrics-text; version=1.0.0; charset=utf-8{named}")
        case "application/openmetrics-text", "0.0.1":
            return Chosen(OPENMETRICS, "application/openmetrics-text; version=0.0.1; charset=utf-8")
        case "text/plain", "1.0.0":
            return Chosen(TEXT, f"text/plain; version=1.0.0; charset=utf-8{named}")
        case (("text/plain" | "text/*" | "*/*"), ("" | "0.0.4")):
            return Chosen(TEXT, PLAIN_004)
    return None


def _ranges(header: str) -> list[Range]:
    ranges = []
    for element in header[:HEADER_CHARACTERS].split(",")[:RANGES]:
        name, *rest = (part.strip() for part in element.split(";"))
        parameters = {}
        for parameter in rest:
            key, _, value = parameter.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        if name:
            ranges.append(Range(name.lower(), parameters, _quality(parameters.get("q", "1"))))
    return ranges


def _quality(text: str) -> float:
    """Between 0 and 1; what cannot be read as a weight is the least wish there is."""
    try:
        quality = float(text)
    except ValueError:
        return 0.001
    return min(max(quality, 0.0), 1.0) if quality == quality else 0.001
