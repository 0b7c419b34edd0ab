"""The command ``medqa app``: a server for browsers, apps and agents."""

import errno
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_index_medqa.cli.asking import AnsweredWith, opened_service
from llama_index_medqa.cli.option_groups import AnsweringOptions, with_groups
from llama_index_medqa.cli.options import QuietOption, VerboseOption, terminal_for
from llama_index_medqa.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.server.security import SecuritySettings

DEFAULT_PORT = 8765


@dataclass(frozen=True)
class ServerOptions:
    """Where the server listens, whom it answers, and how many."""

    host: Annotated[str, typer.Option(help="Address to listen on. One that other machines reach needs a token.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_PORT
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token that every request must carry; or set MEDQA_TOKEN.")
    ] = None
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name under which it is asked too, such as that of a proxy.")
    ] = None
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="Address of a proxy whose X-Forwarded-For is believed.")
    ] = None
    requests_a_minute: Annotated[
        int | None, typer.Option(min=0, help="Most requests of one client; 0 for no limit. 120 with a token.")
    ] = None
    most_waiting: Annotated[int, typer.Option(min=0, help="Questions that may wait for the model.")] = 64
    log_requests: Annotated[
        bool, typer.Option("--log-requests", help="Write a line of JSON for each request, without questions.")
    ] = False
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False


@with_groups
def app(
    answering: AnsweringOptions, server: ServerOptions, quiet: QuietOption = False, verbose: VerboseOption = False
) -> None:
    """Serve a web page, a JSON API, OpenAI's API and MCP from one process, until Ctrl-C."""
    _require_extra()
    from llama_index_medqa.server.guards.sign_in import read_token
    from llama_index_medqa.server.security import SecuritySettings

    chosen = AnsweredWith.of_options(answering)
    settings = SecuritySettings(
        server.host,
        read_token(server.token_file),
        tuple(server.allow_host or ()),
        requests_a_minute=server.requests_a_minute,
    )
    with _bound(server.host, server.port) as listener:
        chosen.require()
        if server.log_requests:
            _log_requests()
        proxies = tuple(server.trusted_proxy or ())
        serving = _Serving(settings, proxies, server.most_waiting, open_browser=server.open_browser)
        serving.run(terminal_for(False), chosen, listener)


def _require_extra() -> None:
    """Check that the libraries of the server are installed.

    Raises:
        MissingExtraError: one of them is not.
    """
    try:
        import fastapi  # noqa: F401  # whether it is there is all that is asked
        import jinja2  # noqa: F401  # likewise
        import mcp  # noqa: F401  # likewise
        import prometheus_client  # noqa: F401  # likewise
        import uvicorn  # noqa: F401  # likewise
    except ImportError as error:
        raise MissingExtraError("medqa app", "server") from error


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket at an address, bound before anything large is loaded.

    Raises:
        InputError: the port is in use, or the address is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise InputError(
            f"--host {host} is no address of this machine: {error.strerror}. Give one that it has, such as 127.0.0.1."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _no_listening(error, host, port) from error
    return listener


def _no_listening(error: OSError, host: str, port: int) -> InputError:
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"Port {port} at {host} is in use: stop what listens there, or choose another with --port (0 takes a free "
            "one)."
        )
    return InputError(f"Nothing can listen at {host}, port {port}: {error.strerror}. Choose others.")


def _log_requests() -> None:
    from llama_index_medqa.server.metrics import REQUESTS

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    REQUESTS.handlers = [handler]
    REQUESTS.setLevel(logging.INFO)
    REQUESTS.propagate = False


class _Serving:
    """Serves until the process is asked to stop.

    Args:
        settings: who may ask.
        proxies: addresses whose X-Forwarded-For is believed.
        most_waiting: questions that may wait.
        open_browser: whether to open the page.
    """

    def __init__(
        self, settings: "SecuritySettings", proxies: tuple[str, ...], most_waiting: int, *, open_browser: bool
    ) -> None:
        self._settings = settings
        self._proxies = proxies
        self._most_waiting = most_waiting
        self._open_browser = open_browser

    def run(self, terminal: "Terminal", chosen: AnsweredWith, listener: socket.socket) -> None:
        """Open index and models, and serves."""
        from llama_index_medqa.server.application import create_app

        address, port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        page = f"http://{shown}:{port}"

        def started() -> None:
            # Whoever started the process may wait for this line.
            terminal.line(f"medqa listens on {page} (page), {page}/v1 (OpenAI's API), {page}/mcp; Ctrl-C stops it.")
            sys.stdout.flush()
            if self._open_browser:
                typer.launch(page)

        with opened_service(terminal, chosen, most_waiting=self._most_waiting) as service:
            self._serve(create_app(service, self._settings), listener, started)
        terminal.line("Stopped.")

    def _serve(self, application: Any, listener: socket.socket, started: Callable[[], None]) -> None:
        import asyncio

        import uvicorn

        from llama_index_medqa.server.application import uvicorn_config

        class Server(uvicorn.Server):
            """Reports that it has started, and shuts down in order."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                started()

            def handle_exit(self, sig: int, frame: Any) -> None:
                super().handle_exit(sig, frame)
                # Uvicorn would raise the signal again after the end.
                self._captured_signals.clear()

        config = uvicorn_config(application, self._settings, self._proxies)
        try:
            asyncio.run(Server(config).serve(sockets=[listener]))
        except OSError as error:
            raise _no_listening(error, *listener.getsockname()[:2]) from error
