"""A loopback server that speaks vLLM's protocol as a script says: for faults that a mock transport cannot have."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

WORDS = ["Green", " tea", " lowers", " it", "."]
TEXT = "".join(WORDS)

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the next step of the script; when it is at its end, as a healthy server does."""

    protocol_version = "HTTP/1.1"
    server: "Double"

    def do_GET(self) -> None:
        self.send_json({"data": [{"id": "base", "root": "m", "parent": None, "max_model_len": self.server.window},
                                 {"id": "adapter", "root": "a", "parent": "base"}]})  # fmt: skip

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, self.body))
        if self.path == "/tokenize":
            text = self.body.get("prompt") or " ".join(message["content"] for message in self.body["messages"])
            self.send_json({"tokens": list(range(len(text.split())))})
            return
        step = self.server.script.pop(0) if self.server.script else whole
        step(self)

    @property
    def is_chat(self) -> bool:
        return self.path.endswith("/chat/completions")

    def send_json(self, data: Any, status: int = 200) -> None:
        self.send_text(json.dumps(data), status=status, kind="application/json")

    def send_text(self, text: str, *, status: int = 200, kind: str = "text/html", length: int | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        if status >= 400:
            self.send_header("retry-after-ms", "1")
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()

    def send_event(self, data: Any) -> None:
        self.wfile.write(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def choice(self, text: str, reason: str | None) -> dict[str, Any]:
        more = {"index": 0, "finish_reason": reason}
        if not self.is_chat:
            return {"text": text, "logprobs": None, **more}
        key = "delta" if self.body.get("stream") else "message"
        return {key: {"role": "assistant", "content": text}, **more}

    def answer(self, text: str, reason: str | None, usage: bool = False) -> dict[str, Any]:
        kind = "chat.completion" if self.is_chat else "text_completion"
        data = {"id": "1", "object": kind, "created": 1, "model": self.body["model"],
                "choices": [self.choice(text, reason)]}  # fmt: skip
        counts = {"prompt_tokens": 3, "completion_tokens": len(WORDS), "total_tokens": 3 + len(WORDS)}
        return {**data, "usage": counts} if usage else data

    def log_message(self, *_: Any) -> None:
        pass


class Double(ThreadingHTTPServer):
    """See :func:`vllm_double`."""

    daemon_threads = True

    def __init__(self, *script: Answer, window: int = 1000) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.window = window
        self.requests: list[tuple[str, dict[str, Any]]] = []

    @property
    def api_base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is part of what is tested."""


@contextmanager
def vllm_double(*script: Answer, window: int = 1000) -> Iterator[Double]:
    """A server for the length of a ``with`` block.

    Args:
        script: what it does with the first requests for an answer, in order; it answers all others.
        window: the context window that it lists.
    """
    double = Double(*script, window=window)
    thread = Thread(target=double.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.shutdown()
        double.server_close()
        thread.join()


def whole(handler: Handler) -> None:
    """The whole answer."""
    finishes("stop")(handler)


def finishes(reason: str | None) -> Answer:
    """The whole answer, with this reason to finish."""

    def step(handler: Handler) -> None:
        if not handler.body.get("stream"):
            handler.send_json(handler.answer(TEXT, reason, usage=True))
            return
        handler.begin_stream()
        for word in WORDS[:-1]:
            handler.send_event(handler.answer(word, None))
        handler.send_event(handler.answer(WORDS[-1], reason))
        if handler.body.get("stream_options", {}).get("include_usage"):
            handler.send_event({**handler.answer("", None, usage=True), "choices": []})
        handler.send_event("[DONE]")

    return step


def refuses(status: int, message: str = "not now") -> Answer:
    """An error of the server."""
    return lambda handler: handler.send_json({"error": {"message": message}}, status)


def garbage(text: str, kind: str) -> Answer:
    """Something else in place of an answer."""
    return lambda handler: handler.send_text(text, kind=kind)


def event(text: str) -> Answer:
    """Something else as the second event of a stream."""

    def step(handler: Handler) -> None:
        handler.begin_stream()
        handler.send_event(handler.answer(WORDS[0], None))
        handler.send_event(text)

    return step


def closes(handler: Handler) -> None:
    """The connection ends properly after two words: no reason to finish, no [DONE]."""
    handler.begin_stream()
    for word in WORDS[:2]:
        handler.send_event(handler.answer(word, None))


def breaks(handler: Handler) -> None:
    """The connection ends inside the body, as when the server is killed."""
    if handler.body.get("stream"):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        event = f"data: {json.dumps(handler.answer(WORDS[0], None))}\n\n".encode()
        handler.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
    else:
        handler.send_text('{"id": "1", "choi', kind="application/json", length=500)
    handler.close_connection = True


def hangs_up(handler: Handler) -> None:
    """The connection ends before any answer."""
    handler.close_connection = True


def stalls(seconds: float, *, words: int = 0) -> Answer:
    """Nothing comes for a while, after some words."""

    def step(handler: Handler) -> None:
        if words:
            handler.begin_stream()
            for word in WORDS[:words]:
                handler.send_event(handler.answer(word, None))
        time.sleep(seconds)
        if not words:
            whole(handler)

    return step
