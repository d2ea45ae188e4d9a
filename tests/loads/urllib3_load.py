"""An HTTP load through urllib3: each session a pool of one connection. It has no Unix sockets and no 100 Continue."""

from __future__ import annotations

from time import perf_counter_ns

import urllib3

from loads.calls import Call
from loads.http_jobs import HttpJobs, HttpSession, HttpTally


class Urllib3Session(HttpSession):
    def warm_up(self, tally: HttpTally) -> None:
        self._pool = self._new_pool()
        super().warm_up(tally)

    def _new_pool(self) -> urllib3.HTTPConnectionPool:
        target = self.target
        if target.certificate:
            return urllib3.HTTPSConnectionPool(
                target.host, target.port, maxsize=1, timeout=30, retries=False, ca_certs=target.certificate
            )
        return urllib3.HTTPConnectionPool(target.host, target.port, maxsize=1, timeout=30, retries=False)

    def request(self, call: Call) -> tuple[int, int]:
        begin = perf_counter_ns()
        response = self._pool.urlopen(
            call.method,
            call.target,
            body=iter([call.body]) if call.chunked else call.body or None,
            headers={"Connection": "close"} if self.closes(call) else None,
            redirect=False,
            preload_content=False,
            chunked=call.chunked,
        )
        self.took = perf_counter_ns() - begin
        size = len(response.read())
        response.release_conn()
        if self.closes(call):  # the pool believes the answer, which may not say so
            self._pool.close()
            self._pool = self._new_pool()
        return response.status, size

    def close(self) -> None:
        self._pool.close()


if __name__ == "__main__":
    HttpJobs(Urllib3Session).serve()
