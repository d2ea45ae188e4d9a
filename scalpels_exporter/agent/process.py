"""Makes the process tree: the spawner keeps the privileges, this process gives all of them up, then serves.

The order is the point: settings are read and the spawner is forked while the privileges are there; nothing
listens before they are gone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scalpels_exporter.agent.options import Options, Parts
from scalpels_exporter.config.load import load
from scalpels_exporter.spawn import child, privileges, spawner
from scalpels_exporter.spawn.confine import confine
from scalpels_exporter.web import pages, webconfig, webfiles

RUN_FOLDER = "/run/scalpels"
SOCKET_NAME = "agent.sock"


def run(options: Options) -> int:
    """The exit status of the agent. Raises Mistakes before anything is started."""
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
    os.waitpid(spawner_pid, 0)
    return status


def _control_socket(path: str, who: child.Identity | None) -> str:
    """Where to listen for local control; its folder is made here, while that is allowed."""
    folder = Path(path).parent if path else Path(default_folder())
    try:
        made = not folder.exists()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if who and (made or not path):  # a folder that the user names and made stays the user's
            os.chown(folder, who.uid, who.gid)
    except OSError:
        return ""  # no local control then; the log says so
    usable = who is not None or os.access(folder, os.W_OK)
    return str(folder / (Path(path).name if path else SOCKET_NAME)) if usable else ""


def default_folder() -> str:
    """systemd's RuntimeDirectory= when it gives one; else the user's own, for an agent that is not root."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return given
    user = os.environ.get("XDG_RUNTIME_DIR", "")
    return RUN_FOLDER if os.geteuid() == 0 or not user else f"{user}/scalpels"
