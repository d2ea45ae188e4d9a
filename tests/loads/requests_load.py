"""An HTTP load through requests: each session a requests.Session. It has no Unix sockets and no 100 Continue."""

from __future__ import annotations

from time import perf_counter_ns

import requests

from loads.calls import Call
from loads.http_jobs import HttpJobs, HttpSession, HttpTally


class RequestsSession(HttpSession):
    def warm_up(self, tally: HttpTally) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy of the machine's
        super().warm_up(tally)

    def request(self, call: Call) -> tuple[int, int]:
        begin = perf_counter_ns()
        response = self._session.request(
            call.method,
            f"{self.target.url}{call.target}",
            data=iter([call.body]) if call.chunked else call.body or None,
            headers={"Connection": "close"} if self.closes(call) else None,
            allow_redirects=False,
            stream=True,
            verify=self.target.certificate or True,
            timeout=30,
        )
        self.took = perf_counter_ns() - begin
        size = len(response.content)
        if self.closes(call):  # its pool believes the answer, which may not say so
            self._session.close()
        return response.status_code, size

    def close(self) -> None:
        self._session.close()


if __name__ == "__main__":
    HttpJobs(RequestsSession).serve()
