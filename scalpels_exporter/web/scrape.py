"""One scrape over HTTP: the scraper's own deadline, and an answer even where the agent does not keep it."""

from __future__ import annotations

import asyncio
import math

from scalpels_exporter.web.limits import Limits
from scalpels_exporter.web.message import Answer, Request, text
from scalpels_exporter.web.served import Served

TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
MARGIN_SHARE = 0.1
MARGIN_MOST_SECONDS = 0.5


def deadline_seconds(header: str | None, limits: Limits) -> float:
    """How long the agent may take: what the scraper says less a margin for the way; the default for nonsense."""
    try:
        said = float(header) if header else 0.0
    except ValueError:
        said = 0.0
    if not math.isfinite(said) or said <= 0:
        return limits.scrape_default_seconds
    said = min(said, limits.scrape_most_seconds)
    return said - min(said * MARGIN_SHARE, MARGIN_MOST_SECONDS)


async def scrape(served: Served, request: Request, limits: Limits) -> Answer:
    seconds = deadline_seconds(request.headers.get(TIMEOUT_HEADER), limits)
    accept, encoding = request.headers.get("accept", ""), request.headers.get("accept-encoding", "")
    try:
        async with asyncio.timeout(seconds + limits.scrape_overrun_seconds):
            body = await served.scrape(accept, encoding, seconds)
    except TimeoutError:
        return text(503, f"the scrape was not ready within {seconds:.3g} s")
    headers = [("Vary", "Accept, Accept-Encoding"), ("Cache-Control", "no-store")]
    if body.encoding:
        headers.append(("Content-Encoding", body.encoding))
    return Answer(200, body.pieces, body.content_type, tuple(headers))
