"""Fifty clients at once on one process of the server: errors, mixed answers, times, and the memory while they ask.

Usage::

    python -m benchmarks.server.load --seconds 300

The process serves a scripted model, which says the result of the record that a prompt asks about, and a scripted
entailment in the verifier's place; index, retrieval, checks, queue, cache and HTTP are the real ones. Each record is
about a substance of its own with a number of its own, so an answer that holds another's is seen. Clients ask over the
JSON API (whole and streamed), OpenAI's API, search and verification in turns; a third of the questions are asked
anew, the others come again and again. Results go to ``results/server_load.json``.
"""

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import httpx

from benchmarks.common.provenance import provenance, write_results

CLIENTS = 50
# Fewer than an answer is chosen from: of records that are alike, an embedder that hashes words may miss the right one.
RECORDS = 20
# Few, so that the cache is full soon and takes no more memory.
MOST_CACHED_ANSWERS = 64
SEED = 20261130
# A busy machine is no error of the server.
TIMEOUT_SECONDS = 600.0
SAMPLE_SECONDS = 2.0
# How long a client thinks between two questions, seconds.
MOST_PAUSE = 0.2
_SYLLABLES = ("ba", "do", "fe", "gu", "ki", "lo", "mu", "ne", "pa", "ri", "so", "tu", "ve", "wa", "zo")
SUBSTANCES = [f"{''.join(parts)}xin".capitalize() for parts in product(_SYLLABLES, repeat=3)][:: 15**3 // RECORDS]

Ask = Callable[[httpx.AsyncClient, int, random.Random], Awaitable[str]]


class MixedAnswerError(Exception):
    """An answer holds what another question asked for."""


class RefusedError(Exception):
    """A question that has an answer got none."""


def result_of(number: int) -> str:
    """The sentence that a record's question is answered by."""
    return f"{SUBSTANCES[number]} lowered the resting pulse by {number + 100}.5 beats per minute in all adults."


def question_of(number: int, source: random.Random) -> str:
    """A question about a record; in one of three cases one that nobody asked before."""
    asked = f"By how much did {SUBSTANCES[number]} lower the resting pulse?"
    return f"{asked} Asked by person {source.randrange(10**9)}." if source.random() < 1 / 3 else asked


def scripted_models() -> tuple[Any, Any]:
    """Return a drafter and an entailment model without weights.

    Unlike the doubles for tests they remember nothing: the drafter says the result of the record that is asked about.
    """
    from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
    from llama_index.core.llms.custom import CustomLLM

    from llama_index_medqa.testing import ScriptedEntailment
    from llama_index_medqa.testing.entailment import shared_words

    class Scripted(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(model_name="scripted")

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            asked = re.findall(r"By how much did (\w+)", prompt)[-1]
            return CompletionResponse(text=result_of(SUBSTANCES.index(asked)))

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
            text = self.complete(prompt).text
            for end in range(10, len(text) + 10, 10):
                yield CompletionResponse(text=text[:end], delta=text[end - 10 : end])

    class Forgetful(ScriptedEntailment):
        def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Any]:
            return [shared_words(premise, claim) for premise, claim in pairs]

    return Scripted(), Forgetful()


def serve(folder: str) -> None:
    """Serve until the process is ended; the address is its first line."""
    import socket

    import uvicorn

    from llama_index_medqa import MedQAQueryEngine, PubMedIndex, TokenNodeParser
    from llama_index_medqa.indexing.reader import to_document
    from llama_index_medqa.profiles import EMBEDDED
    from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord
    from llama_index_medqa.server.application import create_app, uvicorn_config
    from llama_index_medqa.server.security import SecuritySettings
    from llama_index_medqa.server.service import AnswerService, ServiceLimits
    from llama_index_medqa.testing import HashEmbedding
    from llama_index_medqa.verification.verifier import ClaimVerifier
    from llama_index_medqa.weights import locate

    drafter, entailment = scripted_models()
    records = [
        PubMedRecord(
            pmid=str(1000 + number),
            title=f"{name} and the resting pulse.",
            sections=(AbstractSection(f"We gave {name} to 60 adults. {result_of(number)} No harm was seen."),),
        )
        for number, name in enumerate(SUBSTANCES[:RECORDS])
    ]
    parser = TokenNodeParser(tokenizer=str(locate(EMBEDDED.embedder)), chunk_size=128, chunk_overlap=64)
    index = PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(map(to_document, records))
    engine = MedQAQueryEngine.from_index(index, drafter, verifier=ClaimVerifier(entailment))
    service = AnswerService(index, engine, limits=ServiceLimits(most_cached_answers=MOST_CACHED_ANSWERS))
    settings = SecuritySettings()
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(uvicorn_config(create_app(service, settings), settings))
    asyncio.run(server.serve(sockets=[listener]))


async def by_api(client: httpx.AsyncClient, number: int, source: random.Random) -> str:
    """Ask ``/api/ask`` for a whole answer."""
    reply = await client.post("/api/ask", json={"question": question_of(number, source)})
    return str(reply.raise_for_status().json()["answer"])


async def by_stream(client: httpx.AsyncClient, number: int, source: random.Random) -> str:
    """Ask ``/api/ask`` for a stream."""
    body = {"question": question_of(number, source), "stream": True}
    text, event = "", ""
    async with client.stream("POST", "/api/ask", json=body) as reply:
        reply.raise_for_status()
        async for line in reply.aiter_lines():
            name, _, value = line.partition(": ")
            event = value if name == "event" else event
            if name == "data" and event == "text":
                text += json.loads(value)["text"]
    if event != "finished":
        raise RuntimeError(f"a stream ended with {event!r}")
    return text


async def by_openai(client: httpx.AsyncClient, number: int, source: random.Random) -> str:
    """Ask OpenAI's API."""
    messages = [{"role": "user", "content": question_of(number, source)}]
    reply = await client.post("/v1/chat/completions", json={"model": "medqa", "messages": messages})
    return str(reply.raise_for_status().json()["choices"][0]["message"]["content"])


async def by_search(client: httpx.AsyncClient, number: int, source: random.Random) -> str:
    """Search for a record."""
    reply = await client.post("/api/search", json={"query": f"{SUBSTANCES[number]} resting pulse", "top_k": 1})
    return str(reply.raise_for_status().json()["records"][0]["passage"])


async def by_verification(client: httpx.AsyncClient, number: int, source: random.Random) -> str:
    """Verify a record's result."""
    body = {"sentences": [result_of(number)], "document_ids": [str(1000 + number)]}
    [judged] = (await client.post("/api/verify", json=body)).raise_for_status().json()["sentences"]
    return str(judged["citations"][0]["quote"])


WAYS: dict[str, Ask] = {
    "ask": by_api,
    "ask, streamed": by_stream,
    "OpenAI's API": by_openai,
    "search": by_search,
    "verify": by_verification,
}


def require_own(number: int, text: str) -> None:
    """Fail where a text lacks its record's result, or holds another's."""
    if "cannot answer" in text:
        raise RefusedError(f"{SUBSTANCES[number]} was asked for")
    named = set(re.findall(r"\b[A-Z]\w*xin\b", text))
    if named != {SUBSTANCES[number]} or f"{number + 100}.5" not in text:
        raise MixedAnswerError(f"{SUBSTANCES[number]} was asked for: {text[:300]}")


class Tally:
    """What came of the requests: seconds by way, and what went wrong."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        self.wrong: Counter[str] = Counter()

    def report(self) -> dict[str, Any]:
        """Return the counts and times."""
        return {
            "requests": sum(map(len, self.seconds.values())),
            "errors": sum(count for what, count in self.wrong.items() if not what.startswith("MixedAnswerError")),
            "mixed_answers": sum(count for what, count in self.wrong.items() if what.startswith("MixedAnswerError")),
            "what_went_wrong": dict(self.wrong.most_common(10)),
            "seconds_by_way": {way: _quantiles(seconds) for way, seconds in self.seconds.items()},
        }


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds) or [float("nan")]
    quantiles = {"median": 0.5, "p95": 0.95, "slowest": 1.0}
    return {
        name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3) for name, part in quantiles.items()
    }


async def client_loop(address: str, name: int, end: float, tally: Tally) -> None:
    """Ask one thing after the other until the end, as one client."""
    source = random.Random(f"{SEED}-{name}")
    # The server closes a connection that rests for five seconds; a client that sends at that moment gets an error.
    settings = {"limits": httpx.Limits(keepalive_expiry=2), "timeout": TIMEOUT_SECONDS, "trust_env": False}
    async with httpx.AsyncClient(base_url=address, **settings) as client:
        while time.monotonic() < end:
            way, number = source.choice(list(WAYS)), source.randrange(RECORDS)
            start = time.monotonic()
            try:
                require_own(number, await WAYS[way](client, number, source))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is counted
                tally.wrong[f"{type(error).__name__} ({way}): {str(error)[:300]}"] += 1
            tally.seconds[way].append(time.monotonic() - start)
            await asyncio.sleep(source.uniform(0, MOST_PAUSE))


async def watch_memory(process: int, end: float) -> list[tuple[float, float]]:
    """Note the resident memory of a process: seconds since the start, and MB."""
    start, series = time.monotonic(), []
    while time.monotonic() < end:
        status = Path(f"/proc/{process}/status").read_text("utf-8")
        resident = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024 / 1e6
        series.append((round(time.monotonic() - start, 1), round(resident, 1)))
        await asyncio.sleep(SAMPLE_SECONDS)
    return series


async def run(address: str, process: int, seconds: float) -> dict[str, Any]:
    """Let all clients ask for as long."""
    tally, end = Tally(), time.monotonic() + seconds
    clients = [client_loop(address, name, end, tally) for name in range(CLIENTS)]
    memory, *_ = await asyncio.gather(watch_memory(process, end), *clients)
    return {**tally.report(), "memory": memory_report(memory), "memory_series_seconds_megabytes": memory}


def memory_report(series: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Compare the mean of the second quarter with that of the last; in the first one caches fill."""
    quarter = max(1, len(series) // 4)
    sizes = [size for _, size in series]
    second, last = sizes[quarter : 2 * quarter] or sizes, sizes[-quarter:]
    return {
        "most_megabytes": max(sizes),
        "second_quarter_megabytes": round(sum(second) / len(second), 1),
        "last_quarter_megabytes": round(sum(last) / len(last), 1),
    }


def main() -> None:
    """Start the server, ask, and write the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=300)
    arguments.add_argument("--name", default="server_load", help="of the file of results")
    arguments.add_argument("--serve", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        serve(given.serve)
        return
    made_with = provenance([], ["chromadb", "fastapi", "llama-index-core", "uvicorn"])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "benchmarks.server.load", "--serve", str(Path(folder, "index"))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                while httpx.get(f"{address}/readyz", trust_env=False).status_code != 200:
                    time.sleep(0.2)
                found = asyncio.run(run(address, process.pid, given.seconds))
            finally:
                process.kill()
    results = {
        **made_with,
        "clients": CLIENTS,
        "seconds": given.seconds,
        "busy_machine": {"processors": os.cpu_count(), "load_average_at_the_end": os.getloadavg()},
        **found,
    }
    print({key: value for key, value in results.items() if key != "memory_series_seconds_megabytes"})
    print(write_results(given.name, results))


if __name__ == "__main__":
    main()
