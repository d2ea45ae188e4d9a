"""The words of a declaration that runs in the kernel: probes, maps, and how a map's entries become samples.

Part of `declare`, which a tracer imports; data as there. What reads it stands in `bpf`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

ATTRIBUTION = "programs"  # the tracer that names processes for all that run in the kernel


@dataclass(frozen=True, slots=True)
class Samples:
    """JSON lines, one sample a line, the snapshot closed by `{"end": true}`. See docs/worker-contract.md."""


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """`function` of the C source runs at `category:name`; `{x}` in the name stands for each text of the parameter x.

    An `optional` one that this kernel lacks is left out, with a warning in the log.
    """

    category: str
    name: str
    function: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class RawTracepoint:
    """`function` runs at the raw tracepoint `name`: cheaper, its arguments are the kernel's own structures."""

    name: str
    function: str


@dataclass(frozen=True, slots=True)
class Uprobe:
    """`function` runs where `symbol`, a C function of user space, begins, or where it `returns`.

    A function that returns through a probe must not be left otherwise: one in which a greenlet is switched is killed.
    """

    symbol: str
    function: str
    returns: bool = False


@dataclass(frozen=True, slots=True)
class Library:
    """Probes in every file that a named process has mapped and that holds the first one's symbol, while the switch
    `when` is on: the library, or a program that was linked with it. Attached and detached as processes come and go.

    Its functions stand in `#ifdef IN_UPROBE`, and what they call is compiled for them a second time. `gauge` is the
    metric that says how many files have probes. A u32 tgid in the ring `wanted` has that process looked at now.
    """

    probes: tuple[Uprobe, ...]
    when: str
    gauge: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Offset:
    """-D`define`=bytes from the start of the kernel's `struct` to `member` (dotted to go into structures within).

    From the kernel's BTF. Where there is none, a `required` one makes the tracer unsupported; without the
    others `define` is not defined, and the source has its #ifdef.
    """

    define: str
    struct: str
    member: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a map's key: a letter of Python's `struct`, and how a label's value is made of its number.

    `decoder` is one of `bpf.decoders`: number, program, syscall, errno, device, text, choice (the number is a
    place in `words`), companion (its `label` says it). A field without a label is left out, and what differs in it
    alone is added up.
    """

    label: str
    format: str
    decoder: str = "number"
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """A u64 in a map's value that only grows, times `scale`: a counter."""

    metric: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Distribution:
    """A u64 sum and the sub-buckets `u64 counts[<MAP>_SLOTS]` in a map's value: a histogram with Exponential buckets.

    The kernel measures a metric in seconds in nanoseconds, any other in its own unit.
    """

    metric: str


@dataclass(frozen=True, slots=True)
class Table:
    """Binds a map of the C source (hash, array, per CPU or not) to metrics.

    `key` and `values` are its members in order, with C's alignment; one value may feed several metrics. The source
    sizes the map by `<MAP>_ENTRIES`, which is the greatest number of series of these metrics.
    """

    map: str
    key: tuple[Field, ...]
    values: tuple[Count | Distribution, ...]


@dataclass(frozen=True, slots=True)
class Bpf:
    """A C source for the kernel, beside the stem; its maps become metrics by `tables`, without any Python code.

    `lost` names what may go missing besides `full` (an entry that a map had no place for): LOST_<NAME> in the source.
    `companion` names a function of the stem for what cannot be declared: `function(kernel) -> Companion`.
    `selftest` names a raw tracepoint function that gets a file descriptor and returns the lower 32 bits of its inode
    number: the offsets are used only when it is right.
    """

    format: ClassVar[Samples] = Samples()
    probes: tuple[Tracepoint | RawTracepoint, ...]
    tables: tuple[Table, ...] = ()
    source: str = ""  # <stem>.bpf.c
    offsets: tuple[Offset, ...] = ()
    lost: tuple[str, ...] = ()
    companion: str = ""
    selftest: str = ""
    calls: str = ""  # the map of type prog_array of a host: the C functions of its Parsers, and its own `programs`
    programs: tuple[str, ...] = ()  # functions that nothing is attached to: CALL_<NAME> is the place of each in `calls`
    library: Library | None = None


@dataclass(frozen=True, slots=True)
class Parser:
    """A C source that is compiled into the worker of another tracer, its host, and called by the host's programs.

    To a user it is a tracer like any other. `programs` are functions that CALL_<NAME> finds in the host's `calls`;
    `recognisers` too, and theirs are the places 0 to RECOGNISERS-1, over all Parsers of the host. The host's map
    `switches` holds 1 at SWITCH_<TRACER> while the tracer is on. PARAMETER_<TRACER>_<NAME>; LOST_<TRACER>_FULL.
    """

    format: ClassVar[Samples] = Samples()
    host: str
    programs: tuple[str, ...]
    recognisers: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    source: str = ""  # <stem>.bpf.c
    offsets: tuple[Offset, ...] = ()
    lost: tuple[str, ...] = ()
    companion: str = ""  # as of Bpf; gets the maps of the host, and the records of the ring `<tracer>_events`
    check: str = ""  # a raw tracepoint function that nothing is attached to: the companion's `kernel.check`


# ---------------------------------------------------------------------------- what a companion takes and gives


class KernelMap(Protocol):
    """A map of the source: bytes in, bytes out, as C has laid them out. A per-CPU value is the sum over the CPUs."""

    @property
    def entries(self) -> int: ...  # for how many it has room
    def items(self) -> Sequence[tuple[bytes, bytes]]: ...
    def heads(self, size: int) -> Iterator[tuple[bytes, bytes]]: ...  # the first so many bytes of the values
    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def remove(self, key: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the engine gives to a companion, once everything is attached."""

    maps: Mapping[str, KernelMap]
    records: Callable[[], Sequence[bytes]]  # what has come through the ring `events` since the last call
    parameters: Mapping[str, Any]
    program: Callable[[int], str]  # pid → program, by the rules; reads /proc
    name: Callable[[int], str]  # number of a program in the kernel → its name
    check: Callable[[int], int]  # runs `check` now, with one u64; what it returns, 32 bits
    proc: str = "/proc"


class Companion(Protocol):
    """The Python part of a tracer with a kernel program. One method at a time is called."""

    def beat(self) -> float:
        """Called when records have come, and when the seconds are over that it gave back the last time."""

    def samples(self) -> Sequence[tuple[str, Sequence[str], Any]]:
        """At a tick, besides what the tables give."""


class Labelling(Companion, Protocol):
    """A companion that says what a member of a key means: the decoder `companion`. Asked once for each key."""

    def label(self, label: str, member: Any) -> str:
        """The value of `label` for what was unpacked; the same as long as the worker lives."""
