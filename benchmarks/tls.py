"""What `wire` with `tls` adds to a call of libssl: to a process that is traced, and to one that only has the same file.

    .venv/bin/python -m benchmarks.tls [--rounds 15] [--calls 8000]

CPU nanoseconds of one SSL_read or SSL_write (half of them the _ex ones) with a query or its answer of PostgreSQL in it,
both ends in one process over a socket pair: paired within alternating rounds with the same program on a copy of the
library that nobody probes, then medians and quartiles. `traced` holds what `sql` takes to follow the bytes and what
`wire` takes to leave the records alone. Needs root, gcc and libssl-dev; asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from running import RunningAgent, quiet_but, wait_until
from servers.certificate import make_certificate

TESTS = Path(__file__).parent.parent / "tests"
NAMED = "mark-of-the-traced"
SETTINGS = (
    f"programs:\n  - {{name: traced, cmdline: 'tls_pair .*{NAMED}'}}\n"
    f"{quiet_but('sql', 'wire')}  sql: {{}}\n  wire: {{tls: true}}\n"
)
CALLS_A_ROUND = 4  # of tls_pair: a query written and read, an answer written and read
Measured = Callable[[], float]


def pair(stack: ExitStack, folder: Path, libraries: Path, mark: str, calls: int) -> Measured:
    """The program on these copies; what measures one call of it in nanoseconds."""
    child = subprocess.Popen(
        [folder / "tls_pair", folder / "certificate.pem", folder / "key.pem", mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LD_LIBRARY_PATH": str(libraries)},
    )
    stack.callback(child.wait)
    assert child.stdin is not None
    assert child.stdout is not None
    stack.callback(child.stdin.close)
    said, heard = child.stdin, child.stdout

    def measured() -> float:
        said.write(f"{calls // CALLS_A_ROUND}\n")
        said.flush()
        return int(heard.readline().split()[1]) / calls

    return measured


def made(folder: Path) -> tuple[Path, Path]:
    """Builds the program; two copies of its libraries."""
    command: list[str | Path] = [
        "gcc",
        "-O1",
        "-o",
        folder / "tls_pair",
        TESTS / "tls_pair.c",
        "-lssl",
        "-lcrypto",
        "-lpthread",
    ]
    subprocess.run(command, check=True)
    make_certificate(folder)
    told = subprocess.run(["ldd", folder / "tls_pair"], capture_output=True, text=True, check=True).stdout.split()
    copies = folder / "probed", folder / "left"
    for copy in copies:
        copy.mkdir()
        for library in told:
            if library.startswith("/") and Path(library).name.startswith(("libssl", "libcrypto")):
                shutil.copy(library, copy)
    return copies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=8000)
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        folder.chmod(0o755)
        probed, left = made(folder)
        agent = RunningAgent(folder, SETTINGS)
        stack.callback(agent.close)
        wait_until(lambda: agent.value("scalpels_worker_up", tracer="sql") == 1, 60, "sql is up")
        alone = pair(stack, folder, left, "nobody", args.calls)
        subjects = {
            "traced": pair(stack, folder, probed, NAMED, args.calls),
            "bystander": pair(stack, folder, probed, "nobody", args.calls),
        }
        wait_until(lambda: str(probed) in agent.log.read_text(), 20, "the copy is probed")
        added: dict[str, list[float]] = {name: [] for name in subjects}
        plain: list[float] = []
        for _ in range(args.rounds):
            for name, subject in subjects.items():
                without = alone()
                plain.append(without)
                added[name].append(subject() - without)
        print(f"a call without: {statistics.median(plain):.0f} ns\n")
        print(f"{'added to a call, ns':24}{'median':>8}  quartiles")
        for name, several in added.items():
            first, median, third = statistics.quantiles(several, n=4)
            print(f"{name:24}{median:8.0f}  {first:.0f} to {third:.0f}")


if __name__ == "__main__":
    main()
