"""The console's pages and the way into them: files of `pages/`, one-time links, the staff's PIN.

The law: files are read once, at the start, and hold nothing of anybody; whoever has no session is told how to get one.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from agent.adapters.console.roles import COOKIE, KIOSK_IDLE_S, Caller, Entrance, TooManyTries
from agent.adapters.console.routes import (
    ANYONE,
    KIOSK,
    PROGRAM,
    STAFF,
    Problem,
    Route,
    json_response,
    read_body,
)
from agent.adapters.console.secret_files import PIN_CHARS_MAX
from agent.core.requests import Role

FOLDER = Path(__file__).parent / "pages"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES_MAX = 64
FILE_BYTES_MAX = 1_048_576

_NO_SESSION = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>Scanward</title>
<h1>此屏幕尚未登录。</h1>
<p lang="en">This screen has no session. Ask whoever looks after this terminal to run
<code>scanward console link --role {role} --config FILE</code> and to open the link it prints.</p>
</html>
"""
_LINK_OVER = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>Scanward</title>
<h1>此链接已失效。</h1>
<p lang="en">This link was used or is too old: each works once, for a few minutes. Make a new one with
<code>scanward console link --config FILE</code>.</p>
</html>
"""


class _Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["kiosk", "staff"] = "kiosk"


class _SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pin: Annotated[str, msgspec.Meta(min_length=1, max_length=PIN_CHARS_MAX)]


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Pages:
    """Pages and sessions. address: set once the server listens, for links."""

    def __init__(self, entrance: Entrance, *, link_s: float, folder: Path = FOLDER) -> None:
        self._entrance = entrance
        self._link_s = link_s
        self._files = read_files(folder)
        self.address = ""

    def routes(self) -> tuple[Route, ...]:
        """Return the calls of this file."""
        return (
            Route("GET", "/", KIOSK | STAFF, self._kiosk, refused=self._refused_kiosk),
            Route("GET", "/staff", STAFF, self._staff, refused=self._refused_staff),
            Route("GET", "/assets/{name}", ANYONE, self._asset),  # the way in needs them, too
            Route("GET", "/enter", ANYONE, self._enter),
            Route("POST", "/v1/links", PROGRAM, self._link),
            Route("POST", "/v1/sign-in", ANYONE, self._sign_in),
            Route("POST", "/v1/sign-out", STAFF, self._sign_out),
        )

    async def _kiosk(self, _request: web.Request, _caller: Caller) -> web.Response:
        return self._page("index.html")

    async def _staff(self, _request: web.Request, _caller: Caller) -> web.Response:
        return self._page("staff.html")

    def _refused_kiosk(self, problem: Problem) -> web.Response:
        return html(_NO_SESSION.format(role="kiosk"), problem.status, problem.headers)

    def _refused_staff(self, problem: Problem) -> web.Response:
        """Show the staff page to those who may still sign in on it; there is nothing on it before they do."""
        if self._entrance.has_pin:
            page = self._page("staff.html")
            page.set_status(problem.status)
            page.headers.update(problem.headers)
            return page
        return html(_NO_SESSION.format(role="staff"), problem.status, problem.headers)

    async def _asset(self, request: web.Request, _caller: Caller) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files or name.endswith(".html"):
            raise web.HTTPNotFound
        response = self._page(name)
        response.headers["Cache-Control"] = "no-cache"
        return response

    def _page(self, name: str) -> web.Response:
        data = self._files.get(name)
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data, content_type=TYPES[Path(name).suffix], charset="utf-8")

    async def _link(self, request: web.Request, _caller: Caller) -> web.Response:
        body = await read_body(request, _Link)
        key = self._entrance.link(Role[body.role.upper()])
        url = f"{self.address}/enter?key={key}"
        return json_response({"url": url, "role": body.role, "expires_in_s": int(self._link_s)}, 201)

    async def _enter(self, request: web.Request, _caller: Caller) -> web.Response:
        found = await self._entrance.enter(request.query.get("key", ""))
        if found is None:
            return html(_LINK_OVER, 403)
        role, key = found
        response = web.Response(status=303, headers={"Location": "/staff" if role is Role.STAFF else "/"})
        _give(response, key, is_lasting=role is Role.KIOSK)
        return response

    async def _sign_in(self, request: web.Request, caller: Caller) -> web.Response:
        body = await read_body(request, _SignIn)
        if not self._entrance.has_pin:
            raise Problem(409, "no-pin", "no PIN is set", "use a link: `scanward console link --role staff`")
        try:
            key = await self._entrance.sign_in(body.pin, caller)
        except TooManyTries as error:
            problem = Problem(
                429, "try-later", "too many wrong PINs", f"wait {error.wait_s} s", retry_after_s=error.wait_s
            )
            problem.headers = {"Retry-After": str(error.wait_s)}
            raise problem from error
        if key is None:
            raise Problem(403, "wrong-pin", "wrong PIN", "try again, or ask whoever set it")
        response = json_response({"role": "staff"})
        _give(response, key, is_lasting=True)
        return response

    async def _sign_out(self, request: web.Request, caller: Caller) -> web.Response:
        await read_body(request, _Nothing)
        key = None if caller.session is None else await self._entrance.sign_out(caller.session)
        response = json_response({"role": None if key is None else "kiosk"})
        if key is None:
            response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        else:
            _give(response, key, is_lasting=True)
        return response


def read_files(folder: Path) -> dict[str, bytes]:
    """Read the pages by name. Raises ValueError where one is larger than a page may be."""
    files = dict[str, bytes]()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix not in TYPES or len(files) >= FILES_MAX:
            continue
        data = path.read_bytes()
        if len(data) > FILE_BYTES_MAX:
            raise ValueError(f"{path.name} is larger than {FILE_BYTES_MAX} bytes")
        files[path.name] = data
    return files


def html(text: str, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """Return a page made here."""
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _give(response: web.Response, key: str, *, is_lasting: bool) -> None:
    """Set the session's cookie; a lasting one outlives the browser, as a kiosk's must."""
    age_s = int(KIOSK_IDLE_S) if is_lasting else None
    response.set_cookie(COOKIE, key, max_age=age_s, path="/", httponly=True, samesite="Strict")
