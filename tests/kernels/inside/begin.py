"""What a guest does once it has its root: runs the tests of this folder, tells how each went, and ends the guest.

The first process: it takes in orphans. The kernel's messages and pytest's own text go to the first serial port; what
the host reads goes to the second, one JSON object a line. Arguments are pytest's: more tests to run.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
import tty
from pathlib import Path
from typing import Any

import pytest

INSIDE = Path(__file__).parent
TESTS = INSIDE.parent.parent
PORT = "/dev/ttyS1"
RESTART = 0x01234567
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "CI": "true",  # what would be skipped is a failure
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Teller:
    """A plugin of pytest."""

    def __init__(self, port: int) -> None:
        self._port = port

    def tell(self, **facts: Any) -> None:
        rest = json.dumps(facts).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._port, rest) :]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up and tear-down are told when they fail, the test itself always."""
        if report.when == "call" or report.failed:
            self.tell(
                test=report.nodeid,
                outcome=report.outcome,
                seconds=report.duration,
                facts=dict(report.user_properties),
                text=report.longreprtext,
            )


def tests() -> int:
    """pytest's exit status."""
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    os.chdir(TESTS.parent)
    port = os.open(PORT, os.O_WRONLY | os.O_NOCTTY)
    tty.setraw(port)
    teller = Teller(port)
    teller.tell(kernel=os.uname().release)
    status = int(
        pytest.main(["-v", "--color=no", "-p", "no:cacheprovider", str(INSIDE), *sys.argv[1:]], plugins=[teller])
    )
    teller.tell(status=status)
    return status


def main() -> None:
    child = os.fork()
    if not child:
        status = 1
        try:
            status = tests()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    while os.wait()[0] != child:
        pass
    ctypes.CDLL(None).reboot(RESTART)


if __name__ == "__main__":
    main()
