"""What judge calls cost beside the same requests from a bare load generator.

    python -m benchmarks.judge_throughput [--rounds N]

A llama.cpp server with SmolLM2-135M and one thread, four requests at a time. Sides, alternating in one process:

- ``calls``: 32 short requests through ``ModelCalls``, each kept in a journal on disk;
- ``ragas``: ContextRecall of 32 short cases, through ragas, ``ModelCalls`` and ``score_all``;
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

from benchmarks.provenance import provenance, write_results
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.line_file import read_rows
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.model_calls import JudgeServer, ModelCalls, call_key
from llama_index_medqa.evaluation.results import score_all
from llama_index_medqa.evaluation.runner import Reply
from llama_index_medqa.weights import LlamaCppServer, locate

REQUESTS = 32
CONCURRENCY = 4
PATH = "chat/completions"
_WORDS = "tea milk salt rice iron zinc wine bread".split()
_PARTS = "heart liver brain skin".split()
_THINGS = [(word, part) for word in _WORDS for part in _PARTS]

Side = Callable[[Path], Coroutine[Any, Any, Any]]


class Recording(ModelCalls):
    """Remembers what it was asked."""

    bodies: list[Mapping[str, Any]]

    async def ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Asks."""
        self.bodies.append(body)
        return await super().ask(path, body)


def short_requests() -> list[dict[str, Any]]:
    """A question each, answered by at most 16 tokens."""
    return [
        {
            "messages": [{"role": "user", "content": f"Is {word} good for the {part}? Answer in a few words."}],
            "max_tokens": 16,
            "temperature": 0,
        }
        for word, part in _THINGS
    ]


async def through_calls(server: JudgeServer, journal: Path, bodies: Sequence[Mapping[str, Any]]) -> None:
    """The requests through our code."""
    async with ModelCalls.open(server, journal, concurrency=CONCURRENCY) as calls:
        await asyncio.gather(*(calls.ask(PATH, body) for body in bodies))


async def through_ragas(server: JudgeServer, journal: Path) -> list[Mapping[str, Any]]:
    """ContextRecall of short cases, with answers cut after 32 tokens; gives the requests that it came to."""
    cases = [
        EvaluationCase(str(number), f"Is {word} good?", ("PMID:1",), (f"Too much {word} harms the {part}.",))
        for number, (word, part) in enumerate(_THINGS)
    ]
    replies = [Reply(Answer("No.", (Evidence("PMID:1", f"Much {word} harms the {part}."),))) for word, part in _THINGS]
    async with Recording.open(server, journal, concurrency=CONCURRENCY) as calls:
        assert isinstance(calls, Recording)
        calls.bodies = []
        measures = measures_of(["ContextRecall(ragas)"], ragas=RagasJudge(calls, max_tokens=32))
        await score_all(cases, replies, measures, system={})
        return calls.bodies


async def bare(server: JudgeServer, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
    """The requests by httpx; gives the texts."""
    places = asyncio.Semaphore(CONCURRENCY)
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(trust_env=False, timeout=None, limits=limits, verify=False) as client:

        async def one(body: Mapping[str, Any]) -> str:
            async with places:
                response = await client.post(f"{server.api_base}/{PATH}", json={"model": server.model, **body})
            return str(response.json()["choices"][0]["message"]["content"])

        return list(await asyncio.gather(*map(one, bodies)))


def texts_of(journal: Path, server: JudgeServer, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
    """The texts that a journal keeps for some requests."""
    kept = {row["key"]: row["answer"]["choices"][0]["message"]["content"] for _, row in read_rows(journal)}
    return [kept[call_key(server.identity, PATH, body)] for body in bodies]


def compare(server: JudgeServer, ours: Side, bodies: Sequence[Mapping[str, Any]], rounds: int) -> dict[str, Any]:
    """Both sides, alternating, the first round of each not counted."""
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    equal = 0
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            journal, texts = Path(folder) / "judge.jsonl", []
            for side in ("ours", "bare") if number % 2 else ("bare", "ours"):
                start = time.perf_counter()
                if side == "ours":
                    asyncio.run(ours(journal))
                else:
                    texts = asyncio.run(bare(server, bodies))
                if number:
                    rates[side].append(len(bodies) / (time.perf_counter() - start))
            if number:
                equal += sum(one == other for one, other in zip(texts, texts_of(journal, server, bodies), strict=True))
        print(
            f"round {number}: { ({side: round(values[-1], 2) for side, values in rates.items() if values}) }",
            file=sys.stderr,
        )
    medians = {side: statistics.median(values) for side, values in rates.items()}
    shares = [one / other for one, other in zip(rates["ours"], rates["bare"], strict=True)]
    return {
        "requests": len(bodies),
        "requests_per_second": {side: [round(value, 3) for value in values] for side, values in rates.items()},
        "median_requests_per_second": {side: round(value, 3) for side, value in medians.items()},
        "ours_of_bare": round(medians["ours"] / medians["bare"], 4),
        "ours_of_bare_round_by_round": round(statistics.median(shares), 4),
        "equal_answers": equal,
        "compared_answers": rounds * len(bodies),
    }


def main() -> None:
    """Measures and writes ``results/judge_throughput.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory() as folder,
        LlamaCppServer(locate("smollm2-135m-instruct"), threads=1, parallel=CONCURRENCY) as running,
    ):
        server = JudgeServer(running.api_base, running.model)
        plain = short_requests()
        asked = asyncio.run(through_ragas(server, Path(folder) / "first.jsonl"))
        results = {
            "provenance": provenance([], ["ragas", "httpx", "xllamacpp"]),
            "model": running.model,
            "concurrency": CONCURRENCY,
            "rounds": rounds,
            "calls": compare(server, lambda journal: through_calls(server, journal, plain), plain, rounds),
            "ragas": compare(server, lambda journal: through_ragas(server, journal), asked, rounds),
        }
    for name in ("calls", "ragas"):
        print(name, {key: value for key, value in results[name].items() if key != "requests_per_second"})
    write_results("judge_throughput", results)


if __name__ == "__main__":
    main()
