"""Why a worker ended, in words for people: the API, `scalpels list` and the log show them as they are."""

from __future__ import annotations

from scalpels_exporter.supervise.costs import MEMORY_LIMIT_BYTES

_WORDS = {
    "hung": "did not answer",
    "host": "the worker that it lives in has ended",
    "memory": f"took more than {MEMORY_LIMIT_BYTES >> 20} MiB of memory",
    "shed": "used more CPU than its share of budgets.overhead; a start or a reload tries it again",
}


def ending(reason: str, code: int, last_words: str, *, streams: bool) -> str:
    """`reason` as in exits_total, `code` the exit status or, negative, the signal, `last_words` the worker's own.

    "" for one that was stopped: who wanted that knows why.
    """
    if reason == "stopped":
        return ""
    if reason == "unsupported":
        return last_words or "the worker says that this host cannot run it"
    if reason in _WORDS:
        return _WORDS[reason]
    how = f"ended by signal {-code}" if code < 0 else f"ended with exit status {code}"
    words = f"{how}: {last_words}" if last_words else how
    return f"{words}; a command that prints once and ends wants mode: rerun" if streams and code == 0 else words
