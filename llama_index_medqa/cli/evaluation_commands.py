"""The commands ``medqa evaluate`` and ``medqa gate``."""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_index_medqa.cli.judging import Judging, format_cost, scored
from llama_index_medqa.cli.options import (
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
    from llama_index_medqa.evaluation.gate.comparison import GateReport
    from llama_index_medqa.evaluation.results import Results
    from llama_index_medqa.evaluation.runs.systems import System
    from llama_index_medqa.verification.verdicts import Strictness

# Some questions have no answer because the system failed; all others are in the results.
EXIT_INCOMPLETE = 3
_CASE_FORMATS = "own, pubmedqa, bioasq or mirage"
_ANY_HEADING = ("Heart",)


def evaluate(
    cases: Annotated[Path, typer.Argument(help="Questions with what is known to be right, as JSON lines.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File of results to write.")],
    cases_format: Annotated[str, typer.Option("--format", help=f"Of the cases: {_CASE_FORMATS}.")] = "own",
    engine: Annotated[
        str | None, typer.Option(help="package.module:function that makes a query engine, in place of a profile's.")
    ] = None,
    answers: Annotated[Path | None, typer.Option(help="File of stored answers, in place of a profile.")] = None,
    measure: Annotated[
        list[str] | None, typer.Option(help="Such as nDCG@10 or Accuracy; may be given again; all by default.")
    ] = None,
    terms: Annotated[
        Path | None, typer.Option(help="MeSH headings for TermPrecision, one a line; by default the index's own.")
    ] = None,
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    llm: LlmOption = None,
    api_base: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None,
    model: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None,
    adapter: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None,
    manifest: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None,
    retrieval: Annotated[str | None, typer.Option(help="As for medqa ask.")] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=MOST_CHUNKS, help="As for medqa ask.")] = None,
    strictness: StrictnessOption = "balanced",
    concurrency: Annotated[int, typer.Option(min=1, help="Most questions under way at once.")] = 4,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which a question has failed.")] = 600.0,
    journal: Annotated[
        Path | None, typer.Option(help="Where answers are kept as they come; by default OUTPUT.answers.jsonl.")
    ] = None,
    judge: Annotated[
        str,
        typer.Option(help="Of Faithfulness and GoldSupport: verifier, offline, log-odds or verdict."),
    ] = "verifier",
    judge_api_base: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server of the model that judges, in place of the profile's.")
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="Name under which it serves the model.")] = None,
    judge_concurrency: Annotated[int, typer.Option(min=1, help="Most requests to it under way at once.")] = 4,
    judge_timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which a request has failed.")] = 600.0,
    judge_max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer of it.")] = 1024,
    judge_repeats: Annotated[int, typer.Option(min=1, help="Times that each case is judged.")] = 1,
    judge_temperature: Annotated[
        float, typer.Option(min=0.0, help="0 takes the likeliest words; repeats need more.")
    ] = 0.0,
    judge_journal: Annotated[
        Path | None, typer.Option(help="Where its answers are kept; by default OUTPUT.judge.jsonl.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask a system the questions of a file and score its answers. Run it again to finish an interrupted run."""
    from llama_index_medqa.evaluation.cases import FORMATS
    from llama_index_medqa.evaluation.measures.catalogue import measures_of
    from llama_index_medqa.evaluation.results import write_results
    from llama_index_medqa.evaluation.runs.evaluating import RunClock, ask_all
    from llama_index_medqa.evaluation.runs.systems import StoredAnswers, load_engine

    if cases_format not in FORMATS:
        raise UsageError(f"--format cannot be {cases_format!r}: choose {_CASE_FORMATS}.")
    if engine and answers:
        raise UsageError("Give either --engine or --answers, or neither for a profile.")
    sureness = chosen_strictness(strictness)
    loaded = FORMATS[cases_format](cases)
    headings = _lines(terms) if terms else []
    changes: dict[str, Any] = {"embedder": embedder, "api_base": api_base, "base_model": model, "adapter": adapter}
    changes |= {"manifest": manifest, "similarity_top_k": top_k, "retrieval": retrieval}
    changes["llm"] = llm or ("server" if api_base else None)
    terminal = terminal_for(as_json)
    judging = Judging(
        judge=judge,
        names=measure or (),
        profile=chosen_profile(profile, embedder=embedder),
        api_base=judge_api_base,
        model=judge_model,
        journal=judge_journal or output.with_name(f"{output.name}.judge.jsonl"),
        concurrency=judge_concurrency,
        timeout=judge_timeout,
        settings={"max_tokens": judge_max_tokens, "repeats": judge_repeats, "temperature": judge_temperature},
    )
    # A wrong name is told before anything is loaded; whether an index has headings is known later.
    apart = {*judging.ragas_names, *judging.judged_names}
    measures_of([name for name in measure or () if name not in apart], headings=headings or _ANY_HEADING)
    judging.check()
    clock = RunClock(concurrency)
    with ExitStack() as stack:
        if engine:
            subject = _Subject(load_engine(engine))
        elif answers:
            subject = _Subject(StoredAnswers(answers))
        else:
            subject = _profile_subject(stack, terminal, chosen_profile(profile, **changes), folder, sureness)
        place = journal or output.with_name(f"{output.name}.answers.jsonl")
        progress = stack.enter_context(terminal.asking_progress())
        limits: dict[str, Any] = {"concurrency": concurrency, "timeout": timeout, "progress": progress}
        replies = asyncio.run(ask_all(loaded, subject.system, place, **limits))
    # What answered is closed by now: where it and the judge are one model, there is no room for both.
    results = asyncio.run(
        scored(
            loaded,
            replies,
            headings=headings or subject.headings,
            judging=judging,
            terminal=terminal,
            system=dict(subject.system.identity),
            adapter=subject.adapter,
            run=lambda: clock.run_block(replies),
        )
    )
    write_results(output, results)
    _tell(terminal, results, output, as_json)
    if any(reply.answer is None for reply in replies) or (results.run.get("judge") or {}).get("failures"):
        sys.exit(EXIT_INCOMPLETE)


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


def _tell(terminal: Any, results: "Results", output: Path, as_json: bool) -> None:
    if as_json:
        data = results.as_data()
        summary = {**data["summary"], **data["run"]["summary"]}
        own_work = {info.name: info.own_work for info in results.measures if info.own_work}
        print_json({"output": str(output), "summary": summary, **({"own_work": own_work} if own_work else {})})
        return
    terminal.show_evaluation(results)
    run = results.run
    asked, kept = run["questions_asked"], run["answers_of_earlier_runs"]
    terminal.line(f"{asked} questions asked, {kept} answers of earlier runs, {run['seconds']} s: {output}")
    if "judge" in run:
        terminal.line(format_cost(run["judge"]), "red" if run["judge"]["failures"] else "")
    failures = [case for case in results.cases if case.failure]
    if failures:
        terminal.line(
            f"The system failed on {len(failures)} cases, such as {failures[0].case_id}: {failures[0].failure}", "red"
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

    allowed = read_margins(margins) if margins else Margins()
    before, after = read_any_results(baseline), read_any_results(candidate)
    report = compare(before, after, allowed)
    _write_reports(report, before, after, junit, markdown, html)
    Terminal().show_gate(report)
    if not report.passed:
        sys.exit(1)


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
        raise InputError(f"{path} cannot be read: {error}.") from error
