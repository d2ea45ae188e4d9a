"""The system calls bpf and perf_event_open by ctypes: numbers, attributes, errors. Knows no tracer and no file."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {"x86_64": (321, 298), "aarch64": (280, 241)}  # bpf, perf_event_open

MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, MAP_NEXT_KEY = 0, 1, 2, 3, 4
PROG_LOAD, PROG_TEST_RUN, OBJ_INFO, RAW_TRACEPOINT_OPEN, MAP_LOOKUP_BATCH, ENABLE_STATS = 5, 10, 15, 17, 24, 32
_STATS_RUN_TIME = 0
_PERF_TYPE_TRACEPOINT = 2
_PERF_ATTR_BYTES = 112
_PERF_CONFIG_1 = 56
_PERF_FLAG_CLOEXEC = 8
_SET_BPF, _ENABLE = 0x40042408, 0x2400  # ioctls of a perf event


class NotHere(OSError):
    """This machine has no number for the calls."""


def bpf(command: int, attributes: bytes | bytearray | ctypes.Array[ctypes.c_char]) -> int:
    """The call's result. OSError with the kernel's number; a bytearray or buffer is written back."""
    buffer = (ctypes.c_char * len(attributes)).from_buffer_copy(attributes)
    result: int = _libc.syscall(_number(0), command, buffer, len(attributes))
    if result < 0:
        raise _error("bpf", buffer, attributes)
    if isinstance(attributes, bytearray):
        attributes[:] = buffer.raw
    return result


def _number(which: int) -> int:
    try:
        return _NUMBERS[platform.machine()][which]
    except KeyError:
        raise NotHere(38, f"no system call numbers for {platform.machine()}") from None


def _error(call: str, buffer: ctypes.Array[ctypes.c_char], attributes: object) -> OSError:
    number = ctypes.get_errno()
    if isinstance(attributes, bytearray):
        attributes[:] = buffer.raw  # a batch says with its error how many entries it has read
    return OSError(number, f"{call}: {os.strerror(number)}")


def raw_tracepoint_open(name: str, program: int) -> int:
    """A link: the program runs at the raw tracepoint until the descriptor is closed."""
    text = ctypes.create_string_buffer(name.encode())
    return bpf(RAW_TRACEPOINT_OPEN, struct.pack("=QI4x", ctypes.addressof(text), program))


def enable_stats() -> int:
    """Run time and run count of every program are kept until the descriptor is closed. Needs CAP_SYS_ADMIN."""
    return bpf(ENABLE_STATS, struct.pack("=I", _STATS_RUN_TIME))


def object_info(descriptor: int, size: int) -> bytes:
    """The first `size` bytes of bpf_map_info or bpf_prog_info; zeroes beyond what the kernel knows."""
    buffer = ctypes.create_string_buffer(size)
    bpf(OBJ_INFO, struct.pack("=IIQ", descriptor, size, ctypes.addressof(buffer)))
    return buffer.raw


def run_here(program: int, data: bytes = b"", context: bytes = b"", repeat: int = 0) -> int:
    """Runs a program here and now and gives its result, 32 bits."""
    data_in, context_in = ctypes.create_string_buffer(data, len(data) or 1), ctypes.create_string_buffer(context)
    attributes = bytearray(
        struct.pack(
            "=IIIIQQIIIIQQIII4x",
            *(program, 0, len(data), 0, ctypes.addressof(data_in) if data else 0, 0, repeat, 0),
            *(len(context), 0, ctypes.addressof(context_in) if context else 0, 0, 0, 0, 0),
        )
    )
    bpf(PROG_TEST_RUN, attributes)
    return int(struct.unpack_from("=I", attributes, 4)[0])


def perf_tracepoint(identity: int, cpu: int) -> int:
    """A perf event on a tracepoint by its id in tracefs. A program set on it runs on every CPU."""
    attributes = bytearray(_PERF_ATTR_BYTES)
    struct.pack_into("=IIQQ", attributes, 0, _PERF_TYPE_TRACEPOINT, _PERF_ATTR_BYTES, identity, 1)
    return _perf_event(attributes, cpu)


def perf_uprobe(kind: int, config: int, path: str, offset: int, cpu: int) -> int:
    """A perf event at an offset in a file, in whatever process has mapped it; `kind` and `config` are the PMU's."""
    text = ctypes.create_string_buffer(os.fsencode(path))
    attributes = bytearray(_PERF_ATTR_BYTES)
    struct.pack_into("=IIQQ", attributes, 0, kind, _PERF_ATTR_BYTES, config, 1)
    struct.pack_into("=QQ", attributes, _PERF_CONFIG_1, ctypes.addressof(text), offset)
    return _perf_event(attributes, cpu)


def enable(event: int, program: int | None = None) -> None:
    """The program runs at the perf event from now on, until the event is closed."""
    if program is not None:
        fcntl.ioctl(event, _SET_BPF, program)
    fcntl.ioctl(event, _ENABLE, 0)


def _perf_event(attributes: bytearray, cpu: int) -> int:
    buffer = (ctypes.c_char * _PERF_ATTR_BYTES).from_buffer_copy(attributes)
    result: int = _libc.syscall(_number(1), buffer, -1, cpu, -1, _PERF_FLAG_CLOEXEC)
    if result < 0:
        raise _error("perf_event_open", buffer, b"")
    return result
