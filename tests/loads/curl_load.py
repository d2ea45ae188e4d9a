"""An HTTP load through curl: each session's share of a job is one curl, which keeps its connection for all of it.

The load's mark stands in curl's own command line too, as its user agent. A session's curl is there before `run` and
waits for what to ask, so that a rule has found it by then; it opens no connection before.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from loads.calls import Call
from loads.http_jobs import HttpJobs, HttpSession, HttpTally
from loads.jobs import Unsupported

SAID = "%{http_code} %{size_download} %{time_pretransfer} %{time_starttransfer}\\n"


class CurlSession(HttpSession):
    def warm_up(self, tally: HttpTally) -> None:
        self._curl = subprocess.Popen(
            ["curl", "--disable", "--silent", "--show-error", "--user-agent", self.options["mark"], "--config", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def request(self, call: Call) -> tuple[int, int]:
        raise Unsupported("calls are given to curl all at once")

    def perform(self, calls: Iterable[Call], tally: HttpTally) -> None:
        asked = list(calls)
        if not asked:
            return
        with tempfile.TemporaryDirectory(prefix="scalpels-curl-") as folder:
            config = "next\n".join(self._lines(call, index, Path(folder)) for index, call in enumerate(asked))
            said, complaint = self._curl.communicate(config)
        assert self._curl.returncode == 0, complaint
        for call, line in zip(asked, said.splitlines(), strict=True):
            status, size, sent, first = line.split()
            tally.done(call, int(status), int(size), round((float(first) - float(sent)) * 1e9))
        self.warm_up(tally)

    def close(self) -> None:
        self._curl.kill()
        self._curl.communicate()

    def _lines(self, call: Call, index: int, folder: Path) -> str:
        lines = [
            f'url = "{self.target.url}{call.target}"',
            f'output = "{folder}/answer"',
            f'write-out = "{SAID}"',
            f'user-agent = "{self.options["mark"]}"',
            "silent",
        ]
        if self.target.socket:
            lines.append(f'unix-socket = "{self.target.socket}"')
        if self.target.certificate:
            lines += [f'cacert = "{self.target.certificate}"', "http1.1"]
        if call.method == "HEAD":
            lines.append("head")
        elif call.method != "GET":
            lines.append(f'request = "{call.method}"')
        if call.body:
            (folder / str(index)).write_bytes(call.body)
            lines.append(f'data-binary = "@{folder / str(index)}"')
            lines.append(f'header = "Expect:{" 100-continue" if call.expect else ""}"')
        if self.closes(call):
            lines.append('header = "Connection: close"')
        if call.chunked:
            lines.append('header = "Transfer-Encoding: chunked"')
        return "\n".join([*lines, ""])


if __name__ == "__main__":
    HttpJobs(CurlSession).serve()
