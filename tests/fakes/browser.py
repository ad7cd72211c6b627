"""A page in a real browser, watched: what it asks for, what it complains of, what it draws."""

from __future__ import annotations

from playwright.async_api import ConsoleMessage, Page, Request

ARGUMENTS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    # The network is gone in every test: no name resolves, and nothing but loopback has an address.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
DRAWN_MS_MAX = 5_000


class Watched:
    """A page and what was seen of it. `may_fail`: answers that are not a success are part of the test."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.may_fail = False
        page.on("console", self._complain)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", self._ask)

    def _complain(self, message: ConsoleMessage) -> None:
        is_answer = "Failed to load" in message.text
        is_sign_in = message.location["url"].endswith("/staff")  # it comes with 401, to whoever is not signed in
        if message.type in {"error", "warning"} and not (is_answer and (self.may_fail or is_sign_in)):
            self.complaints.append(f"{message.type}: {message.text}")

    def _ask(self, request: Request) -> None:
        self.requests.append(request.url)

    @property
    def foreign(self) -> list[str]:
        """Requests that left the page's own origin."""
        return [url for url in self.requests if not url.startswith((f"{self.url}/", "data:"))]

    async def shows(self, view: str, title: str | None = None) -> None:
        """Wait until the kiosk page shows a view, and a title where given."""
        await self.page.wait_for_function(
            "([view, title]) => document.body.dataset.view === view"
            " && (title === null || document.getElementById('title').textContent === title)",
            arg=[view, title],
            timeout=DRAWN_MS_MAX,
        )

    async def text(self, selector: str) -> str:
        """Return what a person reads there."""
        return await self.page.inner_text(selector)

    async def ready(self) -> None:
        """Wait until the kiosk page hears the agent."""
        await self.page.wait_for_function(
            "() => document.getElementById('terminal').textContent !== ''", timeout=DRAWN_MS_MAX
        )
