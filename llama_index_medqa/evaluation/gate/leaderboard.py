"""A table of systems by their files of results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llama_index_medqa._common.counts import counted
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.gate.junit_markdown import interval
from llama_index_medqa.evaluation.results import MeasureInfo, Results, Summary


@dataclass(frozen=True)
class Leaderboard:
    """Systems and their measures, the best system by the first measure first.

    Attributes:
        measures: the columns.
        rows: name of each system and its summaries, by measure.
        cases: number of cases of all systems.
    """

    measures: Sequence[MeasureInfo]
    rows: Sequence[tuple[str, Mapping[str, Summary]]]
    cases: int

    def heads(self) -> list[str]:
        """Return the heads of the table."""
        return [
            "system",
            *(f"{one.name}{'' if one.higher_is_better else ' (less is better)'}" for one in self.measures),
        ]

    def cells(self) -> list[list[str]]:
        """Return the rows of the table: mean with its 95 % interval, and how many cases have no score."""
        return [[name, *(_cell(found[one.name]) for one in self.measures)] for name, found in self.rows]

    def as_markdown(self) -> str:
        """Render the table in Markdown."""
        lines = [self.heads(), ["---"] * (len(self.measures) + 1), *self.cells()]
        table = "\n".join(f"| {' | '.join(_plain(cell) for cell in line)} |" for line in lines)
        return f"{table}\n\n{self.note()}\n"

    def note(self) -> str:
        """Return what the figures are."""
        cases = counted(self.cases, "case")
        return (
            f"Means over {cases} with 95 % intervals; in brackets, cases without a score though one was due."
            " Intervals that overlap say little of two systems on the same cases: compare them with medqa gate."
        )


def leaderboard(systems: Mapping[str, Results], measures: Sequence[str] = ()) -> Leaderboard:
    """Return the table of systems.

    Args:
        systems: results of the same cases, by the name that the table gives them.
        measures: the columns, of which the first orders the rows; none takes those that all systems have.

    Raises:
        InputError: the results are of different cases, or lack a measure.
    """
    _require_same_cases(systems)
    known = [{info.name: info for info in results.measures} for results in systems.values()]
    names = list(measures) or [name for name in known[0] if all(name in one for one in known)]
    if not names:
        raise InputError("The files share no measure: evaluate all systems by the same ones.")
    for system, found in zip(systems, known, strict=True):
        lacking = [name for name in names if name not in found]
        if lacking:
            raise InputError(f"{system} was not scored by {', '.join(lacking)}: choose among {', '.join(found)}.")
    columns = [known[0][name] for name in names]
    rows = [(name, {one: results.summary(one) for one in names}) for name, results in systems.items()]
    rows.sort(key=lambda row: _order(row[1][names[0]], columns[0]))
    return Leaderboard(columns, rows, len(next(iter(systems.values())).cases))


def _require_same_cases(systems: Mapping[str, Results]) -> None:
    first_name, first = next(iter(systems.items()))
    expected = {case.case_id for case in first.cases}
    for name, results in systems.items():
        different = results.cases_fingerprint and first.cases_fingerprint not in ("", results.cases_fingerprint)
        if different or {case.case_id for case in results.cases} != expected:
            raise InputError(f"{name} and {first_name} are of different cases: evaluate all systems on the same file.")


def _order(summary: Summary, measure: MeasureInfo) -> tuple[bool, float]:
    if summary.estimate is None:
        return True, 0.0
    return False, -summary.estimate.mean if measure.higher_is_better else summary.estimate.mean


def _cell(summary: Summary) -> str:
    unscored = sum(summary.unscored.values())
    return f"{interval(summary.estimate)}{f' [{unscored}]' if unscored else ''}"


def _plain(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
