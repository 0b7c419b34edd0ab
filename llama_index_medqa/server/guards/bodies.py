"""Bodies of requests, read whole and checked first.

Up to a size, within a time, and as sound JSON.
"""

import asyncio
import json
import re
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_index_medqa.server.replies import refusal

DEEPEST = 32
"""Levels of lists and objects in a body."""

_FORM_PATHS = ("/login",)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
# A client that is still sending does not read: so much, and so long, is read of a body that is refused.
_DRAINED_BYTES = 16 << 20
_DRAIN_SECONDS = 2.0


class _TooLargeError(Exception):
    """The body is larger than the limit."""


class _LeftError(Exception):
    """The client left while sending the body."""


class BodyGuard:
    """Reads the body of a request, or refuses it.

    Refused are bodies that are too large, too slow, encoded or no sound JSON.

    The application behind it reads the same body from memory.

    Args:
        app: the application.
        most_bytes: of a body.
        seconds: within which it must have come.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, seconds: float) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = _unfit_headers(headers, scope)
        body = b""
        if refused is None:
            try:
                async with asyncio.timeout(self._seconds):
                    body = await self._read(headers, receive)
            except _LeftError:
                return
            except TimeoutError:
                refused = refusal(408, "slow_body", f"The body did not come within {self._seconds:g} seconds.", _CLOSE)
            except _TooLargeError:
                await _drain(receive)
                refused = refusal(413, "too_large", f"A body may have {self._most_bytes:,} bytes at most.", _CLOSE)
            else:
                if scope["path"] not in _FORM_PATHS and (problem := json_problem(body)):
                    refused = refusal(400, "invalid_json", problem)
        if refused is not None:
            await refused(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        stated = headers.get("content-length", "")
        if stated.isdigit() and int(stated[:20]) > self._most_bytes:
            raise _TooLargeError
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _LeftError
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most_bytes:
                raise _TooLargeError
        return bytes(body)


_CLOSE = {"Connection": "close"}


def json_problem(body: bytes) -> str:
    """Return why a body is not accepted as JSON; empty where it is."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        return f"The JSON is nested {deepest} levels deep; at most {DEEPEST} are read."
    try:
        data = json.loads(body.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        # Half of a surrogate pair is no character.
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        return "The body is not UTF-8."
    except UnicodeEncodeError:
        return "A text in the body holds half of a surrogate pair."
    except json.JSONDecodeError as error:
        return f"The body is no JSON: {error.msg} at character {error.pos}."
    except ValueError as error:
        return str(error) if isinstance(error, _UnfitJsonError) else "The body holds a number that is too long."
    return ""


class _UnfitJsonError(ValueError):
    """The JSON can be read in more than one way."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _UnfitJsonError("An object of the body has the same key twice.")
    return found


def _no_constant(name: str) -> None:
    raise _UnfitJsonError(f"{name} is no JSON.")


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return scope["method"] == "POST" or "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _unfit_headers(headers: Headers, scope: Scope) -> Response | None:
    if headers.get("content-encoding", "identity") != "identity":
        return refusal(415, "encoded_body", "Bodies are taken as they are: leave Content-Encoding out.", _CLOSE)
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    wanted = "application/x-www-form-urlencoded" if scope["path"] in _FORM_PATHS else "application/json"
    charset = parameters.replace(" ", "").replace('"', "")
    if kind.strip() != wanted or charset not in ("", "charset=utf-8"):
        return refusal(415, "content_type", f"Send the body with Content-Type: {wanted}.", _CLOSE)
    return None


async def _drain(receive: Receive) -> None:
    """Read on a little, so that the client can read the refusal.

    It may still be sending.
    """
    drained = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while drained < _DRAINED_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that gives the body once, then what the connection gives."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
