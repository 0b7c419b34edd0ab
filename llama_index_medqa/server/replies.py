"""Replies: JSON that is safe to show, and errors in OpenAI's shape."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, TypeVar

import anyio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llama_index_medqa.errors import InputError, MedQAError, ServerError, StorageError
from llama_index_medqa.server.results import (
    AnswerTimeoutError,
    LimitExceededError,
    RecordNotFoundError,
    ServiceBusyError,
)
from llama_index_medqa.text.printable import printable

_Result = TypeVar("_Result")

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
RESPONSE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
)
# The first class that fits decides.
_STATUSES: tuple[tuple[type[MedQAError], int, str], ...] = (
    (ServiceBusyError, 503, "busy"),
    (RecordNotFoundError, 404, "record_not_found"),
    (LimitExceededError, 413, "too_long"),
    (InputError, 400, "invalid_input"),
    (AnswerTimeoutError, 504, "timeout"),
    (ServerError, 502, "model_unavailable"),
    (StorageError, 503, "index_unavailable"),
    (MedQAError, 500, "failed"),
)
_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_MOST_PROBLEMS = 5


class SafeJSONResponse(JSONResponse):
    """JSON without control characters in its texts.

    They keep their length, so that spans hold.
    """

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(neutralised(content), ensure_ascii=False, allow_nan=False).encode()


def neutralised(value: Any) -> Any:
    """Replace every control character in the texts of plain data."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(key)): neutralised(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [neutralised(item) for item in value]
    return value


def error_content(status: int, code: str, message: str) -> dict[str, Any]:
    """Return an error in the shape of OpenAI's API.

    Args:
        status: of HTTP.
        code: a word that programs can go by.
        message: what happened and what to do, for people.
    """
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": " ".join(printable(message).split()), "type": kind, "param": None, "code": code}}


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response that refuses a request; see :func:`error_content`."""
    return SafeJSONResponse(error_content(status, code, message), status, headers)


def refusal_of(error: MedQAError) -> Response:
    """Return the response to an error of ours."""
    status, code = status_of(error)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, ServiceBusyError) else None
    return refusal(status, code, str(error), headers)


def status_of(error: MedQAError) -> tuple[int, str]:
    """Return the HTTP status and the code of an error of ours."""
    return next((status, code) for kind, status, code in _STATUSES if isinstance(error, kind))


def tell_errors(app: FastAPI) -> None:
    """Make an application answer every error in the same shape.

    What a client sent is never repeated.
    """

    @app.exception_handler(MedQAError)
    async def of_ours(_: Request, error: MedQAError) -> Response:
        return refusal_of(error)

    @app.exception_handler(RequestValidationError)
    async def of_validation(request: Request, error: RequestValidationError) -> Response:
        problems = [
            f"{'.'.join(map(str, problem['loc'][1:])) or 'body'}: {problem['msg']}"
            for problem in error.errors()[:_MOST_PROBLEMS]
        ]
        # OpenAI's clients know no 422.
        status = 400 if request.url.path.startswith("/v1/") else 422
        return refusal(status, "invalid_request", f"The request does not fit: {'; '.join(problems)}.")

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> Response:
        messages = {404: "There is nothing at this address. See /api/docs.", 405: "This method is not allowed here."}
        message = messages.get(error.status_code, str(error.detail))
        return refusal(
            error.status_code, "not_found" if error.status_code == 404 else "refused", message, error.headers
        )


async def while_connected(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """Await work for a client, and cancel it when the client leaves.

    Args:
        request: its body must have been read.
        work: what to do.

    Returns:
        What came of it; None where the client has left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def kept_alive(blocks: AsyncGenerator[bytes, None], seconds: float = 15.0) -> AsyncGenerator[bytes, None]:
    """Yield server-sent events, and a comment after a while without one.

    So no proxy closes the connection while a model thinks.

    Args:
        blocks: the events; closed at the end.
        seconds: how long is waited.
    """
    following: asyncio.Task[bytes] | None = None
    async with aclosing(blocks):
        try:
            while True:
                following = following or asyncio.ensure_future(_next(blocks))
                done, _ = await asyncio.wait({following}, timeout=seconds)
                if not done:
                    yield b": still working\n\n"
                elif block := following.result():
                    following = None
                    yield block
                else:
                    return
        finally:
            if following is not None:
                following.cancel()
                # The generator cannot be closed before it has stopped running.
                with anyio.CancelScope(shield=True):
                    await asyncio.gather(following, return_exceptions=True)


async def _next(blocks: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(blocks, b"")


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
