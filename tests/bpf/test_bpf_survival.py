"""A kernel that kills processes with seccomp filters at a probed return is found out by trying."""

from __future__ import annotations

import faulthandler
import os
import platform

import pytest

from scalpels_exporter.bpf import survival
from scalpels_exporter.bpf.uprobes import Pmu

pytestmark = [pytest.mark.root, pytest.mark.skipif(platform.machine() != "x86_64", reason="no such call elsewhere")]
NOP, RETURN, UNDEFINED = b"\x90", b"\xc3", b"\x0f\x0b"


@pytest.mark.parametrize(("code", "expected"), [(NOP + RETURN, True), (NOP + UNDEFINED, False)])
def test_who_is_killed_is_noticed(monkeypatch: pytest.MonkeyPatch, code: bytes, expected: bool) -> None:
    monkeypatch.setattr(survival, "_CODE", {"x86_64": code})
    pmu, told = Pmu.of_kernel(), faulthandler.is_enabled()
    faulthandler.disable()  # a child that dies on purpose is no news
    try:
        assert survival.survives(pmu.kind, pmu.returning, min(os.sched_getaffinity(0))) is expected
    finally:
        if told:
            faulthandler.enable()
