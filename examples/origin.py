"""A small API on a free port of 127.0.0.1, to try a cache on: it counts what it is asked."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from aiohttp import web

BIG = 3 * 1024 * 1024


class Origin:
    """The API's address, and how often each path was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()

    async def item(self, request: web.Request) -> web.Response:
        """Fresh for an hour."""
        return self._json(request, {"item": request.match_info["name"]}, {"Cache-Control": "max-age=3600"})

    async def tagged(self, request: web.Request) -> web.Response:
        """Stale at once, with an ETag to validate by."""
        fields = {"ETag": '"v1"', "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == '"v1"':
            self.asked[request.path] += 1
            return web.Response(status=304, headers=fields)
        return self._json(request, {"tagged": True}, fields)

    async def greeting(self, request: web.Request) -> web.Response:
        """One answer for each language."""
        language = request.headers.get("Accept-Language", "en")
        words = {"en": "good morning", "de": "guten Morgen", "it": "buongiorno"}
        fields = {"Cache-Control": "max-age=3600", "Vary": "Accept-Language"}
        return self._json(request, {"greeting": words.get(language, "?")}, fields)

    async def packed(self, request: web.Request) -> web.Response:
        """Compressed."""
        self.asked[request.path] += 1
        body = gzip.compress(json.dumps(["gzip"] * 1000).encode())
        fields = {"Cache-Control": "max-age=3600", "Content-Encoding": "gzip"}
        return web.Response(body=body, headers=fields, content_type="application/json")

    async def moved(self, request: web.Request) -> web.Response:
        """A redirect that may be kept."""
        self.asked[request.path] += 1
        return web.Response(status=301, headers={"Location": "/items/new", "Cache-Control": "max-age=3600"})

    async def slow(self, request: web.Request) -> web.Response:
        """Takes half a second."""
        await asyncio.sleep(0.5)
        return self._json(request, {"slow": True}, {"Cache-Control": "max-age=3600"})

    async def big(self, request: web.Request) -> web.Response:
        """Three MiB."""
        self.asked[request.path] += 1
        return web.Response(body=bytes(BIG), headers={"Cache-Control": "max-age=3600"})

    async def unsteady(self, request: web.Request) -> web.Response:
        """Answers each address once, and then no more."""
        if self.asked[request.path]:
            self.asked[request.path] += 1
            return web.Response(status=503)
        return self._json(request, {"unsteady": True}, {"ETag": '"v1"', "Cache-Control": "max-age=3600"})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answers a question word by word, as a stream of events."""
        self.asked[request.path] += 1
        question = (await request.json())["messages"][-1]["content"]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        for word in ("you", "said", question):
            await response.write(f"data: {json.dumps({'word': word})}\n\n".encode())
        await response.write_eof(b"data: [DONE]\n\n")
        return response

    async def secret(self, request: web.Request) -> web.Response:
        """Not to be stored."""
        return self._json(request, {"secret": True}, {"Cache-Control": "no-store"})

    def _json(self, request: web.Request, value: object, fields: dict[str, str]) -> web.Response:
        self.asked[request.path] += 1
        return web.json_response(value, headers=fields)

    def app(self) -> web.Application:
        """The application."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/items/{name}", self.item),
                web.get("/tagged", self.tagged),
                web.get("/greeting", self.greeting),
                web.get("/packed", self.packed),
                web.get("/moved", self.moved),
                web.get("/slow", self.slow),
                web.get("/big", self.big),
                web.get("/secret", self.secret),
                web.get("/unsteady", self.unsteady),
                web.post("/chat", self.chat),
            ]
        )
        return app


@contextmanager
def running() -> Generator[Origin]:
    """An origin that serves in a thread of its own, until the block ends."""
    origin = Origin()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(origin.app())

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        origin.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield origin
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
