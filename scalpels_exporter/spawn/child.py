"""The first moments of a worker, between the spawner's fork and the tracer's own code.

Takes privileges away, never gives any: what a worker keeps follows from its declaration alone. The tick and the
running of a generator or a command are in `worker`.
"""

from __future__ import annotations

import fcntl
import gc
import os
import pwd
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from scalpels_exporter.capabilities import capabilities_of
from scalpels_exporter.config.settings import Chosen, Settings
from scalpels_exporter.declare import Bpf, Command, Generator
from scalpels_exporter.spawn import privileges

OPEN_FILES = 1024
ADDRESS_SPACE_BYTES = 4 << 30  # a backstop; `supervise` enforces the resident limit
PROCESSES = 2048  # of the workers' own user on the whole host: a fork bomb leaves the host its numbers
OOM_SCORE = 500  # a node out of memory ends a tracer before a service

# Users without a name: from the range that systemd gives to dynamic users and no distribution gives to people.
AGENT_UID = 61910
WORKER_UID = 61911


@dataclass(frozen=True, slots=True)
class Identity:
    uid: int
    gid: int


def identity(name: str, otherwise: int) -> Identity | None:
    """The user to become: `name` if the host has it, else a number. None when this process may not change users."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return Identity(otherwise, otherwise)
    return Identity(entry.pw_uid, entry.pw_gid)


def agent_identity() -> Identity | None:
    return identity("scalpels", AGENT_UID)


def worker_identity() -> Identity | None:
    return identity("scalpels-worker", WORKER_UID)


def freeze() -> None:
    """Before a fork: collections in the children do not write on every shared page then."""
    gc.collect()
    gc.freeze()


def prepare() -> None:
    """In the spawner, before it forks anything: what workers run with, imported once. Each would do it by itself
    otherwise, and have 5 MiB to itself that all can share (Python writes on the code that it runs, too).
    """
    from scalpels_exporter.bpf import hosted, sources, worker  # noqa: F401
    from scalpels_exporter.worker import command, generator  # noqa: F401

    freeze()


def run(
    chosen: Chosen,
    settings: Settings,
    pipes: tuple[int, int, int],
    spawner: int,
    shared: tuple[int, ...] = (),
    control: tuple[int, ...] = (),
) -> NoReturn:
    """In the forked child: becomes the worker of `chosen`, with `shared` and a host's `control` open beside its pipes.

    Never returns.
    """
    status = 1
    try:
        os.setsid()
        privileges.call_itself(f"sc:{chosen.tracer.name}")
        signal.set_wakeup_fd(-1)  # the spawner's; its number will be another file here
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)  # Python ignores some, and whoever started the agent may have others
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for target, descriptor in enumerate(pipes):
            os.dup2(descriptor, target)
        kept = _keep((*shared, *control))
        os.closerange(3 + len(kept), OPEN_FILES)
        _limit()
        os.chdir("/")
        os.umask(0o077)
        os.environ.clear()
        os.environ.update(_ENVIRONMENT)
        status = _become(chosen, settings, spawner, kept[: len(shared)], kept[len(shared) :])
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:
        os.write(2, f"E! worker {chosen.tracer.name}: {type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(status)


_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",  # so that tools print numbers as declared, whatever the host's language
    "HOME": "/",
    "PYTHONUNBUFFERED": "1",  # what a Python script prints arrives at once, although no terminal reads it
}


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _at_most(resource.RLIMIT_NOFILE, OPEN_FILES)
    _at_most(resource.RLIMIT_AS, ADDRESS_SPACE_BYTES)
    try:
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    except OSError:
        return  # refused where a lower value than the inherited one would be set: then it is high already


def _at_most(limit: int, value: int) -> None:
    """A lower limit that was set for the agent stays."""
    _, hard = resource.getrlimit(limit)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (least, least))


def _keep(descriptors: tuple[int, ...]) -> tuple[int, ...]:
    """Moves them to the numbers from 3 on, and gives these."""
    clear = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 3 + len(descriptors)) for descriptor in descriptors]
    return tuple(os.dup2(descriptor, target, inheritable=False) for target, descriptor in enumerate(clear, 3))


def _become(chosen: Chosen, settings: Settings, spawner: int, shared: tuple[int, ...], control: tuple[int, ...]) -> int:
    runs = chosen.tracer.runs
    who = worker_identity()
    if who is not None:
        _at_most(resource.RLIMIT_NPROC, PROCESSES)  # counts nothing of what runs as root
    if isinstance(runs, Command):
        from scalpels_exporter.worker import command

        if runs.privileged:
            # A declaration of root's asked for it; ambient, so that an agent that is not root can hand them on.
            if os.geteuid() != 0:
                privileges.keep_only(capabilities_of())
                privileges.raise_ambient(capabilities_of())
        else:
            privileges.keep_only((), *((who.uid, who.gid) if who else (None, None)))
        return command.run(chosen, spawner)
    if isinstance(runs, Bpf):
        return _become_bpf(chosen, settings, spawner, shared, control)
    assert isinstance(runs, Generator)
    from scalpels_exporter.worker import generator

    module = generator.load(chosen.stem)  # before the change of user: the stem may be readable by root alone
    privileges.keep_only(chosen.tracer.needs.capabilities, *((who.uid, who.gid) if who else (None, None)))
    privileges.die_with_parent(spawner)
    return generator.run(chosen, settings.programs, module)


def _become_bpf(
    chosen: Chosen, settings: Settings, spawner: int, shared: tuple[int, ...], control: tuple[int, ...]
) -> int:
    from scalpels_exporter.bpf import hosted, sources, worker
    from scalpels_exporter.worker import generator

    # All before the change of user, as above.
    parts = hosted.parts(chosen)
    texts = [sources.read(hosted.source_of(part)) for part in parts]
    modules = {
        part.tracer.name: generator.load(part.stem) if hosted.runs_of(part).companion else None for part in parts
    }
    who = worker_identity()
    kept = {*worker.LOADER_CAPABILITIES, *(name for part in parts for name in part.needed().needs.capabilities)}
    privileges.keep_only(kept, *((who.uid, who.gid) if who else (None, None)))
    privileges.die_with_parent(spawner)
    return worker.run(chosen, settings.programs, texts, shared, modules, *control)
