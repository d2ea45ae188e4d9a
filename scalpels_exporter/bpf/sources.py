"""Reads a tracer's C source, with what it includes from beside it: one text, because BCC rewrites map methods in its
main file alone. Lines of a complaint stay those of the file that its author knows. `#include <…>` is the compiler's.
"""

from __future__ import annotations

import re
from pathlib import Path

_INCLUDE = re.compile(r'^#include "([a-z][a-z0-9_]*\.h)"$', re.M)


def read(source: Path) -> str:
    """OSError where a file is not there."""

    def included(found: re.Match[str]) -> str:
        line = found.string.count("\n", 0, found.start()) + 1
        return f'#line 1 "{found[1]}"\n{read(source.parent / found[1])}\n#line {line + 1} "{source.name}"'

    return _INCLUDE.sub(included, source.read_text(encoding="utf-8"))
