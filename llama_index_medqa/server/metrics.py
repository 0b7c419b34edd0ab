"""Health, readiness, figures for Prometheus, and a log line for each request.

No question, answer, address or token is in any of them.
"""

import asyncio
import json
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_index_medqa.errors import MedQAError
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.server.replies import RESPONSE_HEADERS, refusal
from llama_index_medqa.server.results import Finished
from llama_index_medqa.server.service import AnswerService

REQUESTS = logger_of("llama_index_medqa.server.requests")
"""One line of JSON for each request, at the level INFO."""

_logger = logger_of(__name__)
# The status of a request to which nothing was sent, because the client had left.
_LEFT = 499
_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """Counts requests and answers.

    Args:
        service: whose answers are counted.
    """

    def __init__(self, service: AnswerService) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("medqa_requests", "Requests that were answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "medqa_request_seconds", "Time for a request.", ("route",), buckets=_BUCKETS, registry=self._registry
        )
        self._open = Gauge("medqa_open_requests", "Requests that are being answered.", registry=self._registry)
        self._answers = Counter(
            "medqa_answers",
            "Answers by what they are, and whether they were kept.",
            ("outcome", "cached"),
            registry=self._registry,
        )
        self._stages = Counter(
            "medqa_answer_stage_seconds", "Time for answers by stage.", ("stage",), registry=self._registry
        )
        waiting = Gauge("medqa_questions", "Questions that are answered or wait.", registry=self._registry)
        waiting.set_function(lambda: float(service.waiting))
        service.observe(self._count_answer)

    def routes(self) -> list[Route]:
        """Return the routes of health, readiness and figures.

        ``/healthz``: the process answers; ``/readyz``: models and index do; ``/metrics``: the figures.
        """

        async def healthz(_: Request) -> Response:
            return PlainTextResponse("ok\n")

        async def readyz(_: Request) -> Response:
            if not self._service.is_warm:
                return PlainTextResponse("loading\n", 503)
            try:
                await asyncio.to_thread(self._service.status)
            except MedQAError as error:
                return PlainTextResponse(f"{type(error).__name__}\n", 503)
            return PlainTextResponse("ready\n")

        async def metrics(_: Request) -> Response:
            return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

        return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]

    def started(self) -> None:
        """Counts a request that begins."""
        self._open.inc()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request that has ended, and logs it."""
        self._open.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": "request",
            "method": method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
        }
        REQUESTS.info(json.dumps(line))

    def _count_answer(self, finished: Finished) -> None:
        self._answers.labels(finished.response.outcome, str(finished.is_cached).lower()).inc()
        if not finished.is_cached:
            for stage, seconds in finished.response.seconds.items():
                self._stages.labels(stage).inc(seconds)


class RequestCounter:
    """Counts and logs every request by its method and route.

    Those that are refused too.

    Args:
        app: the application.
        metrics: where it is counted.
        routes: the paths that are told apart; a name in braces stands for anything but a slash.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = [(route.split("/"), route) for route in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _LEFT
        begin = perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.started()
        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001  # what it says may hold a question, and would be logged further up
            frames = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("A request failed by %s:\n%s", type(error).__name__, frames)  # noqa: TRY400
            if status == _LEFT:
                failed = refusal(500, "failed", "The server failed. Its log says where.", RESPONSE_HEADERS)
                await failed(scope, receive, sending)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.ended(method, self._route(scope["path"]), status, perf_counter() - begin)

    def _route(self, path: str) -> str:
        """Return the route of a path.

        So nobody can make up names of figures, and no id stands in a log.
        """
        parts = path.split("/")
        for names, route in self._routes:
            pairs = zip(names, parts, strict=False)
            if len(names) == len(parts) and all(name == part or name.startswith("{") for name, part in pairs):
                return route
        return "other"


_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
