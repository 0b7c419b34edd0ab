"""Access by token, and the page on which a person gives it."""

import hashlib
import hmac
import os
from collections.abc import Mapping
from html import escape
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from llama_index_medqa.errors import InputError, UsageError
from llama_index_medqa.redaction import keep_secret
from llama_index_medqa.server.guards.rate_limit import RateLimit
from llama_index_medqa.server.replies import refusal

TOKEN_VARIABLE = "MEDQA_TOKEN"  # noqa: S105  # the name of a variable
_COOKIE = "medqa_session"
_LEAST_CHARACTERS = 16
_SESSION_SECONDS = 30 * 24 * 3600
_FAILURES_A_MINUTE = 10


def read_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the token of a file or of ``MEDQA_TOKEN``; None without both.

    Args:
        file: holds the token and nothing else.
        environment: where the variable is looked up.

    Raises:
        UsageError: the file cannot be read.
        InputError: the token is too short, or holds something else than visible ASCII characters.
    """
    if file is not None:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The token file {file} cannot be read: {error}. Give a file that exists and that you may read."
            ) from error
        origin = str(file)
    elif TOKEN_VARIABLE in environment:
        token, origin = environment[TOKEN_VARIABLE].strip(), TOKEN_VARIABLE
    else:
        return None
    if len(token) < _LEAST_CHARACTERS or not (token.isascii() and token.isprintable()) or " " in token:
        raise InputError(
            f"The token in {origin} must have at least {_LEAST_CHARACTERS} visible ASCII characters. Make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    keep_secret(token)
    return token


class TokenGuard:
    """Checks that a request carries the token.

    In its header, or in the cookie of a browser that signed in.

    Args:
        token: the token.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        # The cookie is no use for whoever wants the token.
        self._session = hmac.new(self._token, b"medqa session", hashlib.sha256).hexdigest().encode()
        self._failures = RateLimit(_FAILURES_A_MINUTE)

    def refused(self, headers: Headers, client: str) -> Response | None:
        """Return the refusal of a request; None where it may come in."""
        if seconds := self._failures.seconds_until_free(client):
            return too_many(seconds, "Too many wrong tokens")
        given, session = _bearer(headers), _cookie(headers)
        if _same(given, self._token) or _same(session, self._session):
            return None
        if given or session:
            self._failures.take(client)
        return refusal(
            401,
            "invalid_token",
            "This server needs its token: send it as Authorization: Bearer TOKEN, or sign in at /login.",
            {"WWW-Authenticate": "Bearer"},
        )

    def routes(self) -> list[Route]:
        """Return the routes of the sign-in page."""

        async def form(_: Request) -> Response:
            return _form("")

        async def sign_in(request: Request) -> Response:
            client = request.client.host if request.client else ""
            if seconds := self._failures.seconds_until_free(client):
                return too_many(seconds, "Too many wrong tokens")
            fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=4)
            if not _same(fields.get("token", [""])[0].strip().encode(), self._token):
                self._failures.take(client)
                return _form("This is not the token.", 401)
            response = RedirectResponse("./", 303)
            response.set_cookie(
                _COOKIE,
                self._session.decode(),
                max_age=_SESSION_SECONDS,
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
            return response

        return [Route("/login", form, methods=["GET"]), Route("/login", sign_in, methods=["POST"])]


def too_many(seconds: float, what: str) -> Response:
    """Return the refusal of a client that does something too often.

    Args:
        seconds: when it may do it again.
        what: what it did.
    """
    wait = max(1, round(seconds))
    return refusal(429, "rate_limit", f"{what}: try again in {wait} seconds.", {"Retry-After": str(wait)})


def _same(given: bytes, wanted: bytes) -> bool:
    return hmac.compare_digest(given, wanted)


def _bearer(headers: Headers) -> bytes:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else b""


def _cookie(headers: Headers) -> bytes:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return b""
    return cookies[_COOKIE].value.encode("latin-1", "replace") if _COOKIE in cookies else b""


def _form(problem: str, status: int = 200) -> Response:
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>medqa: sign in</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="static/page.css"></head><body><main><h1>Sign in</h1>'
        f'{said}<form method="post" action="login"><p><label for="token">Token of this server</label></p>'
        '<p><input id="token" name="token" type="password" autocomplete="current-password" required></p>'
        '<p><button type="submit">Sign in</button></p></form></main></body></html>',
        status,
    )
