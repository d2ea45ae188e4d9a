"""The wheel: built from this tree and used where no checkout is. Nothing is fetched from anywhere."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from running import wait_until

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "scalpels_exporter"
pytestmark = pytest.mark.server
LOCALE = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def files_of(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """The wheel's files, installed into a folder that anyone may read."""
    with tempfile.TemporaryDirectory(prefix="scalpels-wheel-") as name:
        Path(name).chmod(0o755)
        yield made(Path(name))


def made(folder: Path) -> Path:
    source = folder / "source"  # a copy: building leaves a build/ behind, and takes what an earlier one left there
    for name in ("scalpels_exporter", "tracers"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    built = [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, source]
    done = subprocess.run(built, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    installed = [*pip, "install", "--no-deps", "--no-index", "--target", target, wheel]
    done = subprocess.run(installed, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(name="scalpels")
def scalpels_fixture(site: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the installed command where no checkout is; what it depends on comes from the environment of the tests."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [site / "bin" / "scalpels", *words],
            cwd=tmp_path,
            env={**LOCALE, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=30,
        )

    return run


def test_it_has_every_file_of_the_package_and_of_the_tracers_and_no_other(site: Path) -> None:
    expected = files_of(PACKAGE) | {f"tracers/{name}" for name in files_of(ROOT / "tracers")}
    assert files_of(site / "scalpels_exporter") == expected
    assert {path.name for path in site.iterdir()} - {"bin"} == {
        "scalpels_exporter",
        next(site.glob("*.dist-info")).name,
    }


def test_its_scripts_can_be_executed_and_all_its_files_read_by_anyone(site: Path) -> None:
    for script in (site / "scalpels_exporter" / "tracers").glob("*.sh"):
        assert script.stat().st_mode & 0o111 == 0o111, script
    for name in files_of(site / "scalpels_exporter"):
        assert (site / "scalpels_exporter" / name).stat().st_mode & stat.S_IROTH, name


def test_its_tracers_are_listed_and_lie_inside_it(
    scalpels: Callable[..., subprocess.CompletedProcess[str]], site: Path
) -> None:
    done = scalpels("list", "--offline", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.stem for path in (ROOT / "tracers").glob("[!_]*.py")}
    assert {name for name in names if f'"tracer": "{name}"' in done.stdout} == names
    assert str(ROOT / "tracers") not in done.stdout
    assert str(site / "scalpels_exporter" / "tracers" / "system.py") in done.stdout


@pytest.mark.root
def test_it_runs_a_tracer(scalpels: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = scalpels("once", "system")
    assert (done.returncode, done.stderr) == (0, "")
    assert "scalpels_system_load1 " in done.stdout


@pytest.mark.root
def test_its_agent_serves_metrics_and_the_page(site: Path, open_folder: Path) -> None:
    log = open_folder / "agent.log"
    run = open_folder / "run"
    run.mkdir()
    run.chmod(0o777)  # the agent is not root when it makes its socket there
    words = ["--web.listen-address=127.0.0.1:0", f"--web.socket={run}/agent.sock"]
    with log.open("w") as stderr:
        agent = subprocess.Popen(
            [site / "bin" / "scalpels-exporter", *words],
            cwd=open_folder,
            env={**LOCALE, "PYTHONPATH": str(site)},
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        port = wait_until(
            lambda: log.read_text().partition("addresses=127.0.0.1:")[2].partition(",")[0], 20, "it listens"
        )
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: "scalpels_system_load1 " in requests.get(f"{base}/metrics", timeout=5).text, 20, "a scrape")
        for name in files_of(PACKAGE / "web" / "page"):
            path = "" if name == "index.html" else f"page/{name}"
            assert requests.get(f"{base}/{path}", timeout=5).status_code == 200
    finally:
        agent.terminate()
        agent.wait(20)
    assert agent.returncode == 0, log.read_text()
