"""The spawner's part for tracers that live in another one's worker: a member's pipes go to its host over a socket.

    add NAME RUN       to the host, with the member's stdin, stdout, stderr
    drop NAME RUN      to the host
    ended NAME RUN N   from the host, once for each add: N as an exit status

A host holds less privilege than who reads this, so it is read strictly: it can tell the end of what it was given and
nothing else, and is killed when it says more. Nothing here waits for a host.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from scalpels_exporter.config.settings import Chosen
from scalpels_exporter.declare import Bpf, Tracer
from scalpels_exporter.spawn import descriptors

LIMIT = 512
PIPES = 3
_ENDED = re.compile(rb"ended ([a-z][a-z0-9]{0,31}) ([0-9]{1,12}) ([0-9]{1,3})\Z")
_SIGNALLED = "signal:9"  # how a member ends that nobody waits for any longer


@dataclass(slots=True)
class _Host:
    tracer: str
    pid: int
    control: socket.socket
    given: set[tuple[str, int]] = field(default_factory=set)  # what it has not told the end of


@dataclass(slots=True)
class Hosting:
    """`answer` tells the agent, `poll` is told whom to listen to."""

    poll: select.poll
    answer: Callable[[str, Sequence[int]], None]
    _hosts: dict[int, _Host] = field(default_factory=dict)  # by descriptor
    _members: dict[str, tuple[int, _Host]] = field(default_factory=dict)  # name → its run, and where

    def began(self, pid: int, tracer: str, control: socket.socket) -> None:
        """A host's worker is there."""
        control.setblocking(False)
        self._hosts[control.fileno()] = _Host(tracer, pid, control)
        self.poll.register(control, select.POLLIN)

    def start(self, member: Tracer, run: int) -> str:
        """Why it cannot be; "" when it has its pipes."""
        if member.name in self._members:
            return f"{member.name} has a worker already"
        host = next((one for one in self._hosts.values() if one.tracer == member.host), None)
        if host is None:
            return f"{member.host} has no worker"
        try:
            with descriptors.pipes() as (theirs, ours):
                message = f"add {member.name} {run}".encode()
                socket.send_fds(host.control, [message], theirs)
                host.given.add((member.name, run))
                self.answer(f"started {member.name} {run} {host.pid}", ours)
        except OSError as error:
            return f"{member.name} could not be started: {member.host} takes no more: {error.strerror}"
        self._members[member.name] = run, host
        return ""

    def end(self, tracer: str, run: int, *, now: bool) -> bool:
        """Whether it is a member's run. `now`: it is over, whatever its host does about it."""
        there, host = self._members.get(tracer, (0, None))
        if host is None or there != run:
            return False
        with contextlib.suppress(OSError):  # full: the agent has closed its pipes too
            host.control.send(f"drop {tracer} {run}".encode())
        if now:
            del self._members[tracer]
            self.answer(f"ended {tracer} {run} {_SIGNALLED}", ())
        return True

    def hear(self, descriptor: int) -> int:
        """Takes one message; the pid of a host that has to be killed for it, 0 for none."""
        host = self._hosts.get(descriptor)
        if host is None:
            return 0  # it was reaped in this moment
        try:
            packet = host.control.recv(LIMIT)
        except BlockingIOError:
            return 0
        except OSError:
            packet = b""
        found = _ENDED.match(packet)
        told = (found[1].decode(), int(found[2])) if found else None
        if found is None or told not in host.given:
            self.poll.unregister(descriptor)  # its end is seen otherwise
            return host.pid
        host.given.discard(told)
        self._over(*told, f"exit:{int(found[3])}")
        return 0

    def host_ended(self, pid: int, code: int) -> None:
        """Its members went with it; the agent has been told of the host."""
        for descriptor, host in list(self._hosts.items()):
            if host.pid != pid:
                continue
            del self._hosts[descriptor]
            with contextlib.suppress(KeyError):
                self.poll.unregister(descriptor)
            host.control.close()
            for name, (run, where) in list(self._members.items()):
                if where is host:
                    self._over(name, run, f"host:{code}")

    def _over(self, name: str, run: int, how: str) -> None:
        if self._members.get(name, (0, None))[0] == run:
            del self._members[name]
            self.answer(f"ended {name} {run} {how}", ())


@contextlib.contextmanager
def line(chosen: Chosen) -> Iterator[list[socket.socket]]:
    """Our end and the worker's, for one that is a host, else none. The worker's is closed when it has it."""
    runs = chosen.tracer.runs
    ends = [*socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)] if isinstance(runs, Bpf) and runs.calls else []
    try:
        yield ends
    except BaseException:
        for end in ends:
            end.close()
        raise
    for end in ends[1:]:
        end.close()
