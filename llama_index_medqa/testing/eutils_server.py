"""The E-utilities double behind an HTTP server on 127.0.0.1."""

import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from llama_index_medqa.testing.eutils_faults import HttpAnswer

AnswerFunction = Callable[[str, Mapping[str, str]], HttpAnswer]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: AnswerFunction, stall_s: float) -> None:
        self.answer = answer
        self.stall_s = stall_s
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that was killed leaves its connection open; that is its business.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._respond(urllib.parse.urlsplit(self.path).query)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # the client died while it was sending: no request arrived
            self.close_connection = True
            return
        self._respond(body.decode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _respond(self, form: str) -> None:
        utility = urllib.parse.urlsplit(self.path).path.rsplit("/", 1)[-1]
        answer = self.server.answer(utility, dict(urllib.parse.parse_qsl(form)))
        if answer.delivery == "timeout":
            self.server.closing.wait(self.server.stall_s)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.delivery == "disconnect":
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(answer.body)


@contextmanager
def serve(answer: AnswerFunction, stall_s: float) -> Iterator[str]:
    """Serve until the block is left, and yield the base address.

    It ends with a slash.
    """
    server = _Server(answer, stall_s)
    # The default poll of 0.5 s would be paid at the end of every test.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/entrez/eutils/"
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
