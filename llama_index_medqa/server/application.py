"""The application: the web page, the APIs and MCP over one service, behind one gate."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from llama_index_medqa.redaction import logger_of
from llama_index_medqa.server.guards.sign_in import TokenGuard
from llama_index_medqa.server.guards.slow_headers import protocol_class
from llama_index_medqa.server.json_api import json_routes
from llama_index_medqa.server.metrics import Metrics, RequestCounter
from llama_index_medqa.server.openai_api import openai_routes
from llama_index_medqa.server.page import page_routes
from llama_index_medqa.server.replies import tell_errors
from llama_index_medqa.server.security import Gate, SecuritySettings
from llama_index_medqa.server.service import AnswerService

if TYPE_CHECKING:
    import uvicorn
    from mcp.server.fastmcp import FastMCP

_logger = logger_of(__name__)

_STOP_SECONDS = 5
_MOST_CONNECTIONS = 512
_LONGEST_HEAD = 64 << 10
_TITLE = "medqa"
_DESCRIPTION = (
    "Medical questions answered from PubMed abstracts: every sentence of an answer is tied to the words of a record "
    "that support it, or it is left out. This is a summary of literature, not medical advice."
)


def create_app(service: AnswerService, settings: SecuritySettings | None = None) -> FastAPI:
    """Makes the application.

    It answers ``/`` (the page), ``/api/…`` (JSON; described at ``/api/docs`` and ``/openapi.json``), ``/v1/…``
    (OpenAI's API), ``/mcp`` (MCP over HTTP), ``/healthz``, ``/readyz`` and ``/metrics``.

    Args:
        service: answers. It is warmed up when the application starts, and closed when it ends.
        settings: who may ask; by default whoever is on this machine.
    """
    settings = settings or SecuritySettings()
    tools = _mcp(service)
    app = FastAPI(
        title=_TITLE,
        description=_DESCRIPTION,
        version=version("llama-index-medqa"),
        # FastAPI's own pages load their scripts from another host.
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(service, tools),
    )
    tell_errors(app)
    app.include_router(json_routes(service))
    app.include_router(openai_routes(service))
    app.add_api_route("/api/docs", _documentation(app), include_in_schema=False)
    metrics = Metrics(service)
    token_guard = TokenGuard(settings.token) if settings.token else None
    routes = [*metrics.routes(), *page_routes(service), *tools.streamable_http_app().routes]
    routes += token_guard.routes() if token_guard else []
    app.router.routes += routes
    paths = ["/openapi.json", "/api/docs", *app.openapi()["paths"], *map(_path, routes)]
    # What is added last stands first.
    app.add_middleware(Gate, settings=settings, token_guard=token_guard)
    app.add_middleware(RequestCounter, metrics=metrics, routes=paths)
    return app


def uvicorn_config(app: FastAPI, settings: SecuritySettings, trusted_proxies: Sequence[str] = ()) -> "uvicorn.Config":
    """Return uvicorn's settings for the application.

    No WebSockets, no long heads of requests, no slow ones.

    Args:
        app: see :func:`create_app`.
        settings: those that it was made with.
        trusted_proxies: addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    """
    import uvicorn

    return uvicorn.Config(
        app,
        http=protocol_class(settings.head_seconds),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=_LONGEST_HEAD,
    )


def _mcp(service: AnswerService) -> "FastMCP[Any]":
    from mcp.server.transport_security import TransportSecuritySettings

    from llama_index_medqa.server.mcp_tools import mcp_server

    # The gate has looked at Host and Origin, and knows which names are ours.
    return mcp_server(service, transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False))


def _lifespan(service: AnswerService, tools: "FastMCP[Any]") -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(service.close)
            await stack.enter_async_context(tools.session_manager.run())
            warming = asyncio.create_task(asyncio.to_thread(service.warm_up))
            warming.add_done_callback(_warmed)
            yield
            warming.cancel()

    return lifespan


def _warmed(warming: "asyncio.Task[None]") -> None:
    if not warming.cancelled() and (error := warming.exception()):
        _logger.error("The models could not be loaded: %s", error)


def _path(route: BaseRoute) -> str:
    return str(getattr(route, "path", ""))


def _documentation(app: FastAPI) -> Callable[[Request], Any]:
    """Return a page that shows ``/openapi.json`` without a script."""

    async def documentation(_: Request) -> Response:
        schema = app.openapi()
        parts = [
            f"<section><h2>{escape(method.upper())} {escape(path)}</h2><p><strong>{escape(operation['summary'])}."
            f"</strong> {escape(operation.get('description', ''))}</p>{_fields(schema, operation)}</section>"
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
        ]
        return HTMLResponse(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>medqa: API</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="stylesheet" href="../static/page.css"></head><body><main><h1>API of medqa</h1>'
            f'<p>{escape(_DESCRIPTION)}</p><p>The same for programs: <a href="../openapi.json">openapi.json</a>.</p>'
            f"{''.join(parts)}</main></body></html>"
        )

    return documentation


def _fields(schema: dict[str, Any], operation: dict[str, Any]) -> str:
    """Return the fields of an endpoint's body and reply, as lists."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    reply = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
    shown = ""
    for heading, reference in (("Body", body), ("Reply", reply)):
        name = reference.get("$ref", "").rpartition("/")[2]
        model = schema.get("components", {}).get("schemas", {}).get(name, {})
        required = model.get("required", [])
        items = [
            f"<li><code>{escape(field)}</code>{' (required)' if heading == 'Body' and field in required else ''}: "
            f"{escape(known.get('description', known.get('title', '')))}</li>"
            for field, known in model.get("properties", {}).items()
        ]
        shown += f"<h3>{heading}</h3><ul>{''.join(items)}</ul>" if items else ""
    return shown
