"""Boots a kernel on the host's own root under qemu, with KVM where that works, and gives what the guest told."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEGINS = "init: begins"  # what the guest's first process says
FIRST_WORD_SECONDS = {"kvm": 20, "tcg": 120}
MOST_SECONDS = {"kvm": 600, "tcg": 1800}
MEMORY_MIB = 2048


@dataclass(frozen=True, slots=True)
class Outcome:
    image: str  # the kernel's file name
    accelerator: str
    seconds: float
    told: Sequence[dict[str, Any]]  # by inside/begin.py
    console: str  # kernel, first process and pytest, for people


def accelerators() -> list[str]:
    """Those to try in turn. Whether KVM works shows only when a kernel runs on it."""
    return ["kvm", "tcg"] if os.access("/dev/kvm", os.R_OK | os.W_OK) else ["tcg"]


def boot(kernel: Path, initramfs: Path, folder: Path, left: list[str]) -> Outcome | str:
    """`left` are the accelerators to try; one that brings no kernel up is taken out. A text: why none does."""
    complaint = "no accelerator brought an earlier kernel up"
    console, port = folder / "console", folder / "port"
    while left:
        begun = time.monotonic()
        complaint = _run(left[0], _command(left[0], kernel, initramfs, console, port), console)
        if not complaint:
            seconds = time.monotonic() - begun
            whole, _, _ = _text(port).rpartition("\n")  # a guest that is stopped leaves half a line
            told = [json.loads(line) for line in whole.splitlines()]
            return Outcome(kernel.name, left[0], seconds, told, _text(console))
        left.pop(0)
    return complaint


def _run(accelerator: str, command: Sequence[str], console: Path) -> str:
    """Until the guest is over. A text when it did not even begin: why."""
    deadline = time.monotonic() + FIRST_WORD_SECONDS[accelerator]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as qemu:
        try:
            while BEGINS not in _text(console):
                if _ends(qemu, 0.1):
                    break
                if time.monotonic() > deadline:
                    return f"{accelerator}: the kernel has not come up within {FIRST_WORD_SECONDS[accelerator]} s"
            if not _ends(qemu, MOST_SECONDS[accelerator]):
                return ""  # what it has told so far shows how far it came
        finally:
            qemu.kill()
        assert qemu.stdout is not None
        said = qemu.stdout.read().decode(errors="replace").strip()
        return "" if BEGINS in _text(console) else f"{accelerator}: {said or 'the guest ended at once'}"


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _command(accelerator: str, kernel: Path, initramfs: Path, console: Path, port: Path) -> list[str]:
    return [
        *("qemu-system-x86_64", "-machine", "q35", "-accel", accelerator, "-cpu", "max"),
        *("-smp", str(min(2, os.cpu_count() or 1)), "-m", str(MEMORY_MIB)),
        *("-nodefaults", "-no-reboot", "-display", "none", "-serial", f"file:{console}", "-serial", f"file:{port}"),
        *("-kernel", str(kernel), "-initrd", str(initramfs)),
        *("-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on"),  # a panic ends it, with -no-reboot
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
    ]
