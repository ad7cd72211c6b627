"""The console's pages served without an agent, for browser tests, screenshots and benchmarks: same routes, same policy.

What happens is the caller's to say: `publish`, `decide`, `request`, and the public fields. It keeps what pages posted.
Events go through the agent's own Console, and decisions speak with the agent's own texts.
"""

import asyncio
import json
import mimetypes
from pathlib import Path

from aiohttp import web
from aiohttp_sse import sse_response

import agent.adapters.console
from agent.adapters.console.console import Console
from agent.adapters.console.texts import text_for
from agent.core.decision import Answer, Decision
from agent.core.verdict import CodeType, Outcome, Verdict

PAGES = Path(agent.adapters.console.__file__).parent / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self' data:"
)
PIN = "482916"
SESSION = "session"


class ConsolePages:
    """Serves the pages on a loopback port. Fields may be changed at any time; `posted` is (path, content) in order.

    is_linked: whether a browser without a session of the staff is let in at all. refusals: path -> status for posts.
    hang: clear it to leave every request without an answer. arrived: set when something was posted.
    """

    def __init__(self) -> None:
        self.console = Console(lines_to=None)
        self.status: dict[str, object] = {
            "terminal": "kiosk-hall-3", "ready": True, "uplink_up": True, "step": "registration",
            "scanners": [{"id": "window", "presence": "present"}],
        }  # fmt: skip
        self.details: dict[str, object] = {}
        self.parked: list[dict[str, object]] = []
        self.diagnostics: dict[str, object] = {"agent": "scanward", "ledger": {"head_seq": 41, "waiting": 3}}
        self.posted: list[tuple[str, dict[str, object]]] = []
        self.refusals: dict[str, int] = {}
        self.is_linked = True
        self.arrived = asyncio.Event()
        self.hang = asyncio.Event()
        self.hang.set()
        self.url = ""
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._seq = 0

    async def start(self) -> None:
        """Listen; on the same port as before where it was started before."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._page)
        app.router.add_get("/staff", self._page)
        app.router.add_get("/assets/{name}", self._asset)
        app.router.add_get("/v1/events", self._events)
        app.router.add_get("/v1/status", self._get_status)
        app.router.add_get("/v1/parked", self._get_parked)
        app.router.add_get("/v1/diagnostics", self._get_diagnostics)
        app.router.add_post("/{path:.*}", self._post)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Close every connection, as a killed agent does."""
        self.hang.set()
        self.console.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def publish(self, topic: str, data: dict[str, object]) -> None:
        """Send an event to every page."""
        self.console._publish(topic, data)  # noqa: SLF001  # the very stream that the agent's decisions go through

    def decide(
        self,
        answer: Answer,
        reason: str = "ok",
        *,
        step: str = "registration",
        outcome: Outcome | None = None,
        seq: int | None = None,
        name: str | None = None,
    ) -> int:
        """Show a decision, and return its number."""
        self._seq = self._seq + 1 if seq is None else seq
        if outcome is None:
            outcome = Outcome.REFUSED if answer is Answer.REFUSE else Outcome.VERIFIED
        verdict = Verdict("ehc", outcome, reason)
        data: dict[str, object] = {
            "seq": self._seq, "ledger_id": "5c" * 16, "hash": f"{self._seq:064x}", "scanner": "window", "step": step,
            "answer": answer.name.lower(), "reason": reason, "family": verdict.family, "verdict": outcome.value,
            "type": CodeType.STATIC.name.lower(), "unchecked": [],
            "text": text_for(Decision(answer, reason, step, verdict)),
        }  # fmt: skip
        self.publish("decision", data if name is None else {**data, "name": name})
        return self._seq

    def request(self, request: str, state: str, *, step: str = "dispensing", **more: object) -> None:
        """Tell how a request goes on: open, asking, done, confirmed, cancelled or lapsed."""
        self.publish("request", {"request": request, "step": step, "state": state, **more})

    @web.middleware
    async def _guard(self, request: web.Request, handler: object) -> web.StreamResponse:
        await self.hang.wait()
        is_staff = request.cookies.get(SESSION) == "staff"
        if request.path.startswith("/v1/") and request.path != "/v1/sign-in" and not (self.is_linked or is_staff):
            return _problem(401, "no session")
        return await handler(request)  # type: ignore[operator, no-any-return]

    async def _page(self, request: web.Request) -> web.Response:
        if request.path == "/":
            return _file(PAGES / "index.html")
        page = _file(PAGES / "staff.html")
        page.set_status(200 if request.cookies.get(SESSION) == "staff" else 401)  # it is where staff sign in, too
        return page

    async def _asset(self, request: web.Request) -> web.Response:
        path = PAGES / request.match_info["name"]
        return _file(path) if path.is_file() else _problem(404, "no such asset")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        listener = self.console.listen()
        sent = 0
        try:
            async with sse_response(request) as response:
                if (last := request.headers.get("Last-Event-ID")) is not None:
                    for missed in self.console.recent(int(last)):
                        await response.send(missed.data, id=str(missed.number), event=missed.topic)
                        sent = missed.number
                while (event := await listener.next()) is not None:
                    if event.number > sent:
                        await self.hang.wait()
                        await response.send(event.data, id=str(event.number), event=event.topic)
            return response
        except ConnectionResetError:
            return web.Response()
        finally:
            self.console.forget(listener)

    async def _get_status(self, request: web.Request) -> web.Response:
        is_staff = request.cookies.get(SESSION) == "staff"
        if not is_staff:
            return web.json_response(self.status)
        public_only = ("ready", "uplink_up")
        staff = {name: said for name, said in self.status.items() if name not in public_only}
        return web.json_response({**staff, "uplink": {"name": "http", "is_up": True, "waiting": 0}, **self.details})

    async def _get_parked(self, request: web.Request) -> web.Response:
        if request.cookies.get(SESSION) != "staff":
            return _problem(403, "for staff only")
        return web.json_response({"parked": self.parked})

    async def _get_diagnostics(self, request: web.Request) -> web.Response:
        if request.cookies.get(SESSION) != "staff":
            return _problem(403, "for staff only")
        return web.json_response(self.diagnostics)

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.text()
        content = json.loads(body) if body else {}
        if request.path == "/v1/sign-in":
            return self._sign_in(content)
        self.posted.append((request.path, content))
        self.arrived.set()
        if (status := self.refusals.get(request.path)) is not None:
            return _problem(status, "refused")
        response = web.Response(status=204)
        if request.path == "/v1/sign-out":
            response.del_cookie(SESSION)
        return response

    def _sign_in(self, content: dict[str, object]) -> web.Response:
        if content.get("pin") != PIN:
            return _problem(403, "wrong PIN")
        response = web.Response(status=204)
        response.set_cookie(SESSION, "staff", httponly=True, samesite="Strict")
        return response


def _file(path: Path) -> web.Response:
    kind, _ = mimetypes.guess_type(path.name)
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8", headers=headers)


def _problem(status: int, title: str) -> web.Response:
    body = json.dumps({"type": "about:blank", "title": title, "status": status})
    return web.Response(status=status, text=body, content_type="application/problem+json")
