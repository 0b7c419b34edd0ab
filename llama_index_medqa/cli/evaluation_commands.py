"""The commands ``medqa evaluate`` and ``medqa gate``."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_index_medqa._common.counts import counted
from llama_index_medqa._common.writable import require_writable
from llama_index_medqa.cli.judging import Judging, format_cost, scored
from llama_index_medqa.cli.option_groups import with_groups
from llama_index_medqa.cli.options import (
    EXIT_FAILED,
    EXIT_INCOMPLETE,
    EmbedderOption,
    IndexOption,
    JsonOption,
    LlmOption,
    ProfileOption,
    QuietOption,
    StrictnessOption,
    VerboseOption,
    chosen_profile,
    chosen_strictness,
    print_json,
    require_index,
    terminal_for,
)
from llama_index_medqa.errors import InputError, UsageError
from llama_index_medqa.profiles import EMBEDDED, MOST_CHUNKS, Profile

if TYPE_CHECKING:
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.evaluation.cases import EvaluationCase
    from llama_index_medqa.evaluation.gate.comparison import GateReport
    from llama_index_medqa.evaluation.results import Results
    from llama_index_medqa.evaluation.runs.evaluating import RunClock
    from llama_index_medqa.evaluation.runs.runner import Reply
    from llama_index_medqa.evaluation.runs.systems import System
    from llama_index_medqa.verification.verdicts import Strictness

_CASE_FORMATS = "own, pubmedqa, bioasq or mirage"
_ANY_HEADING = ("Heart",)


@dataclass(frozen=True)
class CaseOptions:
    """The questions, how they are scored, and where the results go."""

    cases: Annotated[Path, typer.Argument(help="Questions with what is known to be right, as JSON lines.")]
    output: Annotated[Path, typer.Option("--output", "-o", help="File of results to write.")]
    cases_format: Annotated[str, typer.Option("--format", help=f"Of the cases: {_CASE_FORMATS}.")] = "own"
    engine: Annotated[
        str | None, typer.Option(help="package.module:function that makes a query engine, in place of a profile's.")
    ] = None
    answers: Annotated[Path | None, typer.Option(help="File of stored answers, in place of a profile.")] = None
    measure: Annotated[
        list[str] | None, typer.Option(help="Such as nDCG@10 or Accuracy; may be given again; all by default.")
    ] = None
    terms: Annotated[
        Path | None, typer.Option(help="MeSH headings for TermPrecision, one a line; by default the index's own.")
    ] = None

    def load(self) -> "list[EvaluationCase]":
        """Return the cases of the file.

        Raises:
            UsageError: there is no such format, or two systems are asked for.
        """
        from llama_index_medqa.evaluation.cases import FORMATS

        if self.cases_format not in FORMATS:
            raise UsageError(f"--format cannot be {self.cases_format!r}: choose {_CASE_FORMATS}.")
        if self.engine and self.answers:
            raise UsageError("Give either --engine or --answers, or neither for a profile.")
        return FORMATS[self.cases_format](self.cases)

    def file_beside(self, ending: str) -> Path:
        """Return the file beside the results that is named after them."""
        return self.output.with_name(f"{self.output.name}.{ending}.jsonl")


@dataclass(frozen=True)
class SystemOptions:
    """The profile that answers, where neither an engine nor stored answers are given."""

    folder: IndexOption = "medqa_index"
    profile: ProfileOption = EMBEDDED.name
    embedder: EmbedderOption = None
    llm: LlmOption = None
    api_base: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None
    model: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None
    adapter: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None
    manifest: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None
    retrieval: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None
    top_k: Annotated[int | None, typer.Option(min=1, max=MOST_CHUNKS, help="As for medqa ask.")] = None
    strictness: StrictnessOption = "balanced"

    def as_profile(self) -> Profile:
        """Return the profile with these values in place of its own."""
        return chosen_profile(
            self.profile,
            embedder=self.embedder,
            llm=self.llm or None,
            api_base=self.api_base,
            base_model=self.model,
            adapter=self.adapter,
            manifest=self.manifest,
            similarity_top_k=self.top_k,
            retrieval=self.retrieval,
        )


@dataclass(frozen=True)
class RunOptions:
    """How the questions are asked."""

    concurrency: Annotated[int, typer.Option(min=1, help="Most questions under way at once.")] = 4
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which a question has failed.")] = 600.0
    journal: Annotated[
        Path | None, typer.Option(help="Where answers are kept as they come; by default OUTPUT.answers.jsonl.")
    ] = None


@dataclass(frozen=True)
class JudgeOptions:
    """What judges sentences, and the language model that some judges and ragas ask."""

    judge: Annotated[
        str,
        typer.Option(help="Of Faithfulness and GoldSupport: verifier, offline, log-odds or verdict."),
    ] = "verifier"
    judge_api_base: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server of the model that judges, in place of the profile's.")
    ] = None
    judge_model: Annotated[str | None, typer.Option(help="Name under which it serves the model.")] = None
    judge_concurrency: Annotated[int, typer.Option(min=1, help="Most requests to it under way at once.")] = 4
    judge_timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which a request has failed.")] = 600.0
    judge_max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer of it.")] = 1024
    judge_repeats: Annotated[int, typer.Option(min=1, help="Times that each case is judged.")] = 1
    judge_temperature: Annotated[
        float, typer.Option(min=0.0, help="0 takes the likeliest words; repeats need more.")
    ] = 0.0
    judge_journal: Annotated[
        Path | None, typer.Option(help="Where its answers are kept; by default OUTPUT.judge.jsonl.")
    ] = None

    def as_judging(self, names: Sequence[str], profile: Profile, journal: Path) -> Judging:
        """Return the settings of the judge.

        Args:
            names: of the chosen measures.
            profile: whose weights judge where no server is given.
            journal: file of the judge's answers where none is given.
        """
        return Judging(
            judge=self.judge,
            names=names,
            profile=profile,
            api_base=self.judge_api_base,
            model=self.judge_model,
            journal=self.judge_journal or journal,
            concurrency=self.judge_concurrency,
            timeout=self.judge_timeout,
            settings={
                "max_tokens": self.judge_max_tokens,
                "repeats": self.judge_repeats,
                "temperature": self.judge_temperature,
            },
        )


@with_groups
def evaluate(
    asked: CaseOptions,
    system: SystemOptions,
    run: RunOptions,
    judge: JudgeOptions,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask a system the questions of a file and score its answers. Run it again to finish an interrupted run."""
    from llama_index_medqa.evaluation.results import write_results

    require_writable(asked.output, run.journal or asked.file_beside("answers"), judge.judge_journal)
    cases = asked.load()
    strictness = chosen_strictness(system.strictness)
    headings = _lines(asked.terms) if asked.terms else []
    terminal = terminal_for(as_json)
    names = asked.measure or ()
    judge_profile = chosen_profile(system.profile, embedder=system.embedder)
    judging = judge.as_judging(names, judge_profile, asked.file_beside("judge"))
    _check_measures(judging, headings)
    subject, replies, clock = _ask(asked, system, run, terminal, cases, strictness)
    # What answered is closed by now: where it and the judge are one model, there is no room for both.
    results = asyncio.run(
        scored(
            cases,
            replies,
            headings=headings or subject.headings,
            judging=judging,
            terminal=terminal,
            system=dict(subject.system.identity),
            adapter=subject.adapter,
            run=lambda: clock.run_block(replies),
        )
    )
    write_results(asked.output, results)
    _print_results(terminal, results, asked.output, as_json)
    # Some questions have no answer because the system failed; all others are in the results.
    if any(reply.answer is None for reply in replies) or (results.run.get("judge") or {}).get("failures"):
        sys.exit(EXIT_INCOMPLETE)


