"""What a question costs: a command that loads everything first, a warm server, and a bare request to the same model.

Usage::

    python -m benchmarks.server.cold_and_warm                # quotes alone
    python -m benchmarks.server.cold_and_warm --model        # the embedded model too: minutes

An index of 40 abstracts of the packaged sample; every question is asked once. Cold is ``medqa ask`` in a process of
its own, warm is ``POST /api/ask`` to ``medqa app``, cached the same question again. CPU-seconds are those of the
process and its children; they too grow on a busy machine, whose load is noted. With ``--model`` the prompt of each
answer is sent once more to a llama.cpp server without its cache, as a bare request: what the answer takes beyond that
is the overhead.

``help`` and ``cold`` are measured as an installation of the extra ``local`` leaves a machine: with compiled modules,
and without langchain, which only the extra ``eval`` brings and which LlamaIndex imports where it finds it.
``cold_with_langchain`` is with it, ``cold_uncompiled`` without compiled modules besides: where neither installation
nor first start could write any. Results go to ``results/cold_and_warm.json``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.common.provenance import provenance, write_results

QUESTIONS = (
    "Does cardiorespiratory fitness predict cardiovascular mortality?",
    "Does catheter ablation help patients with atrial fibrillation and heart failure?",
    "Is obesity a risk factor for heart failure?",
)
RECORDS = 40
_MAIN = "from llama_index_medqa.cli.command import main; main()"
COMMAND = [sys.executable, "-c", _MAIN]
# LlamaIndex takes a module that is None for one that is not installed.
WITHOUT_LANGCHAIN = [
    sys.executable,
    "-c",
    f"import sys; sys.modules.update(langchain=None, langchain_core=None); {_MAIN}",
]
SECONDS = 900.0


def build(folder: str) -> None:
    """Index the abstracts."""
    from llama_index_medqa.cli.demo import demo_documents
    from llama_index_medqa.components import open_embedder, open_index
    from llama_index_medqa.profiles import EMBEDDED

    index = open_index(EMBEDDED, folder, open_embedder(EMBEDDED), create=True)
    index.ingest(islice(demo_documents(), RECORDS))


def command_cost(*arguments: str, compiled: str = "", command: Sequence[str] = WITHOUT_LANGCHAIN) -> dict[str, float]:
    """Run a command; its CPU-seconds, and the seconds by the clock until its end and its first verified sentence.

    Args:
        arguments: of ``medqa``.
        compiled: folder of compiled modules; empty where every start compiles them.
        command: what runs it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # None are written where the folder is a file.
    environment["PYTHONPYCACHEPREFIX"] = compiled or os.devnull
    before, start = _children(), time.perf_counter()
    first = 0.0
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        shown = ""
        while piece := run.stdout.read(1):
            shown += piece
            if not first and shown.partition("Answer:")[2].strip():
                first = time.perf_counter() - start
    if run.returncode:
        sys.exit(f"medqa {' '.join(arguments)} ended with {run.returncode}.")
    cost = {"cpu_seconds": _children() - before, "seconds": time.perf_counter() - start}
    return _rounded(cost | ({"seconds_to_first_sentence": first} if first else {}))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


@contextmanager
def app(folder: str, *options: str) -> Iterator[tuple[str, int]]:
    """The address of a warm ``medqa app``, and its process."""
    arguments = ["app", "--index", folder, "--port", "0", *options]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = next(line for line in process.stdout if "listens on" in line).split()[3]
            while httpx.get(f"{address}/readyz", trust_env=False).status_code != 200:
                time.sleep(0.2)
            yield address, process.pid
        finally:
            process.terminate()
            process.wait(60)


def server_cost(address: str, process: int, question: str) -> dict[str, float]:
    """Ask a warm server for a stream; its CPU-seconds, and the seconds to the first sentence and the end."""
    before, start, first = _cpu_of(process), time.perf_counter(), 0.0
    body = {"question": question, "stream": True}
    with httpx.stream("POST", f"{address}/api/ask", json=body, timeout=SECONDS, trust_env=False) as reply:
        for line in reply.raise_for_status().iter_lines():
            if line == "event: text" and not first:
                first = time.perf_counter() - start
    end = time.perf_counter() - start
    return _rounded(
        {"cpu_seconds": _cpu_of(process) - before, "seconds": end, "seconds_to_first_sentence": first or end}
    )


def _cpu_of(process: int) -> float:
    """CPU-seconds of a process and of those that it started."""
    total = 0
    for folder in [Path(f"/proc/{process}"), *_started_by(process)]:
        fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _started_by(process: int) -> Iterator[Path]:
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text("utf-8").split():
            yield Path(f"/proc/{child}")
            yield from _started_by(int(child))


