"""Runs a tracer that is a command, and leaves nothing of it behind.

The worker is the command's parent and stays while it runs: as subreaper it becomes the parent of whatever the
command leaves, and ends it, even when the spawner was killed. The command's output never passes through here:
it writes into the agent's pipe itself.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from pathlib import Path
from typing import NoReturn

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Command, Samples
from scalpels_exporter.processes import end_children
from scalpels_exporter.spawn import privileges
from scalpels_exporter.worker.generator import FAILED, ticks
from scalpels_exporter.worker.preflight import UNSUPPORTED, say, say_what_is_missing
from scalpels_exporter.worker.samples import write

# What may be otherwise a moment later: too many processes or open files, no memory, a script that is being written.
_PASSING = frozenset((errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EINTR, errno.EIO))
END_OF_RUN = b"\x1e\n"  # closes the snapshot of one run in mode rerun (docs/worker-contract.md)


def run(chosen: Chosen, spawner: int) -> int:
    """The exit status of the worker. Does not return when the command was ended by a signal: the worker ends alike."""
    if say_what_is_missing(chosen):
        return UNSUPPORTED
    runs = chosen.tracer.runs
    assert isinstance(runs, Command)
    words = argv(chosen)
    privileges.adopt_orphans()
    if runs.mode != "rerun":
        _hold_back_termination()
    signal.signal(signal.SIGTERM, lambda *_: _end_if_alone(spawner))
    privileges.die_with_parent(spawner, signal.SIGTERM)
    if runs.mode == "rerun":
        return _rerun(words, marks=not isinstance(runs.format, Samples))
    child = _spawn(words)
    os.close(0)
    os.close(1)  # so that the agent sees when the command closes its own
    return _finish(child)


def argv(chosen: Chosen) -> list[str]:
    """The command's words: parameters filled in, `./x` beside the stem."""
    runs = chosen.tracer.runs
    assert isinstance(runs, Command)

    def value(match: re.Match[str]) -> str:
        return str(chosen.parameters.get(match[1], match[0]))

    words = [re.sub(r"\{(\w+)\}", value, word) for word in runs.argv]
    if chosen.stem:
        words = [str(Path(chosen.stem).parent / word[2:]) if word.startswith("./") else word for word in words]
    return words


def _rerun(words: list[str], *, marks: bool) -> int:
    for _ in ticks(0):
        status = _finish(_spawn(words, stdin=os.devnull))
        if status:
            return status
        if marks:
            write(1, END_OF_RUN)
    return 0


def _spawn(words: list[str], stdin: str = "") -> int:
    worker = os.getpid()
    _hold_back_termination()
    child = os.fork()
    if child == 0:
        _exec(words, stdin, worker)
    if signal.SIGTERM in signal.sigpending():
        os.kill(child, signal.SIGTERM)  # it came for the whole group, perhaps before the command was in it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return child


def _hold_back_termination() -> None:
    """Until the command is there: one that was asked to end before it began would never hear of it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _exec(words: list[str], stdin: str, worker: int) -> NoReturn:
    status = FAILED
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        if stdin:
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
        privileges.die_with_parent(worker)
        os.execvp(words[0], words)
    except OSError as error:
        hint = " by the unprivileged worker" if isinstance(error, PermissionError) else ""
        say("E!", f"{words[0]} cannot be run{hint}: {error.strerror}")
        status = FAILED if error.errno in _PASSING else UNSUPPORTED
    finally:
        os._exit(status)


def _finish(child: int) -> int:
    """Waits for the command, ends what it left behind, and gives its exit status; ends by its signal if it did."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            break
    end_children()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
        signal.pause()
    return code


def _end_if_alone(spawner: int) -> None:
    # From the spawner the whole group has got the signal, and the command is given its time to end. When the
    # spawner itself is gone, nobody would come back to kill what stays.
    if os.getppid() != spawner:
        end_children()
        os._exit(128 + signal.SIGTERM)