def _check_measures(judging: Judging, headings: Sequence[str]) -> None:
    """Check the names of the measures, and what judging needs, before anything is loaded.

    Whether an index has headings is known later.
    """
    from llama_index_medqa.evaluation.measures.catalogue import measures_of

    apart = {*judging.ragas_names, *judging.judged_names}
    measures_of([name for name in judging.names if name not in apart], headings=headings or _ANY_HEADING)
    judging.check()


def _ask(
    asked: CaseOptions,
    system: SystemOptions,
    run: RunOptions,
    terminal: "Terminal",
    cases: "Sequence[EvaluationCase]",
    strictness: "Strictness",
) -> "tuple[_Subject, list[Reply], RunClock]":
    """Return what was asked, its replies and the clock that measured them."""
    from llama_index_medqa.evaluation.runs.evaluating import RunClock, ask_all
    from llama_index_medqa.evaluation.runs.systems import StoredAnswers, load_engine

    clock = RunClock(run.concurrency)
    with ExitStack() as stack:
        if asked.engine:
            subject = _Subject(load_engine(asked.engine))
        elif asked.answers:
            subject = _Subject(StoredAnswers(asked.answers))
        else:
            subject = _profile_subject(stack, terminal, system.as_profile(), system.folder, strictness)
        journal = run.journal or asked.file_beside("answers")
        progress = stack.enter_context(terminal.asking_progress())
        limits: dict[str, Any] = {"concurrency": run.concurrency, "timeout": run.timeout, "progress": progress}
        replies = asyncio.run(ask_all(cases, subject.system, journal, **limits))
    return subject, replies, clock


@dataclass(frozen=True)
class _Subject:
    system: "System"
    headings: Iterable[str] = ()
    adapter: dict[str, Any] | None = None


