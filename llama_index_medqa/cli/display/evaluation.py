"""Evaluation, judges and gate on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.progress import progress_bars
from llama_index_medqa.evaluation.gate.comparison import GateReport
from llama_index_medqa.evaluation.gate.junit_markdown import describe_judge, describe_judges, interval, number
from llama_index_medqa.evaluation.gate.leaderboard import Leaderboard
from llama_index_medqa.evaluation.gate.verdicts import FAILING
from llama_index_medqa.evaluation.judges.calibration import Quality
from llama_index_medqa.evaluation.results import Results, scored_of_all
from llama_index_medqa.evaluation.statistics.intervals import RepeatedScores

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.runs.runner import Progress as Asked

_STYLES = {
    "pass": "green",
    "fail": "bold red",
    "better": "green",
    "not worse": "green",
    "worse": "bold red",
    "not scored": "bold red",
    "not enough evidence": "yellow",
    "not gated": "dim",
}


def _bar(console: SafeConsole) -> Progress:
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return progress_bars(console, *columns)


@contextmanager
def judging_progress(console: SafeConsole) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of the scored cases."""
    with _bar(console) as bar:
        task = bar.add_task("Scoring", total=None)
        yield lambda done, cases: bar.update(task, total=cases, completed=done)


@contextmanager
def asking_progress(console: SafeConsole) -> Iterator[Callable[[Asked], None]]:
    """Show a bar of the answered questions, with time and tokens."""
    with _bar(console) as bar:
        task = bar.add_task("Asking", total=None)

        def show(asked: Asked) -> None:
            tokens = f", {asked.tokens} tokens" if asked.tokens else ""
            failed = f", {asked.failed} failed" if asked.failed else ""
            bar.update(task, total=asked.questions, completed=asked.done, description=f"Asking{tokens}{failed}")

        yield show


def print_results(results: Results, console: Console) -> None:
    """Print a row for each measure: mean, interval, cases without a score."""
    table = Table("measure", "mean", "95 % interval", "cases", "without a score")
    for info in results.measures:
        summary = results.summary(info.name)
        estimate = summary.estimate
        missing = ", ".join(f"{count} {reason}" for reason, count in summary.missing.items())
        table.add_row(
            Text(info.name),
            number(estimate.mean) if estimate else "–",
            f"{number(estimate.low)} to {number(estimate.high)}" if estimate else "–",
            scored_of_all(estimate.cases if estimate else 0, summary.all_cases),
            Text(missing),
        )
    for name, estimate in results.figures.items():
        shown = f"{number(estimate.low)} to {number(estimate.high)}"
        table.add_row(Text(name), number(estimate.mean), shown, str(estimate.cases), Text(""))
    console.print(table)
    for info in results.measures:
        judging = results.summary(info.name).judging
        if judging:
            console.print(Text(f"{info.name}: {_scatter(judging)}"), soft_wrap=True)
    _print_judges(map(describe_judge, results.measures), console)


def _print_judges(lines: Iterable[str], console: Console) -> None:
    for line in filter(None, lines):
        console.print(Text(f"{line}."), soft_wrap=True)


def _scatter(judging: RepeatedScores) -> str:
    """Return how much repeated judging moves a mean."""
    within, between = (number(variance**0.5) for variance in (judging.within, judging.between))
    return (
        f"from one judging to the next a case's score scatters by {within} (standard deviation), from case to case by "
        f"{between}; judging brings {judging.from_judging:.0%} of the mean's variance"
    )


def print_judge_quality(found: Mapping[str, Mapping[str, Quality]], console: Console) -> None:
    """Print a row for each set and score, the judge first.

    Then the scores that the judge has to beat.
    """
    headings = ("AUROC", "supported against refuted", "balanced accuracy", "calibration error")
    table = Table("set", "score", *headings, "pairs", "without a score")
    for name, rows in found.items():
        for row, one in rows.items():
            figures = (one.auroc, one.supported_against_refuted, one.balanced_accuracy, one.calibration_error)
            table.add_row(
                Text(name),
                Text(row),
                *("–" if value is None else "{:.3f} ({:.3f} to {:.3f})".format(*value) for value in figures),
                str(sum(one.pairs.values())),
                Text(", ".join(f"{count} {reason}" for reason, count in one.unscored.items())),
            )
    console.print(table)


def print_leaderboard(table: Leaderboard, console: Console) -> None:
    """Print a row for each system, the best first."""
    shown = Table(*table.heads())
    for row in table.cells():
        shown.add_row(*map(Text, row))
    console.print(shown)
    console.print(Text(table.note()), soft_wrap=True)


def print_gate(report: GateReport, console: Console) -> None:
    """Print a row for each measure: its verdict, and below it why."""
    table = Table("measure", "better by", "margin", "would catch", "cases", "verdict")
    for one in report.comparisons:
        table.add_row(
            Text(one.measure.name),
            interval(one.better_by, signed=True),
            "–" if one.margin is None else number(one.margin),
            "–" if one.detectable is None else number(one.detectable),
            scored_of_all(len(one.differences), one.baseline.all_cases),
            Text(one.verdict, style=_STYLES[one.verdict]),
        )
    console.print(table)
    for problem in report.problems:
        console.print(Text(problem, style="bold red"), soft_wrap=True)
    for one in report.comparisons:
        if one.verdict in {"not enough evidence", *FAILING}:
            console.print(Text(f"{one.measure.name}: {one.reason}.", style=_STYLES[one.verdict]), soft_wrap=True)
    _print_judges(map(describe_judges, report.comparisons), console)
    console.print(Text(f"Gate: {report.verdict}", style=_STYLES[report.verdict]))
