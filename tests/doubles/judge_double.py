"""A judge's model that is no model: it answers requests for ragas' schemas by rules, deterministically."""

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

MODEL = "canned-judge"


def completion(text, finish_reason="stop"):
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": usage, "model": MODEL, "id": "x", "created": 0}  # fmt: skip


def filled(body):
    """What fills the schema of a request: sentences are statements, and one is true if the context has its words."""
    name = body["response_format"]["json_schema"]["name"]
    asked = json.loads(re.search(r"same with the following input\ninput: (.*)\nOutput: $", prompt(body), re.S).group(1))
    if name in ("StatementGeneratorOutput", "ClaimDecompositionOutput"):
        key, text = ("statements", "answer") if name.startswith("Statement") else ("claims", "response")
        return {key: sentences(asked[text])}
    if name == "NLIStatementOutput":
        return {"statements": [
            {"statement": one, "reason": "", "verdict": holds(asked["context"], one)} for one in asked["statements"]
        ]}  # fmt: skip
    if name == "ContextRecallOutput":
        return {"classifications": [
            {"statement": one, "reason": "", "attributed": holds(asked["context"], one)}
            for one in sentences(asked["answer"])
        ]}  # fmt: skip
    if name == "ContextPrecisionOutput":
        return {"reason": "", "verdict": holds(asked["context"], asked["answer"])}
    return {"question": f"What of {asked['response']}?", "noncommittal": 0}


def prompt(body):
    return body["messages"][-1]["content"]


def sentences(text):
    return [part.strip() for part in text.split(".") if part.strip()]


def holds(context, statement):
    return int(all(word in context for word in re.findall(r"\w+", statement)))


def transport(answer=lambda body: completion(json.dumps(filled(body))), seen=None):
    """The double without a socket; ``answer`` gives the JSON of a request's body, or a response, or raises."""

    async def handle(request):
        body = json.loads(request.content)
        if seen is not None:
            seen.append(body)
        data = answer(body)
        return data if isinstance(data, httpx.Response) else httpx.Response(200, json=data)

    return httpx.MockTransport(handle)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._send({"data": [{"id": MODEL}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # Told before it is answered: a call that a kill interrupts has been paid.
        with self.server.lock, self.server.log.open("a") as file:
            file.write(json.dumps(body, sort_keys=True) + "\n")
            failing = self.server.failures > 0
            self.server.failures -= 1
        time.sleep(self.server.seconds)
        if failing:
            self._send({"error": {"message": "still loading"}}, 503)
        else:
            self._send(completion(json.dumps(filled(body))))

    def _send(self, data, status=200):
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Nothing: tests read the log file."""

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except ConnectionError:  # the client was killed
            self.close_connection = True


@contextmanager
def serving(log, seconds=0.0, failures=0):
    """Serves the double on a loopback port; gives its address. Every request is a line of ``log``.

    An answer takes some seconds, and the first requests fail.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.lock, server.log, server.seconds, server.failures = threading.Lock(), log, seconds, failures
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
