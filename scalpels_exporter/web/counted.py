"""What the HTTP server counts about itself, on the registry that it is given."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

# Why a request or connection was turned away: the closed list of the label `reason`.
REASONS = (
    "accept",  # no file descriptor left for a connection
    "authentication",  # no password, or a wrong one
    "authentication_queue",  # too many unknown passwords at once
    "bad_request",  # not HTTP/1.1, or two meanings at once
    "body_size",
    "body_timeout",
    "connections",  # too many; this one was answered 503, or was idle and made room
    "control",  # start, stop or reload by somebody who may not
    "handshake",  # TLS did not come about
    "head_size",
    "head_timeout",
    "peer",  # another user on the Unix socket
    "rate",
    "stalled",  # took nothing of its answer
    "target_size",
)


class Counted:
    def __init__(self, registry: CollectorRegistry, connections: Callable[[], float]) -> None:
        self._requests = Counter(
            "scalpels_agent_http_requests",
            "HTTP requests answered, by status code and class of path.",
            ("code", "handler"),
            registry=registry,
        )
        gauge = Gauge("scalpels_agent_http_connections", "Open HTTP connections.", registry=registry)
        gauge.set_function(connections)
        self._refused = Counter(
            "scalpels_agent_http_refused",
            "Requests and connections turned away, by reason.",
            ("reason",),
            registry=registry,
        )
        self.config_failures = Counter(
            "scalpels_agent_web_config_failures",
            "Times that a changed web configuration was refused; the old one stayed in force.",
            registry=registry,
        )
        for reason in REASONS:
            self._refused.labels(reason)

    def answered(self, status: int, handler: str) -> None:
        self._requests.labels(str(status), handler).inc()

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()
