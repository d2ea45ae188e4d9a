"""The kernel's own lines that take the literals out of a statement (tracers/sql_text.h), compiled for the host."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

TRACERS = Path(__file__).parents[3] / "tracers"
UNKNOWN, YES, NO = range(3)  # whether a backslash in a string takes the next byte's meaning
MOST = 64  # statements of a text
SHIM = r"""
#include <stdint.h>
#include <stddef.h>
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;
#undef __always_inline
#define __always_inline inline
#define BOUND(place, mask) ((place) &= (mask))
#include "sql_text.h"

static struct machine machine;
struct told { u64 hash; u32 length, cut; char text[TEXT_ROOM]; };

/* As sql_digest does: gives the number of statements. */
int read_text(const u8 *bytes, u64 size, int postgresql, int escapes, struct told *told, int most)
{
    struct text text;
    int many = 0;
    if (!machine.ready) {
        build_bytes(&machine);
        build_actions(&machine);
        build_folds(&machine);
        machine.ready = 1;
    }
    begin_text(&text, postgresql, escapes);
    for (u64 place = 0; many < most;) {
        take_byte(&text, &machine, told[many].text, place < size ? bytes[place] : TEXT_END);
        u8 said = text.said;
        place += said != SQL_AGAIN;
        if (said <= SQL_AGAIN && place < TEXT_READ)
            continue;
        told[many].cut = said <= SQL_AGAIN || said == SQL_CUT || (said == SQL_ENDS && is_broken_off(&text));
        end_text(&text);
        told[many].hash = text.at[SLOT_NOW].hash;
        told[many++].length = text.at[SLOT_NOW].length;
        if (said != SQL_STATEMENT_ENDS)
            break;
        begin_text(&text, postgresql, escapes);
    }
    return many;
}
"""


class Read(NamedTuple):
    text: bytes
    cut: bool
    hash: int


class _Told(ctypes.Structure):
    _fields_ = (
        ("hash", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("cut", ctypes.c_uint32),
        ("text", ctypes.c_char * 8192),
    )


@cache
def _library() -> ctypes.CDLL:
    compiler = next(filter(shutil.which, ("clang", "gcc", "cc")), None)
    if compiler is None:
        pytest.skip("needs a C compiler")
    with TemporaryDirectory() as folder:
        source, library = Path(folder, "machine.c"), Path(folder, "machine.so")
        source.write_text(SHIM)
        flags = ["-O1", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-shared", "-fPIC", f"-I{TRACERS}"]
        subprocess.run([compiler, *flags, "-o", library, source], check=True)
        return ctypes.CDLL(str(library))


def read_text(text: bytes, system: str, escapes: int = UNKNOWN) -> list[Read]:
    """What is left of each statement of the text; of what was left out there is nothing behind it either."""
    told = (_Told * MOST)()
    many = _library().read_text(text, ctypes.c_uint64(len(text)), system == "postgresql", escapes, told, MOST)
    return [Read(ctypes.string_at(told[n].text, told[n].length), bool(told[n].cut), told[n].hash) for n in range(many)]
