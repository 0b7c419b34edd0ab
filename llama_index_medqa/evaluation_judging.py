"""Scoring for ``medqa evaluate``: a judge's model is opened where a measure asks for one, and its cost is told."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index_medqa.errors import InputError
from llama_index_medqa.profiles import Profile

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.cases import EvaluationCase
    from llama_index_medqa.evaluation.model_calls import CallTotals, ModelCalls
    from llama_index_medqa.evaluation.results import Results
    from llama_index_medqa.evaluation.runner import Reply


@dataclass(frozen=True)
class Judging:
    """How a language model judges.

    Attributes:
        profile: whose weights judge where no server is given, and whose embedder compares questions.
        api_base: address of the judge's server.
        model: its name there.
        journal: file of its answers.
        concurrency: most requests under way at once.
        timeout: seconds after which a request has failed.
        settings: ``max_tokens``, ``temperature`` and ``repeats`` of :class:`RagasJudge`.
    """

    profile: Profile
    api_base: str | None
    model: str | None
    journal: Path
    concurrency: int
    timeout: float
    settings: Mapping[str, Any]

    def check(self) -> None:
        """Tells what is missing before hours are spent on answers.

        Raises:
            InputError: repeats would all be the same, there is no model, or ragas cannot be imported.
            MissingExtraError: ragas or llama.cpp is not installed.
            ServerError: the judge's server does not answer, or does not serve the model.
        """
        from llama_index_medqa.assembly import open_judge, require_judge_weights
        from llama_index_medqa.evaluation.judges.ragas import load_ragas
        from llama_index_medqa.weights import require_llama_cpp

        if self.settings["repeats"] > 1 and not self.settings["temperature"]:
            raise InputError("--judge-repeats needs a --judge-temperature above 0: without, every repeat is the same.")
        load_ragas()
        if self.api_base:
            with open_judge(self.profile, api_base=self.api_base, model=self.model):
                pass
        else:
            require_judge_weights(self.profile)
            require_llama_cpp()

    @asynccontextmanager
    async def open(self, terminal: Any) -> AsyncIterator["ModelCalls"]:
        """The judge's model, for the length of the ``async with`` block."""
        from llama_index_medqa.assembly import open_judge
        from llama_index_medqa.evaluation.model_calls import ModelCalls

        limits: dict[str, Any] = {"concurrency": self.concurrency, "timeout": self.timeout}
        place: dict[str, Any] = {"api_base": self.api_base, "model": self.model, "parallel": self.concurrency}
        with ExitStack() as stack:
            with terminal.weights_progress() as progress:
                server = stack.enter_context(open_judge(self.profile, **place, progress=progress))
            async with ModelCalls.open(server, self.journal, **limits) as calls:
                yield calls


async def scored(
    cases: Sequence["EvaluationCase"],
    replies: Sequence["Reply"],
    names: Iterable[str],
    *,
    headings: Iterable[str],
    judging: Judging | None,
    terminal: Any,
    system: Mapping[str, Any],
    adapter: Mapping[str, Any] | None,
    run: Callable[[], dict[str, Any]],
) -> "Results":
    """The results of replies.

    Args:
        cases: the cases.
        replies: one for each.
        names: of the measures.
        headings: see :func:`measures_of`.
        judging: for the measures that ask a language model; None where none does.
        terminal: shows the progress.
        system: see :class:`Results`.
        adapter: see :class:`Results`.
        run: what is told of the run, beside the judge's part of it.
    """
    from llama_index_medqa.assembly import open_embedder
    from llama_index_medqa.evaluation.judges.ragas import RagasJudge
    from llama_index_medqa.evaluation.measures.catalogue import measures_of
    from llama_index_medqa.evaluation.measures.ragas import ragas_name
    from llama_index_medqa.evaluation.results import score_all

    chosen = list(names)
    answered = sum(reply.answer is not None for reply in replies)
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(judging.open(terminal)) if judging else None
        ragas = None
        if judging and calls:
            compares = "AnswerRelevancy(ragas)" in map(ragas_name, chosen)
            embedder = open_embedder(judging.profile) if compares else None
            ragas = RagasJudge(calls, embedder, **judging.settings)
        return await score_all(
            cases,
            replies,
            measures_of(chosen, headings=headings, ragas=ragas),
            system=system,
            adapter=adapter,
            run=lambda: {**run(), **({"judge": cost(calls.totals, answered)} if calls else {})},
            progress=stack.enter_context(terminal.judging_progress()),
        )


def cost(totals: "CallTotals", cases: int) -> dict[str, Any]:
    """What judging cost, as plain data.

    Args:
        totals: all of it.
        cases: cases with an answer.
    """
    used = totals.calls + totals.kept
    return {
        "calls": totals.calls,
        "answers_of_earlier_runs": totals.kept,
        "failures": dict(totals.failures),
        "prompt_tokens": totals.prompt_tokens,
        "answer_tokens": totals.answer_tokens,
        "seconds": round(totals.seconds, 1),
        "a_case": {
            "calls": round(used / cases, 2),
            "tokens": round((totals.prompt_tokens + totals.answer_tokens) / cases, 1),
            "seconds": round(totals.seconds / cases, 2),
        }
        if cases
        else {},
    }


def told_of(costs: Mapping[str, Any]) -> str:
    """What judging cost, in a line for people."""
    each = costs["a_case"]
    shares = f"; a case: {each['calls']} calls, {each['tokens']} tokens, {each['seconds']} s" if each else ""
    failed = ", ".join(f"{count} {reason}" for reason, count in costs["failures"].items())
    return (
        f"Judge: {costs['calls']} calls, {costs['answers_of_earlier_runs']} answers of earlier runs, "
        f"{costs['prompt_tokens']} tokens read and {costs['answer_tokens']} written{shares}"
        f"{f'; failed and to be asked again: {failed}' if failed else ''}"
    )
