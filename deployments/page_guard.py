"""What stands before Prefect's page and API: who may ask, and what the page itself may speak with.

Prefect answers whoever reaches it, and lets web pages of any origin read the answers. A page on the web that an admin has open
could so start runs on this machine, with a command of its own. Where the API demands no log-on, only this machine's own
page and programs are answered: requests under another name (a name of the web can be made to mean 127.0.0.1), and requests
that another site's page makes, are refused.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

#: What the page may load, and from where: as long as nobody has logged on, it would send usage analytics.
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'"
)
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_OTHER_SITES = frozenset({"cross-site", "same-site"})
_REFUSED = "This server answers only its own page and programs on this machine, under 127.0.0.1 or localhost.\n"


class PageGuard:
    """Wraps the server's application.

    Args:
        app: The application.
        demands_log_on: Whether its API does; what knows the log-on may ask from anywhere.
    """

    def __init__(self, app: Any, *, demands_log_on: bool) -> None:
        """Take the application."""
        self._app = app
        self._demands_log_on = demands_log_on

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        """Answer a request, or refuse it."""

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*filter(_is_kept, message.get("headers", ())), (b"content-security-policy", _POLICY)]
            await send(message)

        if scope["type"] not in {"http", "websocket"} or self._demands_log_on or is_own(scope["path"], Headers(scope=scope)):
            await self._app(scope, receive, send_guarded)
        elif scope["type"] == "http":
            await PlainTextResponse(_REFUSED, status_code=403)(scope, receive, send)
        else:
            await WebSocketClose(reason="another site")(scope, receive, send)


def is_own(path: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a request comes from this machine's own page or programs.

    Args:
        path: What is asked for; a link on another site may lead to the page, but not to the API.
        headers: What came with it, by names in lower case.
    """
    host = headers.get("host", "")
    origin = headers.get("origin")
    try:
        if urlsplit(f"//{host}").hostname not in _THIS_MACHINE or (origin is not None and urlsplit(origin).netloc != host):
            return False
    except ValueError:
        return False
    return not path.startswith("/api") or headers.get("sec-fetch-site") not in _OTHER_SITES


def _is_kept(header: tuple[bytes, bytes]) -> bool:
    return not header[0].lower().startswith(b"access-control-allow-")