def quotes(folder: str, runs: int) -> dict[str, Any]:
    """Costs without a model."""
    names = ("help", "cold", "cold_with_langchain", "cold_uncompiled", "warm", "cached")
    results: dict[str, Any] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as compiled:
        asked = [("ask", question, "--llm", "extractive", "--index", folder) for question in QUESTIONS[:runs]]
        # Compiles the modules; not counted.
        command_cost(*asked[0], compiled=compiled, command=COMMAND)
        for arguments in asked:
            results["help"].append(command_cost("--help", compiled=compiled))
            results["cold"].append(command_cost(*arguments, compiled=compiled))
            results["cold_with_langchain"].append(command_cost(*arguments, compiled=compiled, command=COMMAND))
        results["cold_uncompiled"].append(command_cost(*asked[0], command=COMMAND))
    with app(folder, "--llm", "extractive") as (address, process):
        for question in QUESTIONS:
            results["warm"].append(server_cost(address, process, question))
            results["cached"].append(server_cost(address, process, question))
    return results


def with_model(folder: str, runs: int) -> dict[str, Any]:
    """Costs with the embedded model: cold, warm, and the same prompt as a bare request."""
    results: dict[str, Any] = {"cold": [command_cost("ask", QUESTIONS[0], "--llm", "local", "--index", folder)]}
    results["beside_a_bare_request"] = []
    from llama_index_medqa.components import open_drafter, open_embedder, open_engine, open_index
    from llama_index_medqa.profiles import EMBEDDED

    index = open_index(EMBEDDED, folder, open_embedder(EMBEDDED))
    with open_drafter(EMBEDDED) as drafter:
        assert not isinstance(drafter, str)
        sent: list[dict[str, Any]] = []
        # What the model was asked is seen there alone.
        drafter._http_client.event_hooks = {"request": [lambda request: _keep(request, sent)]}  # type: ignore[attr-defined]
        engine = open_engine(EMBEDDED, index, drafter)
        engine.verifier.verify(["Water is wet."], [])
        for question in QUESTIONS[:runs]:
            results["beside_a_bare_request"].append(_beside_bare_requests(engine, question, sent))
    return results


def _beside_bare_requests(engine: Any, question: str, sent: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the cost of an answer, and of its requests to the model alone."""
    from llama_index_medqa.components import start_answer

    sent.clear()
    start, cpu = time.perf_counter(), _cpu_of(os.getpid())
    pieces = iter(start_answer(engine, question).response_gen)
    next(pieces, "")
    first = time.perf_counter() - start
    for _ in pieces:
        pass
    asked = time.perf_counter() - start, _cpu_of(os.getpid()) - cpu
    assert sent, "the model was asked nothing"
    start, cpu = time.perf_counter(), _cpu_of(os.getpid())
    for body in sent:
        bare = {**body["json"], "cache_prompt": False}
        httpx.post(body["url"], json=bare, timeout=SECONDS, trust_env=False).raise_for_status().read()
    alone = time.perf_counter() - start, _cpu_of(os.getpid()) - cpu
    return {
        "requests": len(sent),
        "answer": _rounded({"seconds": asked[0], "cpu_seconds": asked[1], "seconds_to_first_sentence": first}),
        "bare": _rounded({"seconds": alone[0], "cpu_seconds": alone[1]}),
        "overhead_seconds": round(asked[0] / alone[0] - 1, 3),
        "overhead_cpu": round(asked[1] / alone[1] - 1, 3),
    }


def _keep(request: httpx.Request, sent: list[dict[str, Any]]) -> None:
    sent.append({"url": str(request.url), "json": json.loads(request.content)})


def main() -> None:
    """Measure and write the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", action="store_true", help="with the embedded model too")
    arguments.add_argument("--runs", type=int, default=3, help="of what is repeated, 3 at most")
    given = arguments.parse_args()
    made_with = provenance([], ["chromadb", "llama-index-core", "onnxruntime", "xllamacpp"])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = str(Path(temporary, "index"))
        build(folder)
        results = {
            **made_with,
            "busy_machine": {"processors": os.cpu_count(), "load_average_at_the_start": os.getloadavg()},
            "quotes": quotes(folder, given.runs),
        }
        medians = {name: median(run["cpu_seconds"] for run in runs) for name, runs in results["quotes"].items()}
        results["median_cpu_seconds_without_a_model"] = medians
        print(medians, write_results("cold_and_warm", results), flush=True)
        if given.model:
            results["with_model"] = with_model(folder, given.runs)
            print(results["with_model"], write_results("cold_and_warm", results))


if __name__ == "__main__":
    main()
