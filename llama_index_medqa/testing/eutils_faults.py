"""Failures of the E-utilities that the double plays on request."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal


class Fault(StrEnum):
    """A way in which a request fails."""

    RATE_LIMIT = "rate_limit"
    """HTTP 429 with ``Retry-After`` and a JSON body that echoes the caller's key."""
    RATE_LIMIT_STATUS_200 = "rate_limit_status_200"
    """The same body with HTTP 200."""
    SERVER_ERROR = "server_error"
    """HTTP 500 with an HTML page."""
    FORWARDING_ERROR = "forwarding_error"
    """HTTP 200 with ``{"error": "error forwarding request"}``."""
    TIMEOUT = "timeout"
    """No answer."""
    DISCONNECT = "disconnect"
    """The connection breaks in the middle of the body."""
    TRUNCATED = "truncated"
    """Half a body, sent as if it were whole."""
    MALFORMED = "malformed"
    """A body that is no XML, or no JSON, at one position."""
    DROPPED_IDS = "dropped_ids"
    """Some of the records that EFetch was asked for are left out; other requests are answered as usual."""
    HISTORY_EXPIRED = "history_expired"
    """The history server forgets everything before the request is answered."""


ANSWERED_AS_USUAL = frozenset({Fault.DROPPED_IDS, Fault.HISTORY_EXPIRED})


def random_faults(rate: float, *, seed: int = 0, kinds: Sequence[Fault] = tuple(Fault)) -> Iterator[Fault | None]:
    """Yield endless faults, and undisturbed answers between them.

    Args:
        rate: share of requests that go wrong, 0 to 1.
        seed: the same seed gives the same series.
        kinds: the faults to choose from, each as likely as any other.
    """
    source = random.Random(seed)  # noqa: S311 - no secret
    while True:
        yield source.choice(kinds) if source.random() < rate else None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer, and how it is delivered.

    Attributes:
        status: HTTP status.
        body: the whole body.
        headers: HTTP headers.
        delivery: whole; cut by a lost connection; or not at all.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Literal["whole", "disconnect", "timeout"] = "whole"


def rate_limit_answer(status: int, caller: str, limit: int, retry_after_s: int) -> HttpAnswer:
    """Return NCBI's answer to one request too many."""
    body = f'{{"error":"API rate limit exceeded","api-key":"{caller}","count":"{limit + 1}","limit":"{limit}"}}'
    return HttpAnswer(status, body.encode(), {"Content-Type": "application/json", "Retry-After": str(retry_after_s)})


def spoil(answer: HttpAnswer, fault: Fault) -> HttpAnswer:
    """Return an answer after a fault."""
    body = answer.body
    match fault:
        case Fault.SERVER_ERROR:
            page = b"<html><body><h1>Internal Server Error</h1></body></html>"
            spoilt = HttpAnswer(500, page, {"Content-Type": "text/html"})
        case Fault.FORWARDING_ERROR:
            spoilt = HttpAnswer(200, b'{"error":"error forwarding request"}', dict(answer.headers))
        case Fault.TIMEOUT:
            spoilt = replace(answer, delivery="timeout")
        case Fault.DISCONNECT:
            spoilt = replace(answer, delivery="disconnect")
        case Fault.TRUNCATED:
            spoilt = replace(answer, body=body[: len(body) // 2])
        case Fault.MALFORMED:
            spoilt = replace(answer, body=body.replace(b"</", b"<", 1) if b"</" in body else body[1:])
        case _:
            spoilt = answer
    return spoilt
