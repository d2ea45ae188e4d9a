"""A source with what it includes from beside it is one text, whose lines keep their names and numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from scalpels_exporter.bpf.sources import read


def test_what_is_beside_it_is_put_in(tmp_path: Path) -> None:
    (tmp_path / "a.bpf.c").write_text('one\n#include "b.h"\nthree\n#include <linux/types.h>\n')
    (tmp_path / "b.h").write_text('inner\n#include "c.h"\nlast\n')
    (tmp_path / "c.h").write_text("innermost\n")
    assert [line for line in read(tmp_path / "a.bpf.c").splitlines() if line] == [
        "one",
        '#line 1 "b.h"',
        "inner",
        '#line 1 "c.h"',
        "innermost",
        '#line 3 "b.h"',
        "last",
        '#line 3 "a.bpf.c"',
        "three",
        "#include <linux/types.h>",
    ]


def test_one_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.bpf.c").write_text('#include "b.h"\n')
    with pytest.raises(FileNotFoundError, match=r"b\.h"):
        read(tmp_path / "a.bpf.c")
