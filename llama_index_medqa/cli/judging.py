"""Scoring for ``medqa evaluate``: opens a judge if needed, and reports its cost."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index_medqa._common.counts import counted
from llama_index_medqa.errors import UsageError
from llama_index_medqa.profiles import Profile

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.cases import EvaluationCase
    from llama_index_medqa.evaluation.judges import Judge
    from llama_index_medqa.evaluation.judges.model_calls import CallTotals, ModelCalls
    from llama_index_medqa.evaluation.judges.ragas import RagasJudge
    from llama_index_medqa.evaluation.results import Results
    from llama_index_medqa.evaluation.runs.runner import Reply


@dataclass(frozen=True)
class Judging:
    """The settings of a language model as judge.

    Attributes:
        judge: name of what judges sentences, one of ``JUDGES``.
        names: of the chosen measures; none is all but ragas'.
        profile: whose weights judge where no server is given, and whose embedder compares questions.
        api_base: address of the judge's server.
        model: its name there.
        journal: file of its answers.
        concurrency: most requests under way at once.
        timeout: seconds after which a request has failed.
        settings: ``max_tokens``, ``temperature`` and ``repeats`` of :class:`RagasJudge`.
    """

    judge: str
    names: Sequence[str]
    profile: Profile
    api_base: str | None
    model: str | None
    journal: Path
    concurrency: int
    timeout: float
    settings: Mapping[str, Any]

    @property
    def ragas_names(self) -> list[str]:
        """Return the chosen measures of ragas."""
        from llama_index_medqa.evaluation.measures.ragas import ragas_name

        return [name for name in self.names if ragas_name(name)]

    @property
    def judged_names(self) -> list[str]:
        """Return the chosen measures that judge sentences."""
        from llama_index_medqa.evaluation.measures import citation_support, faithfulness

        usual = faithfulness.names_by(self.judge)
        known = [name.lower() for name in (*usual, *citation_support.names_by(self.judge))]
        return [name for name in self.names or usual if name.lower() in known]

    @property
    def asks_model(self) -> bool:
        """Return whether a language model is asked at all.

        Raises:
            UsageError: there is no such judge.
        """
        from llama_index_medqa.evaluation.judges.by_name import asks_model

        judge_asks = asks_model(self.judge)
        return bool(self.ragas_names) or (bool(self.judged_names) and judge_asks)

    def check(self) -> None:
        """Check what judging needs before hours are spent on answers.

        Raises:
            UsageError: repeats would all be the same, there is no model, or ragas cannot be imported.
            MissingExtraError: ragas or llama.cpp is not installed.
            ServerError: the judge's server does not answer, or does not serve the model.
        """
        from llama_index_medqa.evaluation.judges.judge_server import open_judge, require_judge_weights
        from llama_index_medqa.evaluation.judges.ragas import load_ragas
        from llama_index_medqa.serving.llama_cpp_process import require_llama_cpp

        if self.settings["repeats"] > 1 and not self.settings["temperature"]:
            raise UsageError("--judge-repeats needs a --judge-temperature above 0: without, every repeat is the same.")
        if self.ragas_names:
            load_ragas()
        if not self.asks_model:
            return
        if self.api_base:
            with open_judge(self.profile, api_base=self.api_base, model=self.model):
                pass
        else:
            require_judge_weights(self.profile)
            require_llama_cpp()

    @asynccontextmanager
    async def open(self, terminal: Any) -> AsyncIterator["ModelCalls"]:
        """Open the judge's model, for the length of the ``async with`` block."""
        from llama_index_medqa.evaluation.judges.judge_server import open_judge
        from llama_index_medqa.evaluation.judges.model_calls import ModelCalls

        limits: dict[str, Any] = {"concurrency": self.concurrency, "timeout": self.timeout}
        server_options: dict[str, Any] = {"api_base": self.api_base, "model": self.model, "parallel": self.concurrency}
        with ExitStack() as stack:
            with terminal.weights_progress() as progress:
                server = stack.enter_context(open_judge(self.profile, **server_options, progress=progress))
            async with ModelCalls.open(server, self.journal, **limits) as calls:
                yield calls

    @asynccontextmanager
    async def judge_opened(self, terminal: Any) -> AsyncIterator["Judge"]:
        """Open the judge of sentences alone, for the length of the block."""
        from llama_index_medqa.evaluation.judges.by_name import judge_of

        async with AsyncExitStack() as stack:
            calls = await stack.enter_async_context(self.open(terminal)) if self.asks_model else None
            yield judge_of(self.judge, calls)


async def scored(
    cases: Sequence["EvaluationCase"],
    replies: Sequence["Reply"],
    *,
    headings: Iterable[str],
    judging: Judging,
    terminal: Any,
    system: Mapping[str, Any],
    adapter: Mapping[str, Any] | None,
    run: Callable[[], dict[str, Any]],
) -> "Results":
    """Return the results of replies.

    Args:
        cases: the cases.
        replies: one for each.
        headings: see :func:`measures_of`.
        judging: the measures, and how those that need a judge are judged.
        terminal: shows the progress.
        system: see :class:`Results`.
        adapter: see :class:`Results`.
        run: what is told of the run, beside the judge's part of it.
    """
    from llama_index_medqa.evaluation.judges.by_name import judge_of
    from llama_index_medqa.evaluation.measures.catalogue import measures_for
    from llama_index_medqa.evaluation.runs.scoring import score_all

    answered = sum(reply.answer is not None for reply in replies)
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(judging.open(terminal)) if judging.asks_model else None
        judge = judge_of(judging.judge, calls) if judging.judged_names else None
        return await score_all(
            cases,
            replies,
            measures_for(cases, judging.names, headings=headings, judge=judge, ragas=_ragas_judge(judging, calls)),
            system=system,
            adapter=adapter,
            run=lambda: {**run(), **({"judge": cost(calls.totals, answered)} if calls else {})},
            progress=stack.enter_context(terminal.judging_progress()),
        )


def _ragas_judge(judging: Judging, calls: "ModelCalls | None") -> "RagasJudge | None":
    if calls is None or not judging.ragas_names:
        return None
    from llama_index_medqa.components import open_embedder
    from llama_index_medqa.evaluation.judges.ragas import RagasJudge
    from llama_index_medqa.evaluation.measures.ragas import ragas_name

    compares = "AnswerRelevancy(ragas)" in map(ragas_name, judging.ragas_names)
    return RagasJudge(calls, open_embedder(judging.profile) if compares else None, **judging.settings)


def cost(totals: "CallTotals", cases: int) -> dict[str, Any]:
    """Return what judging cost, as plain data.

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


def format_cost(costs: Mapping[str, Any]) -> str:
    """Return what judging cost, in a line for people."""
    each = costs["a_case"]
    shares = f"; a case: {each['calls']} calls, {each['tokens']} tokens, {each['seconds']} s" if each else ""
    failed = ", ".join(f"{count} {reason}" for reason, count in costs["failures"].items())
    kept = counted(costs["answers_of_earlier_runs"], "answer")
    return (
        f"Judge: {counted(costs['calls'], 'call')}, {kept} of earlier runs, "
        f"{counted(costs['prompt_tokens'], 'token')} read and {costs['answer_tokens']} written{shares}"
        f"{f'; failed and to be asked again: {failed}' if failed else ''}"
    )
