"""The file of results: scores of every case, and apart from them the run."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from llama_index_medqa._common.files import write_atomically
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.score import Score, Unit
from llama_index_medqa.evaluation.statistics.intervals import Estimate, RepeatedScores, bootstrap_mean, repeated_scores

FORMAT = "llama-index-medqa evaluation 1"


@dataclass(frozen=True)
class MeasureInfo:
    """What a file says of a measure; see :class:`Measure`.

    Attributes:
        judge_quality: AUROC of its judge against people's labels, by set, each with its interval; None where the judge
            was not measured.
        own_work: says so where its judge stands on the verifier that decided in the system too; else None.
    """

    name: str
    unit: Unit
    higher_is_better: bool
    repeatable: bool
    judge: Mapping[str, Any] | None = None
    judge_quality: Mapping[str, Sequence[float]] | None = None
    own_work: str | None = None


@dataclass(frozen=True)
class CaseResult:
    """The answer and the scores of one case.

    Attributes:
        case_id: of the case.
        question: its question.
        cluster: what intervals are clustered by.
        answer: text, documents, citations and the like, as plain data; None where the system failed.
        failure: how it failed; empty where it did not.
        scores: by the name of the measure.
    """

    case_id: str
    question: str
    cluster: str
    answer: Mapping[str, Any] | None
    failure: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Summary:
    """A measure over all cases.

    Attributes:
        values: the numbers of the cases that have one.
        clusters: of those cases.
        unscored: cases without a number though one was due, by reason.
        not_applicable: cases to which the measure does not apply, by reason.
        repeats: of the cases that were judged several times, the numbers of each.
    """

    values: Sequence[float] = field(repr=False)
    clusters: Sequence[str] = field(repr=False)
    unscored: Mapping[str, int]
    not_applicable: Mapping[str, int]
    repeats: Sequence[Sequence[float]] = field(default=(), repr=False)

    @cached_property
    def estimate(self) -> Estimate | None:
        """Return the mean and its 95 % interval.

        Cases are clustered. None where no case was scored.
        """
        return bootstrap_mean(self.values, groups=self.clusters) if self.values else None

    @property
    def judging(self) -> RepeatedScores | None:
        """Return the variance that repeated judging adds.

        None where fewer than two cases were judged more than once.
        """
        return repeated_scores(self.repeats) if len(self.repeats) > 1 else None

    @property
    def missing(self) -> dict[str, int]:
        """Return the cases without a number, due or not, by reason."""
        return {**self.unscored, **self.not_applicable}

    def __str__(self) -> str:
        """Return mean, interval, number of cases, and what has no score."""
        missing = ", ".join(f"{count} {reason}" for reason, count in self.missing.items())
        if self.estimate is None:
            return f"no score ({missing})"
        return f"{_interval(self.estimate, self.all_cases)}{f'; {missing}' if missing else ''}"

    @property
    def all_cases(self) -> int:
        """Return the number of cases, with or without a score."""
        return len(self.values) + sum(self.missing.values())

    @property
    def unscored_share(self) -> float:
        """Return the share of unscored cases.

        Only cases for which a score was due count.
        """
        unscored = sum(self.unscored.values())
        return unscored / (unscored + len(self.values)) if unscored else 0.0


@dataclass(frozen=True)
class Results:
    """One run of an evaluation.

    Attributes:
        system: identity of the system under test.
        cases_fingerprint: of the cases.
        measures: in the order of the report.
        cases: in the order of the file of cases.
        adapter: how the LoRA adapter was proved: its name, whether it was, and the proof; None where none answers.
        run: times, versions and whatever else another run would not repeat.
        figures: of the whole run, which no mean over cases gives, by name; see ``evaluation.runs.figures``.
    """

    system: Mapping[str, Any]
    cases_fingerprint: str
    measures: Sequence[MeasureInfo]
    cases: Sequence[CaseResult]
    adapter: Mapping[str, Any] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Estimate] = field(default_factory=dict)

    def summary(self, measure: str) -> Summary:
        """Return mean, interval and outcomes of a measure."""
        scores = [(case.scores[measure], case.cluster) for case in self.cases if measure in case.scores]
        scored = [(score.value, cluster) for score, cluster in scores if score.value is not None]
        missing = [score for score, _ in scores if score.value is None]
        return Summary(
            [value for value, _ in scored],
            [cluster for _, cluster in scored],
            dict(Counter(score.reason for score in missing if score.applicable)),
            dict(Counter(score.reason for score in missing if not score.applicable)),
            [score.repeats for score, _ in scores if score.repeats],
        )

    def __str__(self) -> str:
        """Return a line for each measure: mean, interval, cases, and what has no score."""
        lines = [f"{info.name}: {self.summary(info.name)}" for info in self.measures]
        lines += [f"{name}: {_interval(estimate, estimate.cases)}" for name, estimate in self.figures.items()]
        return "\n".join(lines)

    def as_data(self) -> dict[str, Any]:
        """Return the results as JSON values.

        ``run`` comes last and holds all that differs between two runs of one system.
        """
        steady = [info.name for info in self.measures if info.repeatable]
        varying = [info.name for info in self.measures if not info.repeatable]
        figures = {name: estimate._asdict() for name, estimate in self.figures.items()}
        return {
            "format": FORMAT,
            "system": self.system,
            "cases_fingerprint": self.cases_fingerprint,
            "adapter": self.adapter,
            "measures": [_known(asdict(info)) for info in self.measures],
            "summary": {name: _summary_data(self.summary(name)) for name in steady},
            **({"figures": figures} if figures else {}),
            "cases": [
                {
                    "id": case.case_id,
                    "question": case.question,
                    "cluster": case.cluster,
                    "answer": case.answer,
                    "failure": case.failure,
                    "scores": _scores_data(case, steady),
                }
                for case in self.cases
            ],
            "run": {
                **self.run,
                "summary": {name: _summary_data(self.summary(name)) for name in varying},
                "scores": {case.case_id: _scores_data(case, varying) for case in self.cases},
            },
        }


def scored_of_all(scored: int, all_cases: int) -> str:
    """Return how many cases a mean is of: "4", or "1 of 4" where the others have no score."""
    return str(scored) if scored == all_cases else f"{scored} of {all_cases}"


def _interval(estimate: Estimate, all_cases: int) -> str:
    mean, low, high, cases = estimate
    noun = "case" if all_cases == 1 else "cases"
    return f"{mean:.3f} ({low:.3f} to {high:.3f}), {scored_of_all(cases, all_cases)} {noun}"


def _scores_data(case: CaseResult, names: Sequence[str]) -> dict[str, Any]:
    return {name: case.scores[name].as_data() for name in names}


def _summary_data(summary: Summary) -> dict[str, Any]:
    estimate = summary.estimate._asdict() if summary.estimate else None
    data = {"estimate": estimate, "unscored": summary.unscored, "not_applicable": summary.not_applicable}
    if summary.judging:
        # JSON has no nan, which the reliability is where nothing varies.
        shares = {key: None if math.isnan(value) else value for key, value in summary.judging._asdict().items()}
        return {**data, "judging": shares}
    return data


def _known(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def write_results(path: str | Path, results: Results) -> None:
    """Write a file of results, whole or not at all."""
    text = json.dumps(results.as_data(), ensure_ascii=False, indent=1) + "\n"
    with write_atomically(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_results(path: str | Path) -> Results:
    """Read a file that :func:`write_results` wrote.

    Raises:
        InputError: the file is missing, or no file of results.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise InputError(f"its format is {data['format']!r}, not {FORMAT!r}")
        return _from_data(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no file of results ({error!r}): write one with medqa evaluate.") from error


def _from_data(data: Mapping[str, Any]) -> Results:
    infos = [MeasureInfo(**row) for row in data["measures"]]
    unknown = {info.unit for info in infos} - set(get_args(Unit))
    if unknown:
        raise InputError(f"unknown units: {', '.join(sorted(unknown))}")
    varying = data["run"]["scores"]
    cases = [
        CaseResult(
            row["id"],
            row["question"],
            row["cluster"],
            row["answer"],
            row["failure"],
            {name: Score.from_data(value) for name, value in {**row["scores"], **varying[row["id"]]}.items()},
        )
        for row in data["cases"]
    ]
    run = {key: value for key, value in data["run"].items() if key not in ("scores", "summary")}
    figures = {name: Estimate(**one) for name, one in data.get("figures", {}).items()}
    return Results(data["system"], data["cases_fingerprint"], infos, cases, data["adapter"], run, figures)
