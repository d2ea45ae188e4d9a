"""The application of wsgi_app.py in aiohttp.web, and a websocket under /ws that says back what it hears.

Usage: aiohttp_app.py PORT SOCKET ACCESS_LOG FORMAT [CERTIFICATE KEY]
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys

from aiohttp import WSMsgType, web

EMPTY = (204, 304)


async def answer(request: web.Request) -> web.StreamResponse:
    query = request.query
    taken = len(await request.read())
    await asyncio.sleep(float(query.get("sleep", 0)))
    status, size = int(query.get("status", 200)), int(query.get("size", 0))
    headers = {"X-Body-Bytes": str(taken)}
    pieces = int(query.get("chunks", 0))
    if status in EMPTY or not (pieces or "close" in query):
        return web.Response(status=status, headers=headers, body=None if status in EMPTY else b"x" * size)
    response = web.StreamResponse(status=status, headers=headers)
    if "close" in query:
        response.force_close()
    else:
        response.enable_chunked_encoding()
    await response.prepare(request)
    pieces = pieces or 1
    for index in range(pieces):
        await response.write(b"x" * (size // pieces + (index < size % pieces)))
    await response.write_eof()
    return response


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def serve(port: int, path: str, access_log: str, text: str, *keys: str) -> None:
    logger = logging.getLogger("access")
    logger.addHandler(logging.FileHandler(access_log))
    logger.setLevel(logging.INFO)
    application = web.Application(client_max_size=1 << 30)
    application.router.add_get("/ws", echo)
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=logger, access_log_format=text)
    await runner.setup()
    context = None
    if keys:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*keys)
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    await web.UnixSite(runner, path).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *sys.argv[2:]))
