"""Makes the process tree: the spawner keeps the privileges, this process gives all of them up, then serves.

The order is the point: settings are read and the spawner is forked while the privileges are there; nothing
listens before they are gone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from scalpels_exporter import log
from scalpels_exporter.agent.options import Options, Parts
from scalpels_exporter.config.load import load
from scalpels_exporter.spawn import child, descriptors, privileges, spawner
from scalpels_exporter.spawn.confine import confine
from scalpels_exporter.web import pages, webconfig, webfiles

RUN_FOLDER = "/run/scalpels"
SOCKET_NAME = "agent.sock"
SPAWNER_SECONDS = 10.0  # for the spawner to end its workers and itself, which takes it two


def run(options: Options) -> int:
    """The exit status of the agent. Raises Mistakes before anything is started."""
    descriptors.settle()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a reload that comes before there is anything to reload
    settings = load(options.config)
    if options.web_config:
        webconfig.check(webfiles.read(str(options.web_config)))
    who = child.agent_identity()
    control = _control_socket(options.socket, who)
    sys.stdout.flush()
    link, spawner_pid = spawner.fork(settings, options.config, options.web_config)
    # After the fork: the spawner and its children would carry in memory what only serving needs. Before the drop:
    # the package may lie where root alone can read.
    from scalpels_exporter.agent.main import serve

    pages.contents()
    privileges.keep_only((), *((who.uid, who.gid) if who else (None, None)))
    privileges.hide_memory()
    privileges.call_itself("scalpels-agent")
    os.chdir("/")
    status = serve(Parts(options, settings, link, control, confine()))
    link.close()
    _await(spawner_pid)
    return status


def _await(spawner_pid: int) -> None:
    """Waits for its end, a bounded time: one that somebody stopped ends its workers when it is continued or killed."""
    deadline = time.monotonic() + SPAWNER_SECONDS
    while os.waitpid(spawner_pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            log.get("agent").error("the spawner does not end", extra={"fields": {"pid": spawner_pid}})
            return
        time.sleep(0.01)


def _control_socket(path: str, who: child.Identity | None) -> str:
    """Where to listen for local control; its folder is made here, while that is allowed."""
    folder = Path(path).parent if path else Path(default_folder())
    try:
        made = not folder.exists()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if who and (made or not path):  # a folder that the user names and made stays the user's
            _give(folder, who)
    except OSError:
        return ""  # no local control then; the log says so
    usable = who is not None or os.access(folder, os.W_OK)
    return str(folder / (Path(path).name if path else SOCKET_NAME)) if usable else ""


def _give(folder: Path, who: child.Identity) -> None:
    """Makes it the agent's alone. A container's volume comes writable for all, workers among them."""
    found = folder.stat()
    if found.st_uid != who.uid or found.st_mode & 0o022:
        folder.chmod(0o755)
    if (found.st_uid, found.st_gid) != (who.uid, who.gid):
        os.chown(folder, who.uid, who.gid)


def default_folder() -> str:
    """systemd's RuntimeDirectory= when it gives one; else the user's own, for an agent that is not root."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return given
    user = os.environ.get("XDG_RUNTIME_DIR", "")
    return RUN_FOLDER if os.geteuid() == 0 or not user else f"{user}/scalpels"
