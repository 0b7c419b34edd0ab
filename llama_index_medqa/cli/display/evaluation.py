"""What an evaluation and its gate show on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from llama_index_medqa.evaluation.gate.comparison import GateReport
from llama_index_medqa.evaluation.gate.junit_markdown import interval, judge_told, judges_told, number
from llama_index_medqa.evaluation.judges.calibration import Quality
from llama_index_medqa.evaluation.results import Results
from llama_index_medqa.evaluation.statistics.intervals import RepeatedScores

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.runs.runner import Progress as Asked

_STYLES = {"pass": "green", "fail": "bold red", "not enough evidence": "yellow", "not gated": "dim"}


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal and not console.quiet
    return Progress(*columns, console=console, transient=True, disable=not shown)


@contextmanager
def judging_progress(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar of the cases that are scored."""
    with _bar(console) as bar:
        task = bar.add_task("Scoring", total=None)
        yield lambda done, cases: bar.update(task, total=cases, completed=done)


@contextmanager
def asking_progress(console: Console) -> Iterator[Callable[[Asked], None]]:
    """A bar of the questions that are answered, with time and tokens."""
    with _bar(console) as bar:
        task = bar.add_task("Asking", total=None)

        def show(asked: Asked) -> None:
            tokens = f", {asked.tokens} tokens" if asked.tokens else ""
            failed = f", {asked.failed} failed" if asked.failed else ""
            bar.update(task, total=asked.questions, completed=asked.done, description=f"Asking{tokens}{failed}")

        yield show


def print_results(results: Results, console: Console) -> None:
    """A row a measure: its mean with the interval, and what has no score."""
    table = Table("measure", "mean", "95 % interval", "cases", "without a score")
    for info in results.measures:
        summary = results.summary(info.name)
        estimate = summary.estimate
        missing = ", ".join(
            f"{count} {reason}" for reason, count in {**summary.unscored, **summary.not_applicable}.items()
        )
        table.add_row(
            Text(info.name),
            number(estimate.mean) if estimate else "–",
            f"{number(estimate.low)} to {number(estimate.high)}" if estimate else "–",
            str(estimate.cases if estimate else 0),
            Text(missing),
        )
    console.print(table)
    for info in results.measures:
        judging = results.summary(info.name).judging
        if judging:
            console.print(Text(f"{info.name}: {_scatter(judging)}"), soft_wrap=True)
    _print_judges(map(judge_told, results.measures), console)


def _print_judges(lines: Iterable[str], console: Console) -> None:
    for told in filter(None, lines):
        console.print(Text(f"{told}."), soft_wrap=True)


def _scatter(judging: RepeatedScores) -> str:
    """What repeated judging says of a mean."""
    within, between = (number(variance**0.5) for variance in (judging.within, judging.between))
    return (
        f"from one judging to the next a case's score scatters by {within} (standard deviation), from case to case by "
        f"{between}; judging brings {judging.from_judging:.0%} of the mean's variance"
    )


def print_judge_quality(found: Mapping[str, Mapping[str, Quality]], console: Console) -> None:
    """A row a set and a score: the judge first, then what it has to beat."""
    figures = ("AUROC", "supported against refuted", "balanced accuracy", "calibration error")
    table = Table("set", "score", *figures, "pairs", "without a score")
    for name, rows in found.items():
        for row, one in rows.items():
            told = (one.auroc, one.supported_against_refuted, one.balanced_accuracy, one.calibration_error)
            table.add_row(
                Text(name),
                Text(row),
                *("–" if value is None else "{:.3f} ({:.3f} to {:.3f})".format(*value) for value in told),
                str(sum(one.pairs.values())),
                Text(", ".join(f"{count} {reason}" for reason, count in one.unscored.items())),
            )
    console.print(table)


def print_gate(report: GateReport, console: Console) -> None:
    """A row a measure with its verdict, and below it why."""
    table = Table("measure", "better by", "margin", "would catch", "cases", "verdict")
    for one in report.comparisons:
        table.add_row(
            Text(one.measure.name),
            interval(one.better_by, signed=True),
            "–" if one.margin is None else number(one.margin),
            "–" if one.detectable is None else number(one.detectable),
            str(len(one.differences)),
            Text(one.verdict, style=_STYLES[one.verdict]),
        )
    console.print(table)
    for problem in report.problems:
        console.print(Text(problem, style="bold red"), soft_wrap=True)
    for one in report.comparisons:
        if one.verdict in ("fail", "not enough evidence"):
            console.print(Text(f"{one.measure.name}: {one.reason}.", style=_STYLES[one.verdict]), soft_wrap=True)
    _print_judges(map(judges_told, report.comparisons), console)
    console.print(Text(f"Gate: {report.verdict}", style=_STYLES[report.verdict]))
