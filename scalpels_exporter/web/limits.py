"""Every bound of the web room, by name. Numbers only: `connection`, `server` and `passwords` enforce them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are seconds, sizes are bytes. The defaults are what the agent runs with; tests shorten the times."""

    connections: int = 512
    # A connection that has kept the server waiting for less than this is never closed in favour of a new one. An honest
    # client sends its request within a round trip; whoever fills the server with silent connections does not.
    evictable_after: float = 0.05
    backlog: int = 256

    handshake_seconds: float = 10.0
    head_seconds: float = 10.0  # from the first byte awaited to the complete head
    body_seconds: float = 10.0  # from the complete head to the complete body
    idle_seconds: float = 60.0  # between two requests; below Prometheus's own 5 minutes, above its usual interval
    stall_seconds: float = 30.0  # a reader that takes nothing for so long is dropped
    answer_seconds: float = 300.0  # one that takes a byte now and then, too
    linger_seconds: float = 1.0  # after a refusal, so that the client reads it before the reset
    linger_bytes: int = 1024 * 1024
    grace_seconds: float = 5.0  # for running answers at the end

    target_bytes: int = 8 * 1024
    head_bytes: int = 16 * 1024
    header_count: int = 100
    body_bytes: int = 64 * 1024

    read_bytes: int = 16 * 1024  # one receive
    write_bytes: int = 64 * 1024  # one send; under TLS, what is encrypted ahead
    # Fixed, because the kernel's own tuning would let each slow reader hold 4 MiB of kernel memory.
    socket_send_bytes: int = 256 * 1024
    socket_receive_bytes: int = 64 * 1024

    scrape_default_seconds: float = 1.0  # when the scraper does not say
    scrape_most_seconds: float = 60.0
    scrape_overrun_seconds: float = 2.0  # past its deadline a scrape is answered 503

    refresh_seconds: float = 1.0  # the web configuration's files are looked at no more often
    refresh_wait_seconds: float = 2.0  # a connection waits no longer for it

    password_threads: int = 1
    password_queue: int = 16  # unknown passwords that wait for bcrypt
    password_queue_of_one: int = 4  # of one client address
    password_cache: int = 256
    password_seconds: float = 10.0


DEFAULT = Limits()
