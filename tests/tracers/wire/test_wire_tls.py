"""Whatever file libssl's functions are in, they are probed while a named process has it, and no longer."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from callers import Series, lost, series_of, settled
from running import RunningAgent, processes_of, quiet_but, wait_until
from servers.certificate import make_certificate
from servers.server import program

from scalpels_exporter.bpf import elf
from scalpels_exporter.bpf.mapped import executables, opened

pytestmark = pytest.mark.root
SOURCE = Path(__file__).parents[2] / "tls_pair.c"
MARK, MARK_OF_KILLS = "mark-of-the-pair", "mark-of-the-killed"  # the agents must not know each other's
SETTINGS = (
    f"programs:\n  - {{name: pair, cmdline: '^[^ ]*tls-pair .*{MARK}'}}\n"
    f"{quiet_but('sql', 'wire')}  sql: {{}}\n  wire: {{tls: true}}\n"
)
ROUNDS, CONNECTIONS = 40, 3
ALL = Counter(client=CONNECTIONS * ROUNDS, server=CONNECTIONS * ROUNDS)
BREAKPOINT = b"\xcc"
Say = Callable[[int], None]


@pytest.fixture(scope="module")
def agent(kernel_programs: None, agent_of_module: Callable[..., RunningAgent]) -> RunningAgent:
    return agent_of_module(SETTINGS, "sql")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate and the program, linked with the library in both ways, beside a copy of the library
    that nobody else has mapped."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, libraries in (("dynamic", ["-lssl", "-lcrypto"]), ("static", ["-l:libssl.a", "-l:libcrypto.a", "-ldl"])):
        target = folder / name
        target.mkdir()
        command = [program("gcc"), "-O1", "-o", target / "tls-pair", SOURCE, *libraries, "-lpthread"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told = subprocess.run(["ldd", target / "tls-pair"], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"/\S+/lib(?:ssl|crypto)\S+", told):
            shutil.copy(library, target)
    make_certificate(folder)
    return folder


@contextmanager
def pair(folder: Path, kind: str, *before: str | Path, mark: str = MARK) -> Iterator[tuple[int, Say]]:
    """Its pid, and what makes it talk."""
    words: Sequence[str | Path] = [folder / kind / "tls-pair", folder / "certificate.pem", folder / "key.pem", mark]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder / kind)}
    with subprocess.Popen(
        [*before, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def say(rounds: int) -> None:
            child.stdin.write(f"{rounds}\n")
            child.stdin.flush()
            assert child.stdout.readline().startswith("done ")

        yield child.pid, say
        child.stdin.close()


def statements(agent: RunningAgent, say: Say) -> Counter[str]:
    """By side, of the next connections."""

    def now(found: Series) -> Counter[str]:
        labelled = ((name, dict(labels), value) for (name, labels), value in found.items())
        return Counter(
            {
                labels["side"]: round(value)
                for name, labels, value in labelled
                if name == "scalpels_sql_seconds_count" and labels["program"] == "pair"
            }
        )

    before = now(series_of(agent, "scalpels_sql"))
    for _ in range(CONNECTIONS):
        say(ROUNDS)
    return now(settled(agent, "scalpels_sql")) - before


LAST = "SSL_free"  # to be probed, and to be left


def is_probed(pid: int) -> bool:
    """Whether a breakpoint stands where the last function begins in the memory of a process."""
    for mapped in executables(pid):
        file = opened(pid, mapped)
        try:
            place = elf.functions(file, [LAST]).get(LAST)
        finally:
            os.close(file)
        if place is not None:
            begin, offset = next(
                (begin, offset)
                for begin, end, offset in mappings(pid, mapped.path)
                if 0 <= place - offset < end - begin
            )
            with Path(f"/proc/{pid}/mem").open("rb") as memory:
                memory.seek(begin + place - offset)
                return memory.read(1) == BREAKPOINT
    return False


def mappings(pid: int, path: bytes) -> Iterator[tuple[int, int, int]]:
    """Begin, end, and offset in the file, of its executable ones."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, access, offset, _, _, *name = line.split(maxsplit=5)
        if "x" in access and name == [os.fsdecode(path)]:
            begin, end = addresses.split("-")
            yield int(begin, 16), int(end, 16), int(offset, 16)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_the_library_is_found_wherever_it_was_linked_to(agent: RunningAgent, pairs: Path, kind: str) -> None:
    with pair(pairs, kind, mark="nobody") as (bystander, _):
        with pair(pairs, kind) as (pid, say):
            wait_until(lambda: is_probed(pid), 5, "it is probed")
            assert statements(agent, say) == ALL
        wait_until(lambda: not is_probed(bystander), 20, "no named process has it any more")
    assert lost(agent) == {}


def test_a_library_in_a_container_is_found_and_one_that_was_deleted_too(agent: RunningAgent, pairs: Path) -> None:
    script = """
        mount -t tmpfs none /mnt
        cp $LD_LIBRARY_PATH/*.so* /mnt
        (while ! grep -q /mnt/libssl /proc/$$/maps; do :; done; rm /mnt/*) &
        LD_LIBRARY_PATH=/mnt exec "$@"
    """
    with pair(pairs, "dynamic", "unshare", "--mount", "sh", "-c", script, "sh") as (pid, say):
        wait_until(lambda: "/mnt/libssl.so.3 (deleted)" in Path(f"/proc/{pid}/maps").read_text(), 5, "it is deleted")
        assert not Path("/mnt/libssl.so.3").exists()
        wait_until(lambda: is_probed(pid), 5, "it is probed")
        assert statements(agent, say) == ALL


def test_a_library_in_a_chroot_is_found(agent: RunningAgent, pairs: Path, open_folder: Path) -> None:
    root = open_folder / "root"
    named = pairs / "dynamic" / "tls-pair"
    told = subprocess.run(["ldd", named], capture_output=True, text=True, check=True).stdout.split()
    libraries = [word for word in told if word.startswith("/")]
    for file in (*libraries, *named.parent.iterdir(), *pairs.glob("*.pem")):
        target = root / str(file).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    with pair(pairs, "dynamic", "chroot", root) as (pid, say):
        wait_until(lambda: is_probed(pid), 5, "it is probed")
        assert statements(agent, say) == ALL


@pytest.mark.parametrize("who", ["what attaches", "spawner"])
def test_nothing_stays_of_who_is_killed(
    kernel_programs: None, start_agent: Callable[..., RunningAgent], pairs: Path, who: str
) -> None:
    agent = start_agent(SETTINGS.replace(MARK, MARK_OF_KILLS))
    with pair(pairs, "dynamic", mark=MARK_OF_KILLS) as (pid, say):
        wait_until(lambda: is_probed(pid), 40, "it is probed")
        worker = next(one for one in agent.tree() if comm(one) == "sc:wire")
        parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
        (attacher,) = [one for one in processes_of(worker) if one != worker]
        os.kill(attacher if who == "what attaches" else parent, signal.SIGKILL)
        wait_until(lambda: not is_probed(pid), 20, "no breakpoint is left")  # the kernel takes 0.1 s for each of them
        if who == "what attaches":
            wait_until(lambda: is_probed(pid), 80, "another one has begun")
        say(ROUNDS)


def comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except OSError:
        return ""