def _profile_subject(
    stack: ExitStack, terminal: Any, profile: Profile, folder: str, strictness: "Strictness"
) -> _Subject:
    from llama_index_medqa.components import (
        follow_index,
        open_drafter,
        open_embedder,
        open_engine,
        open_index,
        require_server,
    )
    from llama_index_medqa.evaluation.runs.systems import QueryEngineSystem, content_of, profile_identity
    from llama_index_medqa.llms.served_adapter import ServedAdapter
    from llama_index_medqa.verification.verifier import ClaimVerifier

    require_index(folder)
    require_server(profile)
    profile = follow_index(profile, folder)
    with terminal.weights_progress() as progress:
        index = open_index(profile, folder, open_embedder(profile, progress))
        drafter = stack.enter_context(open_drafter(profile, progress=progress))
    adapter = None
    if isinstance(drafter, ServedAdapter) and drafter.adapter:
        proof = drafter.verify()
        adapter = {"name": drafter.adapter, "verified": not proof.gap, **asdict(proof)}
    content = content_of(index)
    identity = profile_identity(profile, index, content, ClaimVerifier(strictness=strictness).identity)
    engine = open_engine(profile, index, drafter, strictness=strictness)
    return _Subject(QueryEngineSystem(engine, identity), content.headings, adapter)


def _print_results(terminal: Any, results: "Results", output: Path, as_json: bool) -> None:
    if as_json:
        data = results.as_data()
        summary = {**data["summary"], **data["run"]["summary"]}
        own_work = {info.name: info.own_work for info in results.measures if info.own_work}
        print_json({"output": str(output), "summary": summary, **({"own_work": own_work} if own_work else {})})
        return
    terminal.show_evaluation(results)
    run = results.run
    asked = counted(run["questions_asked"], "question")
    kept = counted(run["answers_of_earlier_runs"], "answer")
    terminal.line(f"{asked} asked, {kept} of earlier runs, {run['seconds']} s: {output}")
    if "judge" in run:
        terminal.line(format_cost(run["judge"]), "red" if run["judge"]["failures"] else "")
    failures = [case for case in results.cases if case.failure]
    if failures:
        first = failures[0]
        terminal.line(
            f"The system failed on {counted(len(failures), 'case')}, such as {first.case_id}: {first.failure}", "red"
        )


def gate(
    baseline: Annotated[
        Path, typer.Argument(help="File of results of the system as it was; or of its scores, as JSON lines or CSV.")
    ],
    candidate: Annotated[Path, typer.Argument(help="File of results, or scores, of the system as it would be.")],
    margins: Annotated[
        Path | None, typer.Option(help="TOML file of what may get how much worse; by default each share by 0.05.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML file to write.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Markdown file to append to.")] = None,
    html: Annotated[Path | None, typer.Option(help="HTML report to write, one file that needs nothing else.")] = None,
) -> None:
    """Compare two files of results; exit with 1 when the candidate is worse by more than its margins."""
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.evaluation.gate.comparison import compare
    from llama_index_medqa.evaluation.gate.margins import Margins, read_margins
    from llama_index_medqa.evaluation.gate.score_file import read_any_results

    require_writable(junit, markdown, html)
    allowed = read_margins(margins) if margins else Margins()
    before, after = read_any_results(baseline), read_any_results(candidate)
    report = compare(before, after, allowed)
    _write_reports(report, before, after, junit, markdown, html)
    Terminal().show_gate(report)
    if not report.passed:
        sys.exit(EXIT_FAILED)


def leaderboard(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files of results, or scores, of systems on the same cases.")
    ],
    measure: Annotated[
        list[str] | None, typer.Option(help="A column; may be given again, the first orders the rows. All by default.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
) -> None:
    """Show systems side by side, with intervals. A system is called by the name of its file."""
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.evaluation.gate.leaderboard import leaderboard as table_of
    from llama_index_medqa.evaluation.gate.score_file import read_any_results

    require_writable(markdown)
    names = [path.stem for path in files]
    if len(set(names)) != len(names):
        names = [str(path) for path in files]
    if len(set(names)) != len(names):
        raise UsageError("A file is given twice: each system needs a file of its own.")
    table = table_of({name: read_any_results(path) for name, path in zip(names, files, strict=True)}, measure or ())
    if markdown:
        markdown.write_text(table.as_markdown(), encoding="utf-8")
    Terminal().show_leaderboard(table)


def _write_reports(
    report: "GateReport",
    baseline: "Results",
    candidate: "Results",
    junit: Path | None,
    markdown: Path | None,
    html: Path | None,
) -> None:
    from llama_index_medqa.evaluation.gate.html_report import as_html
    from llama_index_medqa.evaluation.gate.junit_markdown import as_junit, as_markdown

    if junit:
        junit.write_text(as_junit(report), encoding="utf-8")
    if markdown:
        with markdown.open("a", encoding="utf-8") as file:
            file.write(as_markdown(report))
    if html:
        html.write_text(as_html(report, baseline, candidate), encoding="utf-8")


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}. Give a file that exists and that you may read.") from error
