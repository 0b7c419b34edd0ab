"""Evaluating a system from Python: ask it, score it, keep the results."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llama_index.core.async_utils import asyncio_run
from llama_index.core.base.base_query_engine import BaseQueryEngine

from llama_index_medqa.evaluation.cases import EvaluationCase, as_cases
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.measures.catalogue import measures_for
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.results import Results, write_results
from llama_index_medqa.evaluation.runs.journal import AnswerJournal
from llama_index_medqa.evaluation.runs.runner import Progress, Reply, collect
from llama_index_medqa.evaluation.runs.scoring import score_all
from llama_index_medqa.evaluation.runs.systems import QueryEngineSystem, System

Cases = str | Path | Iterable[EvaluationCase | Mapping[str, Any]]


def evaluate(
    engine: BaseQueryEngine | System,
    cases: Cases,
    *,
    measures: Iterable[str | Measure] = (),
    judge: Judge | None = None,
    name: str = "",
    output: str | Path | None = None,
    journal: str | Path | None = None,
    concurrency: int = 4,
    timeout: float = 600.0,
) -> Results:
    """Ask a system the questions of cases and score its answers.

    ``print(results)`` shows a line for each measure. What fails on a case is counted, and does not end the run.

    Args:
        engine: any LlamaIndex query engine, whatever it is made of; or a :class:`System`.
        cases: a file of cases, or cases and rows with the fields of such a file; see :func:`as_cases`. Nothing but
            ``id`` and ``question`` is needed.
        measures: names as ``medqa evaluate`` takes them, or measures of one's own; none takes all that fit the cases.
        judge: decides what is supported; None takes the packaged verifier.
        name: of the system in the results, and in the journal; empty takes the engine's class.
        output: file of results to write, as ``medqa gate`` reads them.
        journal: file that keeps answers as they come; answers that it has under the same name and question are not
            asked for again. So give another name, or file, when what answers has changed. None keeps nothing.
        concurrency: most questions under way at once.
        timeout: seconds after which a question has failed.

    Raises:
        InputError: a case, or the name of a measure, is not usable.
    """
    options: dict[str, Any] = {"measures": measures, "judge": judge, "name": name, "output": output}
    options |= {"journal": journal, "concurrency": concurrency, "timeout": timeout}
    results: Results = asyncio_run(aevaluate(engine, cases, **options))
    return results


async def aevaluate(
    engine: BaseQueryEngine | System,
    cases: Cases,
    *,
    measures: Iterable[str | Measure] = (),
    judge: Judge | None = None,
    name: str = "",
    output: str | Path | None = None,
    journal: str | Path | None = None,
    concurrency: int = 4,
    timeout: float = 600.0,
) -> Results:
    """Evaluate a system in a running event loop, as :func:`evaluate`."""
    loaded, system = as_cases(cases), as_system(engine, name)
    chosen = measures_for(loaded, measures, judge=judge)
    clock = RunClock(concurrency)
    replies = await ask_all(loaded, system, journal, concurrency=concurrency, timeout=timeout)
    results = await score_all(
        loaded, replies, chosen, system=dict(system.identity), run=lambda: clock.run_block(replies)
    )
    if output is not None:
        write_results(output, results)
    return results


def as_system(engine: BaseQueryEngine | System, name: str = "") -> System:
    """Return an engine as a system, known by a name or else by its class."""
    if not isinstance(engine, BaseQueryEngine):
        return engine
    kind = type(engine)
    return QueryEngineSystem(engine, {"engine": name or f"{kind.__module__}.{kind.__qualname__}"})


async def ask_all(
    cases: Sequence[EvaluationCase],
    system: System,
    journal: str | Path | None = None,
    *,
    concurrency: int = 4,
    timeout: float = 600.0,
    progress: Callable[[Progress], None] | None = None,
) -> list[Reply]:
    """Ask a system what a file of answers does not hold yet; see :func:`collect`.

    Args:
        cases: the cases.
        system: the system.
        journal: the file; None keeps the answers in memory alone.
        concurrency: most questions under way at once.
        timeout: seconds after which a question has failed.
        progress: called after every question.
    """
    with AnswerJournal.open(journal) if journal is not None else nullcontext(AnswerJournal({})) as kept:
        return await collect(cases, system, kept, concurrency=concurrency, timeout=timeout, progress=progress)


class RunClock:
    """The start of a run, from which its ``run`` block is made.

    Args:
        concurrency: most questions under way at once.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._started, self._clock = datetime.now(UTC), time.perf_counter()

    def run_block(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Return times, versions and whatever else another run would not repeat."""
        return {
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._clock, 1),
            "questions_asked": sum(not reply.was_kept for reply in replies),
            "answers_of_earlier_runs": sum(reply.was_kept for reply in replies),
            "concurrency": self._concurrency,
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "commit": os.environ.get("GITHUB_SHA"),
            "versions": {package: version(package) for package in ("llama-index-medqa", "llama-index-core")},
            "python": platform.python_version(),
        }
