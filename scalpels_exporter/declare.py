"""The words of a declaration: what a tracer is, said as data. The one module that a tracer imports.

Nothing here reads a file, starts a process or knows where a declaration came from: `catalog` finds
declarations, `soundness` checks them, `config` turns a user's YAML into the same words.
A declaration is plain data, so that it can be handed from the privileged side to the agent proper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scalpels_exporter.families import Counter as Counter
from scalpels_exporter.families import Counts as Counts
from scalpels_exporter.families import Explicit as Explicit
from scalpels_exporter.families import Exponential as Exponential
from scalpels_exporter.families import Gauge as Gauge
from scalpels_exporter.families import Histogram as Histogram
from scalpels_exporter.families import Info as Info
from scalpels_exporter.families import Metric as Metric
from scalpels_exporter.probes import ATTRIBUTION as ATTRIBUTION
from scalpels_exporter.probes import Bpf as Bpf
from scalpels_exporter.probes import Companion as Companion
from scalpels_exporter.probes import Count as Count
from scalpels_exporter.probes import Distribution as Distribution
from scalpels_exporter.probes import Field as Field
from scalpels_exporter.probes import Kernel as Kernel
from scalpels_exporter.probes import Labelling as Labelling
from scalpels_exporter.probes import Library as Library
from scalpels_exporter.probes import Offset as Offset
from scalpels_exporter.probes import Parser as Parser
from scalpels_exporter.probes import RawTracepoint as RawTracepoint
from scalpels_exporter.probes import Samples as Samples
from scalpels_exporter.probes import Table as Table
from scalpels_exporter.probes import Tracepoint as Tracepoint
from scalpels_exporter.probes import Uprobe as Uprobe

# ---------------------------------------------------------------------------- parameters and needs


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting of one tracer, under its name in the configuration.

    `kind` is one of: integer, number, text, switch, duration (seconds; "10s", "5m" in the file),
    texts (a list of texts), pattern (a regular expression).
    """

    name: str
    kind: str
    default: Any
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What the host must give before the tracer can run; `doctor` and the worker check it."""

    capabilities: tuple[str, ...] = ()  # CAP_SYS_PTRACE …
    commands: tuple[str, ...] = ()  # found on PATH
    files: tuple[str, ...] = ()  # must exist and be readable
    kernel: tuple[int, int] = (0, 0)  # the least version
    packages: Mapping[str, str] = field(default_factory=dict)  # command → Debian package that brings it
    while_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # switch → capabilities, as long as it is on


# ---------------------------------------------------------------------------- output formats


@dataclass(frozen=True, slots=True)
class Binding:
    """How one field of a record becomes one sample of `metric` (formats lines, columns, logfmt, log2).

    `labels` maps a label's name to the field that gives its value. The field's number is multiplied by
    `scale`. `counts` says what a counter's or histogram's number is: `increments` are added up by the
    agent, `totals` are cumulative already.
    """

    metric: str
    value: str = "value"
    labels: Mapping[str, str] = field(default_factory=dict)
    scale: float = 1.0
    counts: str = "increments"


@dataclass(frozen=True, slots=True)
class OpenMetrics:
    """OpenMetrics or Prometheus text, each snapshot closed by `# EOF`."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Every match of `pattern` in a line is a record; its named groups are the fields.

    Without a pattern every number that is a word of its own is a record with the fields `value` and `unit`
    (what follows it directly, or the next word), which reads `12.00 pkt/s 3400.00 byte/s` as it is.
    Lines in which `skip` is found are passed over.
    """

    pattern: str = ""
    bindings: tuple[Binding, ...] = ()
    skip: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """A header line that names the columns, then one record a line, until a blank line or the next header.

    Without `header` the first line is the header; with it, a header is a line that matches this pattern.
    With `names` the columns are called so, whatever the header says. `separator` is a regular expression.
    """

    header: str = ""
    separator: str = r"\s+"
    bindings: tuple[Binding, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Logfmt:
    """`key=value key="a value"`: one record a line."""

    bindings: tuple[Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class Log2:
    """The power-of-two histograms that bcc and bpftrace tools print. Exactly one binding, of a histogram.

    The label of a section (`disk = sda`, `@usecs[sda]:`) is the field `section`.
    """

    bindings: tuple[Binding, ...] = ()


Format = Samples | OpenMetrics | Lines | Columns | Logfmt | Log2

# ---------------------------------------------------------------------------- how a tracer runs


@dataclass(frozen=True, slots=True)
class Generator:
    """A function of the stem, `function(context) -> Iterator[Iterable[Sample]]`: one `next()` a tick."""

    function: str = "snapshots"
    format: Format = field(default_factory=Samples)


@dataclass(frozen=True, slots=True)
class Command:
    """Any program; what it prints on stdout is read in `format`.

    `mode`: `stream` prints when it likes; `ticked` answers every newline on its stdin with one snapshot;
    `rerun` is run afresh for every tick and ends after printing. A first word without a slash is looked
    up on PATH; one that begins with `./` lies beside the stem. `{name}` in a word is the parameter `name`.
    """

    argv: tuple[str, ...]
    format: Format = field(default_factory=Samples)
    mode: str = "stream"
    privileged: bool = False  # False: an unprivileged user without any capability


@dataclass(frozen=True, slots=True)
class Summary:
    """What `once --for` shows in one table: a histogram of seconds, and the counter of what failed.

    The counter has the histogram's labels and more; what the others say (an error code) is named. Each of `more` is
    another histogram of seconds, with a table of its own behind the first one. Where failures are series of their own,
    `failed` is a label and what its value then begins with.
    """

    times: str
    errors: str = ""
    more: tuple[str, ...] = ()
    failed: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Ends:
    """What `once --for` shows in one table of what several ends time, each in its own program: the rows of one value of
    the label `by` stand together.

    `times` is the end's name → its histogram of seconds. The counters have the labels `program`, `side`, whose value is
    the end's name, and `by`; `errors` may have more, which are named. `wrong` is a column's title → a counter of what
    should not be: it decides what stands first.
    """

    by: str
    times: Mapping[str, str]
    errors: str = ""
    wrong: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tracer:
    """A named thing that can be started and stopped: what it measures, and how its worker runs."""

    name: str  # equals the stem of its file
    help: str  # one sentence
    metrics: tuple[Metric, ...]
    runs: Generator | Command | Bpf | Parser
    parameters: tuple[Parameter, ...] = ()
    needs: Needs = field(default_factory=Needs)
    default: bool = False  # on when the configuration does not name it
    overhead: str = ""  # measured, with what measured it
    series: int = 2000  # series budget: past it new label values fold into `other`
    picture: str = ""  # the metric drawn on the landing page
    summary: Summary | Ends | None = None

    def metric(self, name: str) -> Metric | None:
        return next((m for m in self.metrics if m.name == name), None)

    @property
    def ticked(self) -> bool:
        """Whether a tick is sent to the worker, which then owes one snapshot."""
        return not (isinstance(self.runs, Command) and self.runs.mode == "stream")

    @property
    def names_processes(self) -> bool:
        """Whether its worker applies the rules for programs itself."""
        return isinstance(self.runs, Generator) or self.name == ATTRIBUTION

    @property
    def host(self) -> str:
        """The tracer whose worker is this one's too; "" for one that has a worker of its own."""
        return self.runs.host if isinstance(self.runs, Parser) else ""

    @property
    def requires(self) -> str:
        """The tracer that must run beside this one; "" for none."""
        if isinstance(self.runs, Parser):
            return self.runs.host
        return ATTRIBUTION if isinstance(self.runs, Bpf) and self.name != ATTRIBUTION else ""


# ---------------------------------------------------------------------------- what a generator takes and gives


Number = int | float
Sample = tuple[str, Sequence[str], "Number | Counts"]  # metric name, label values in declared order, value


@dataclass(frozen=True, slots=True)
class Context:
    """What the host gives to a generator. Paths are injected so that tests can point at recorded trees."""

    parameters: Mapping[str, Any]
    program: Callable[[int], str]  # pid → program, "other" where no rule names it
    proc: str = "/proc"
    sys: str = "/sys"
    # The same for a tracer that has read stat already: pid, start in clock ticks after boot, comm, start of the stack.
    program_of: Callable[[int, int, str, int], str] | None = None


Snapshots = Iterator[Sequence[Sample]]


class Unsupported(Exception):
    """Raised by a generator: this host cannot run the tracer. The text is the reason that the user reads."""
