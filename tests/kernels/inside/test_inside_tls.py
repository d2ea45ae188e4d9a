"""Probes in libssl under the kernel that runs: what they bring is counted exactly, by the parsers loaded once more.

By the command `once`, which waits for as long as it is told: an emulated machine compiles all twice in over a minute.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT, quiet_but
from servers.certificate import make_certificate

pytestmark = pytest.mark.root
WORK = Path(__file__).with_name("tls_work.py")
MARK = "mark-of-who-encrypts"
TIMES = 20
SIZES = (14, 20)  # of a query and its answer in tls_work.py
SETTINGS = (
    f"programs:\n  - {{name: encrypts, cmdline: '{MARK}$'}}\n"
    f"{quiet_but('sql', 'http', 'wire')}  sql: {{}}\n  http: {{}}\n  wire: {{tls: true}}\n"
)
ONCE = ("once", "sql", "--wait", "400s", "--for", "15s")


def test_statements_over_tls_are_counted_exactly(tmp_path: Path) -> None:
    config = tmp_path / "scalpels.yaml"
    config.write_text(SETTINGS)
    said = tmp_path / "said"
    work = [sys.executable, "-S", WORK, *make_certificate(tmp_path), MARK]
    once = [sys.executable, "-m", "scalpels_exporter", *ONCE, "--config.file", config]
    with (
        subprocess.Popen(work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        said.open("w") as output,
        subprocess.Popen(once, stdout=output, stderr=subprocess.PIPE, text=True, cwd=ROOT) as tracer,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        assert tracer.stderr is not None
        heard = []
        for line in tracer.stderr:
            heard.append(line)
            if "libssl" in line:
                process.stdin.write(f"{TIMES}\n")
                process.stdin.flush()
                assert process.stdout.readline() == "ready\n"
                assert process.stdout.readline() == "done\n"
                break
        heard += tracer.stderr
    assert tracer.returncode == 0, heard
    rows = [line.split() for line in said.read_text().splitlines() if line.lstrip().startswith("encrypts")]
    counted = {(row[2], row[3]) for row in rows if row[4] == "B"}  # sent and received, as `once` draws them
    assert counted == {(side, str(TIMES * size)) for side in ("client", "server") for size in SIZES}, said.read_text()
