"""Says SQL to itself over TLS, as often as each line on stdin says, and lives until stdin is closed.

Started by tests as `tls_work.py CERTIFICATE KEY MARK`. Both ends are Python's ssl on sockets, as most clients have it.
"""

import socket
import ssl
import sys
import threading

QUERY = b"Q\0\0\0\rSELECT 1\0"
ANSWER = b"C\0\0\0\rSELECT 1\0Z\0\0\0\5I"


def context(purpose: ssl.Purpose) -> ssl.SSLContext:
    made = ssl.create_default_context(purpose, cafile=sys.argv[1])
    made.check_hostname = False
    if purpose is ssl.Purpose.CLIENT_AUTH:
        made.load_cert_chain(sys.argv[1], sys.argv[2])
    return made


def serve(end: socket.socket, times: int) -> None:
    with context(ssl.Purpose.CLIENT_AUTH).wrap_socket(end, server_side=True) as server:
        for _ in range(times):
            assert server.recv(100) == QUERY
            server.sendall(ANSWER)


def work(times: int) -> None:
    ends = socket.socketpair()
    thread = threading.Thread(target=serve, args=(ends[0], times))
    thread.start()
    with context(ssl.Purpose.SERVER_AUTH).wrap_socket(ends[1]) as client:
        for _ in range(times):
            client.sendall(QUERY)
            assert client.recv(100) == ANSWER
        thread.join()


print("ready", flush=True)
for line in sys.stdin:
    work(int(line))
    print("done", flush=True)
