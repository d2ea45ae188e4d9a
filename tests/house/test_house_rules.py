"""The rules of CONTRIBUTING that no linter knows."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OURS = ("scalpels_exporter", "tracers", "benchmarks", "dashboards", "demo", "tools")
MODULES = sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py"))
EVERY_PYTHON = [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]
SCRIPTS = sorted((ROOT / "tools").glob("*.sh"))
MOST_LINES = 300
MEAN_LINES = 150
MOST_LINES_OF_A_FUNCTION = 50
MOST_BYTES_OF_A_FILE = 250_000


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_opens_with_a_docstring_and_is_a_room_with_one_purpose(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= MOST_LINES, f"{lines} lines; above {MOST_LINES} a module has two purposes"
    if text.strip():  # an empty __init__ says nothing
        assert ast.get_docstring(ast.parse(text)), "no docstring says what this module does and what it does not"


def test_modules_are_small_on_the_whole() -> None:
    sizes = [path.read_text().count("\n") for path in MODULES if path.name != "__init__.py"]
    assert sum(sizes) / len(sizes) < MEAN_LINES


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    long = [
        f"{node.name} at line {node.lineno} has {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]
    assert not long


def test_no_module_or_folder_has_a_name_that_says_nothing() -> None:
    empty = {"util", "utils", "helper", "helpers", "common", "base", "manager", "misc"}
    parts = {part.removesuffix(".py") for path in EVERY_PYTHON for part in path.relative_to(ROOT).parts}
    assert not parts & empty


def test_nothing_is_left_to_be_done() -> None:
    # Written so that this line does not find itself.
    words = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
    files = [*EVERY_PYTHON, *SCRIPTS, ROOT / "Makefile", ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    left = [
        f"{named(path)}: {line.strip()}"
        for path in files
        for line in path.read_text().splitlines()
        if words.search(line)
    ]
    assert not left


def test_no_two_test_files_have_one_name() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []


def test_tests_wait_for_conditions_and_never_sleep() -> None:
    """Children of tests may, and so may tests/running.py, which has the one loop that waits."""
    sleeping = [
        f"{named(path)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep")
    ]
    assert not sleeping


def imported_by(*folders: str) -> set[str]:
    """The packages that the modules in these folders import."""
    return {
        ((node.module or "") if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0]
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def test_every_dependency_earns_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    decision = (ROOT / "docs" / "decisions" / "0003-dependencies.md").read_text()
    modules = {
        "grafana-foundation-sdk": "grafana_foundation_sdk",
        "mysql-connector-python": "mysql",
        "oslo.messaging": "oslo_messaging",
        "promql-parser": "promql_parser",
        "psycopg[binary]": "psycopg",
        "pyyaml": "yaml",
    }
    run_as_commands = {"gunicorn"}
    services = project["optional-dependencies"]["services"]
    makers = [line for line in project["optional-dependencies"]["dev"] if re.match("grafana|promql", line)]
    for lines, folders in (
        (project["dependencies"], ("scalpels_exporter", "tracers")),
        (services, ("tests/servers", "tests/loads")),
        (makers, ("dashboards",)),
    ):
        found = imported_by(*folders) | run_as_commands
        for line in lines:
            name = re.split(r"[<>=]", line)[0]
            assert f"`{name}`" in decision, f"0003-dependencies.md does not say why {name} is there"
            assert modules.get(name, name) in found, f"{name} is not imported anywhere"


def test_nothing_that_is_installed_needs_what_makes_dashboards() -> None:
    assert not imported_by("scalpels_exporter", "tracers") & {"dashboards", "grafana_foundation_sdk", "promql_parser"}


@pytest.mark.parametrize("path", [*SCRIPTS, ROOT / ".ci" / "run"], ids=named)
def test_scripts_can_be_run_and_say_what_they_are_for(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    assert lines[1].startswith("# ")
    assert any(line.startswith("set -") and "u" in line for line in lines)
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", path], check=True, timeout=10)


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.M)
    assert phony is not None
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    assert [line.split()[1] for line in shown.splitlines()] == phony[1].split()


def test_nothing_large_and_nothing_built_lies_in_the_repository() -> None:
    asked = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]  # it may be another user's
    tracked = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("no git checkout: which files belong to it cannot be told")
    files = [ROOT / name for name in tracked.stdout.split("\0") if name]
    large = [named(path) for path in files if path.exists() and path.stat().st_size > MOST_BYTES_OF_A_FILE]
    assert not large, f"above {MOST_BYTES_OF_A_FILE} bytes; packages and builds belong into .cache"
