"""The dashboards that there are: what each is for, and which rows lead. What stands on them is said by boards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard. Rows that are not in `rows` follow in the order of their names; it is made once it has a panel."""

    title: str
    description: str
    rows: tuple[str, ...] = ()

    @property
    def full_title(self) -> str:
        return f"Scalpels / {self.title}"


PAGES = {
    "overview": Page(
        "Overview",
        "Is any program of this cloud slower than last week, and where? Every program leads to its own page.",
        ("Slower than usual", "Programs", "Failures", "Machines"),
    ),
    "program": Page(
        "Program",
        "One program: where its time goes, what it asks of the machine, and what it waits for.",
        (
            "Slower than usual",
            "Processor",
            "Python",
            "RPC",
            "SQL",
            "HTTP",
            "Files",
            "System calls",
            "Memory",
            "Storage",
        ),
    ),
    "rpc": Page(
        "RPC",
        "Remote calls by method: what the client waits, the broker holds and the server works.",
        ("Worst first", "Calls", "Broker", "Messages", "Failures", "AMQP"),
    ),
    "sql": Page(
        "SQL",
        "Statements by program and verb, at the client and at the server: how many, how long, what fails.",
        ("Worst first", "Statements", "Failures", "Transactions", "Connections", "Bytes"),
    ),
    "http": Page(
        "HTTP API",
        "Requests by route and status, at the server and at the client: how many, how long, what fails, what waits.",
        ("Worst first", "Served", "Asked", "Failures", "Bytes"),
    ),
    "python": Page(
        "Python runtime", "Functions, stalls of event loops, garbage collection and the interpreter's lock.", ()
    ),
    "node": Page(
        "Node",
        "The machine: processors, memory, pressure, disks, file systems, network.",
        ("Pressure", "Processors", "Memory", "Disks", "File systems", "Network", "Processes"),
    ),
    "tracing": Page(
        "Tracing itself",
        "The agent and its tracers: what runs, what it costs, what was lost. Look here before you believe the rest.",
        ("State", "Losses", "Cost", "Series", "Agent"),
    ),
}


def uid(page: str) -> str:
    return f"scalpels-{page}"
