"""LLVM is loaded in one place, and nothing of it stays in a worker."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_exactly_one_module_imports_bcc() -> None:
    importing = set()
    for path in (*(ROOT / "scalpels_exporter").rglob("*.py"), *(ROOT / "tracers").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "bcc" for name in names):
                importing.add(str(path.relative_to(ROOT)))
    assert importing == {"scalpels_exporter/bpf/compiler.py"}
