"""The one module that imports bcc: C source in, file descriptors of maps and programs out. Loaded in `loader` alone.

Attaches nothing: BCC's own attaching is not used. What the compiler or the verifier complains about becomes one line.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from scalpels_exporter.bpf.headers import Headers

INCLUDED = Path(__file__).parent / "include" / "scalpels.h"
TRACEPOINT, RAW_TRACEPOINT, UPROBE = "tracepoint", "raw tracepoint", "uprobe"
_COMMON_FLAGS = ["-Wno-macro-redefined", "-Wno-unused-function", "-Wno-duplicate-decl-specifier", "-O2"]


class Rejected(Exception):
    """The compiler or the verifier refuses the source; the text is its first complaint."""


class Compiled:
    """The descriptors live as long as this process: hand them over before it ends."""

    def __init__(self, source: str, name: str, headers: Headers, flags: Sequence[str], said: int = -1) -> None:
        """Raises Rejected; or ends the process, as LLVM does where it gives up: why stands in the file `said` then."""
        os.environ["BCC_KERNEL_SOURCE"] = str(headers.source)
        import bcc

        self._bcc = bcc
        # Lines of a complaint are then those of the file that the author knows.
        text = f'#line 1 "scalpels.h"\n{INCLUDED.read_text()}\n#line 1 "{name}"\n{source}'
        self._said = said
        complaints = Complaints(said)
        try:
            with complaints:
                self._bpf = bcc.BPF(text=text.encode(), cflags=[*_COMMON_FLAGS, *headers.flags(), *flags])
        except Exception as error:
            raise Rejected(complaints.first() or str(error)) from None

    def maps(self) -> dict[str, int]:
        module, lib = self._bpf.module, self._bcc.lib
        lib.bpf_table_name.restype = ctypes.c_char_p
        every = range(lib.bpf_num_tables(module))
        return {lib.bpf_table_name(module, n).decode(): lib.bpf_table_fd_id(module, n) for n in every}

    def share(self, maps: Mapping[str, int]) -> None:
        """Puts other maps in the place of those of the same name. Before any program is loaded."""
        own = self.maps()
        for name, descriptor in maps.items():
            if name in own:
                os.dup2(descriptor, own[name], inheritable=False)

    def load(self, function: str, kind: str) -> int:
        """The descriptor of a loaded program. Raises Rejected."""
        bpf = self._bcc.BPF
        kinds = {TRACEPOINT: bpf.TRACEPOINT, RAW_TRACEPOINT: bpf.RAW_TRACEPOINT, UPROBE: bpf.KPROBE}
        complaints = Complaints(self._said)
        try:
            with complaints:
                return int(self._bpf.load_func(function.encode(), kinds[kind]).fd)
        except Exception as error:
            raise Rejected(f"{function}: {complaints.last() or error}") from None


class Complaints:
    """Takes what C code writes to stderr while the context is open, into a file of its own or the one that is given."""

    def __init__(self, given: int = -1) -> None:
        self._given = given
        self.lines: list[str] = []

    def __enter__(self) -> None:
        self._memory = os.dup(self._given) if self._given >= 0 else os.memfd_create("complaints", os.MFD_CLOEXEC)
        os.ftruncate(self._memory, 0)
        os.lseek(self._memory, 0, os.SEEK_SET)
        self._stderr = os.dup(2)
        os.dup2(self._memory, 2)

    def __exit__(self, *_: object) -> None:
        ctypes.CDLL(None).fflush(None)
        os.dup2(self._stderr, 2)
        os.close(self._stderr)
        os.lseek(self._memory, 0, os.SEEK_SET)
        with os.fdopen(self._memory, "rb") as file:
            self.lines = file.read(1 << 24).decode(errors="replace").splitlines()
        if self._given >= 0:
            os.ftruncate(self._given, 0)

    def first(self) -> str:
        """The compiler's first error, with its place."""
        return next((line.strip() for line in self.lines if re.search(r"\berror: ", line)), "")

    def last(self) -> str:
        """What the verifier says at the end of its log, before its figures."""
        said = [line.strip() for line in self.lines if line.strip() and not re.match(r"processed \d+ insns", line)]
        return said[-1] if said else ""
