"""A real server on loopback, in a thread of the tests' own process."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from llama_index_medqa import MedQAQueryEngine, PubMedIndex
from llama_index_medqa.server.application import create_app, uvicorn_config
from llama_index_medqa.server.security import SecuritySettings
from llama_index_medqa.server.service import AnswerService, ServiceLimits
from llama_index_medqa.testing import ScriptedEntailment, ScriptedLLM
from llama_index_medqa.verification.verifier import ClaimVerifier

QUESTION = "What does green tea do to the resting heart rate?"
DRAFT = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
SAFE = "No serious adverse events occurred."
TOKEN = "a-token-for-these-tests-only"


def service_of(
    index: PubMedIndex, llm: ScriptedLLM | str | None = None, limits: ServiceLimits | None = None
) -> AnswerService:
    """A service over an index whose model says what it is told to."""
    verifier = ClaimVerifier(ScriptedEntailment())
    engine = MedQAQueryEngine.from_index(index, llm or ScriptedLLM([DRAFT]), verifier=verifier)
    return AnswerService(index, engine, limits=limits)


@contextmanager
def serving(
    service: AnswerService, settings: SecuritySettings | None = None, trusted_proxies: Sequence[str] = ()
) -> Iterator[str]:
    """The address of a server, for the length of the ``with`` block."""
    settings = settings or SecuritySettings()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn_config(create_app(service, settings), settings, trusted_proxies))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
