"""Each kernel of the list, booted once; and what it took, at the end of pytest's output."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from initramfs import write
from machine import Outcome, accelerators, boot
from running import ROOT

BEGIN = Path(__file__).parent / "inside" / "begin.py"
KEPT = ("./boot/vmlinuz-*", "*/modules.builtin", *(f"*/kernel/{part}/*" for part in ("fs", "net/9p", "drivers/virtio")))
OUTCOMES = pytest.StashKey[dict[str, Outcome]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inside", default="", help="paths of more tests to run under each kernel, as one word")


@pytest.fixture(scope="session")
def booted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Outcome]:
    """The outcome of a package's kernel; it is booted when it is asked for the first time."""
    outcomes = request.config.stash.setdefault(OUTCOMES, {})
    left = accelerators()

    def one(package: str) -> Outcome:
        if package not in outcomes:
            outcomes[package] = run(package, tmp_path_factory.mktemp("guest"), left, request.config.getoption("inside"))
        return outcomes[package]

    return one


def run(package: str, folder: Path, left: list[str], more: str) -> Outcome:
    if platform.machine() != "x86_64":
        pytest.skip("needs x86-64: the guest has the host's own root")
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("needs qemu-system-x86")
    kernel, busybox = unpacked(package, *KEPT), unpacked("busybox-static", "./bin/busybox")
    write(folder / "initramfs", kernel, busybox, [sys.executable, str(BEGIN), *more.split()])
    (image,) = kernel.glob("boot/vmlinuz-*")
    outcome = boot(image, folder / "initramfs", folder, left)
    if isinstance(outcome, str):
        pytest.fail(f"no guest comes up: {outcome}")
    return outcome


def unpacked(package: str, *patterns: str) -> Path:
    command = [ROOT / "tools" / "unpacked.sh", package, *patterns]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(done.stderr.strip())
    return Path(done.stdout.strip())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for outcome in config.stash.get(OUTCOMES, {}).values():
        release = next((fact["kernel"] for fact in outcome.told if "kernel" in fact), "no kernel")
        passed = sum(fact.get("outcome") == "passed" for fact in outcome.told)
        seconds, by = round(outcome.seconds), outcome.accelerator
        terminalreporter.write_line(f"{release}: {passed} tests passed inside, {seconds} s with {by}")
        verified = defaultdict[str, dict[str, int]](dict)
        for fact in outcome.told:
            for name, count in fact.get("facts", {}).get("verified", {}).items():
                verified[fact["test"].partition("[")[2].rstrip("]")][name] = count
        for tracer, counts in verified.items():
            most = max(counts, key=lambda name: counts[name])
            terminalreporter.write_line(
                f"  {tracer}: {len(counts)} programs, {sum(counts.values())} instructions verified, "
                f"most in {most}: {counts[most]}"
            )
