"""The cost of judge calls beside the same requests by a bare load generator.

    python -m benchmarks.evaluation.judge_throughput [--rounds N]

A llama.cpp server with SmolLM2-135M and one thread, four requests at a time. Sides, alternating in one process:

- ``calls``: 32 short requests through ``ModelCalls``, each kept in a journal on disk;
- ``ragas``: ContextRecall of 8 short cases, whose prompts are long, through ragas, ``ModelCalls`` and ``score_all``;
- of each a bare side: the same requests by httpx and nothing else.

Answers are compared. The model is small so that the server is fast, which is what shows an overhead; that it judges
nothing well does not matter here.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa._common.jsonl import read_rows
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls, call_key
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.runs.runner import Reply
from llama_index_medqa.evaluation.runs.scoring import score_all
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
from llama_index_medqa.weights import locate

CONCURRENCY = 4
# Requests before the sides change: whatever else the machine does falls on both.
BLOCK = 8
PATH = "chat/completions"
_WORDS = "tea milk salt rice iron zinc wine bread".split()
_PARTS = "heart liver brain skin".split()
_THINGS = [(word, part) for word in _WORDS for part in _PARTS]

Side = Callable[[Path, int], Coroutine[Any, Any, Any]]


class Recording(ModelCalls):
    """Remembers the requests."""

    bodies: list[Mapping[str, Any]]

    async def ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask, and remember the request."""
        self.bodies.append(body)
        return await super().ask(path, body)


def short_requests() -> list[dict[str, Any]]:
    """Return requests that are answered by at most 16 tokens."""
    return [
        {
            "messages": [{"role": "user", "content": f"Is {word} good for the {part}? Answer in a few words."}],
            "max_tokens": 16,
            "temperature": 0,
        }
        for word, part in _THINGS
    ]


async def through_calls(server: JudgeServer, journal: Path, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Send the requests through our code."""
    async with ModelCalls.open(server, journal, concurrency=CONCURRENCY) as calls:
        await asyncio.gather(*(calls.ask(PATH, body) for body in bodies))


async def through_ragas(
    server: JudgeServer, journal: Path, things: Sequence[tuple[str, str]]
) -> list[Mapping[str, Any]]:
    """Run ContextRecall on short cases, and return its requests.

    Answers are cut after 32 tokens.
    """
    cases = [
        EvaluationCase(f"{word} {part}", f"Is {word} good?", ("PMID:1",), (f"Too much {word} harms the {part}.",))
        for word, part in things
    ]
    replies = [Reply(Answer("No.", (Evidence("PMID:1", f"Much {word} harms the {part}."),))) for word, part in things]
    async with Recording.open(server, journal, concurrency=CONCURRENCY) as calls:
        assert isinstance(calls, Recording)
        calls.bodies = []
        measures = measures_of(["ContextRecall(ragas)"], ragas=RagasJudge(calls, max_tokens=32))
        await score_all(cases, replies, measures, system={})
        return calls.bodies


async def bare(server: JudgeServer, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Send the requests by httpx, and return the texts."""
    slots = asyncio.Semaphore(CONCURRENCY)
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(trust_env=False, timeout=None, limits=limits, verify=False) as client:

        async def one(body: Mapping[str, Any]) -> str:
            async with slots:
                response = await client.post(f"{server.api_base}/{PATH}", json={"model": server.model, **body})
            return str(response.json()["choices"][0]["message"]["content"])

        return list(await asyncio.gather(*map(one, bodies)))


def texts_of(journal: Path, server: JudgeServer, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the texts that a journal keeps for some requests."""
    kept = {row["key"]: row["answer"]["choices"][0]["message"]["content"] for _, row in read_rows(journal)}
    return [kept[call_key(server.identity, PATH, body)] for body in bodies]


def compare(server: JudgeServer, ours: Side, bodies: Sequence[Mapping[str, Any]], rounds: int) -> dict[str, Any]:
    """Compare both sides, alternating block by block.

    The first round is not counted.
    """
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    processor: dict[str, float] = {"ours": 0.0, "bare": 0.0}
    equal = 0
    for number in range(rounds + 1):
        spent = {"ours": 0.0, "bare": 0.0}
        for start in range(0, len(bodies), BLOCK):
            block = bodies[start : start + BLOCK]
            with tempfile.TemporaryDirectory() as folder:
                journal, texts = Path(folder) / "judge.jsonl", []
                for side in ("ours", "bare") if (number + start // BLOCK) % 2 else ("bare", "ours"):
                    clock, cpu = time.perf_counter(), time.process_time()
                    if side == "ours":
                        asyncio.run(ours(journal, start))
                    else:
                        texts = asyncio.run(bare(server, block))
                    spent[side] += time.perf_counter() - clock
                    processor[side] += (time.process_time() - cpu) * bool(number)
                kept = texts_of(journal, server, block)
                equal += sum(one == other for one, other in zip(texts, kept, strict=True)) * bool(number)
        if number:
            for side, values in seconds.items():
                values.append(spent[side])
        rates = {side: round(len(bodies) / value, 2) for side, value in spent.items()}
        print(f"round {number}: {rates} requests a second", file=sys.stderr, flush=True)
    return _summary(len(bodies), rounds, seconds, processor, equal)


def _summary(
    requests: int, rounds: int, seconds: dict[str, list[float]], processor: dict[str, float], equal: int
) -> dict[str, Any]:
    rates = {side: [requests / value for value in values] for side, values in seconds.items()}
    medians = {side: statistics.median(values) for side, values in rates.items()}
    calls = rounds * requests
    return {
        "requests": requests,
        "requests_per_second": {side: [round(value, 3) for value in values] for side, values in rates.items()},
        "median_requests_per_second": {side: round(value, 3) for side, value in medians.items()},
        "ours_of_bare": round(medians["ours"] / medians["bare"], 4),
        "client_milliseconds_of_processor_a_call": {
            side: round(1e3 * cpu / calls, 2) for side, cpu in processor.items()
        },
        "equal_answers": equal,
        "compared_answers": calls,
    }


def main() -> None:
    """Measure and writes ``results/judge_throughput.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory() as folder,
        LlamaCppServer(locate("smollm2-135m-instruct"), threads=1, parallel=CONCURRENCY) as running,
    ):
        server = JudgeServer(running.api_base, running.model)
        plain = short_requests()
        asked = asyncio.run(through_ragas(server, Path(folder) / "first.jsonl", _THINGS[:BLOCK]))
        results = {
            "provenance": provenance([], ["ragas", "httpx", "xllamacpp"]),
            "model": running.model,
            "concurrency": CONCURRENCY,
            "rounds": rounds,
            "calls": compare(
                server,
                lambda journal, start: through_calls(server, journal, plain[start : start + BLOCK]),
                plain,
                rounds,
            ),
            "ragas": compare(
                server,
                lambda journal, start: through_ragas(server, journal, _THINGS[start : start + BLOCK]),
                asked,
                rounds,
            ),
        }
    for name in ("calls", "ragas"):
        print(name, {key: value for key, value in results[name].items() if key != "requests_per_second"})
    write_results("judge_throughput", results)


if __name__ == "__main__":
    main()
