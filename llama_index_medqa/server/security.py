"""Access rules: who may send a request, from where and how often.

And what a browser may do with the reply.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_index_medqa.errors import InputError, UsageError
from llama_index_medqa.server.guards.bodies import BodyGuard
from llama_index_medqa.server.guards.rate_limit import RateLimit
from llama_index_medqa.server.guards.sign_in import TOKEN_VARIABLE, TokenGuard, too_many
from llama_index_medqa.server.replies import RESPONSE_HEADERS, refusal

# Whoever watches over the process has no token; the page on which it is given needs its style.
_OPEN_PATHS = ("/healthz", "/readyz", "/login")
_OPEN_FOLDER = "/static/"
_METHODS = ("GET", "HEAD", "POST", "DELETE")
_REMOTE_REQUESTS_A_MINUTE = 120


@dataclass(frozen=True)
class SecuritySettings:
    """Where a server listens, and which requests it accepts.

    Attributes:
        host: address that it listens on.
        token: what every request must carry; None for none, on a loopback address only.
        allowed_hosts: further names under which it is asked, such as that of a proxy before it.
        most_body_bytes: of a request.
        body_seconds: within which a body must have come.
        head_seconds: within which the head of a request must have come.
        requests_a_minute: of one client; 0 for no limit; None for none on a loopback address, and 120 elsewhere.

    Raises:
        UsageError: other machines could reach it, and there is no token.
        InputError: a value is out of its range.
    """

    host: str = "127.0.0.1"
    token: str | None = field(default=None, repr=False)
    allowed_hosts: Sequence[str] = ()
    most_body_bytes: int = 1 << 20
    body_seconds: float = 30.0
    head_seconds: float = 15.0
    requests_a_minute: int | None = None

    def __post_init__(self) -> None:
        """Refuse to be reached from elsewhere without a token."""
        if not is_loopback(self.host) and self.token is None:
            raise UsageError(
                f"At {self.host} other machines can reach the server: give it a token with --token-file, or in "
                f"{TOKEN_VARIABLE}; or leave --host out."
            )
        for name in ("most_body_bytes", "body_seconds", "head_seconds"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}.")

    @property
    def rate(self) -> int:
        """Return the requests a minute of one client; 0 for no limit."""
        if self.requests_a_minute is not None:
            return self.requests_a_minute
        return 0 if is_loopback(self.host) else _REMOTE_REQUESTS_A_MINUTE


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


class Gate:
    """Checks each request by :class:`SecuritySettings`.

    In this order: only requests of HTTP with a known method; only under a name of this server, so that no other name
    can be made to point at it; only from its own pages; only so many of a client; only with the token; only bodies that
    :class:`BodyGuard` takes.

    Args:
        app: the application behind it.
        settings: what may come in.
        token_guard: looks for the token; None where there is none.
    """

    def __init__(self, app: ASGIApp, settings: SecuritySettings, token_guard: TokenGuard | None) -> None:
        self._app = BodyGuard(app, settings.most_body_bytes, settings.body_seconds)
        self._settings = settings
        self._tokens = token_guard
        self._names = {_plain(name) for name in settings.allowed_hosts}
        self._rate = RateLimit(settings.rate) if settings.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = self._refused(scope) or self._app
            await answer(scope, receive, _with_headers(send))

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in _METHODS:
            return refusal(405, "method", "This method is not taken.", {"Allow": ", ".join(_METHODS)})
        return (
            self._wrong_host(headers)
            or self._foreign_page(scope, headers)
            or self._too_often(scope)
            or self._without_token(scope, headers)
        )

    def _wrong_host(self, headers: Headers) -> Response | None:
        given = headers.getlist("host")
        if len(given) == 1 and self._is_ours(given[0]):
            return None
        return refusal(
            421, "host", "This server is not known under that name. Allow the name with --allow-host where it is yours."
        )

    def _is_ours(self, given: str) -> bool:
        name = _host_name(given)
        if name is None:
            return False
        if name == "localhost" or name in self._names:
            return True
        # A page elsewhere can make its own name point here, but not a number.
        address = _address(name)
        if address is None:
            return False
        return address.is_loopback or not is_loopback(self._settings.host)

    def _foreign_page(self, scope: Scope, headers: Headers) -> Response | None:
        refused = refusal(403, "origin", "Pages of other sites may not ask this server.")
        if origins := headers.getlist("origin"):
            own = len(origins) == 1 and _is_origin_of(origins[0], headers["host"])
            return None if own else refused
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return None
        # A link to the page may stand anywhere.
        is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
        return None if is_link and headers.get("sec-fetch-dest") == "document" else refused

    def _too_often(self, scope: Scope) -> Response | None:
        if self._rate is None or scope["path"] in _OPEN_PATHS[:2]:
            return None
        client = _client(scope)
        if seconds := self._rate.seconds_until_free(client):
            return too_many(seconds, "Too many requests")
        self._rate.take(client)
        return None

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        path = scope["path"]
        if self._tokens is None or path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER):
            return None
        refused = self._tokens.refused(headers, _client(scope))
        if refused is not None and refused.status_code == 401 and path == "/" and scope["method"] == "GET":
            return RedirectResponse("login", 303)
        return refused


def _with_headers(send: Send) -> Send:
    """Add the headers that restrict what a browser does with a reply.

    What a reply says of itself stays.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in RESPONSE_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _host_name(given: str) -> str | None:
    """Return the name in a Host header, without its port.

    None where it is no such header.
    """
    if any(character in given for character in "/@\\?# \t,") or not given.isascii():
        return None
    try:
        parts = urlsplit(f"//{given}")
        _ = parts.port
    except ValueError:
        return None
    return _plain(parts.hostname) if parts.hostname else None


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_origin_of(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower() and not parts.path


def _client(scope: Scope) -> str:
    client: Iterable[object] | None = scope.get("client")
    return str(next(iter(client))) if client else ""
