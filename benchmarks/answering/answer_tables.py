"""The tables of a results file as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.answering.answer_summary import RESULTS, SECONDS
from llama_index_medqa.evaluation.measures.labels import NO_LABEL

# What the embedded profile is to reach on the final questions: at least, or (the last) at most.
WANTED = {
    "answerable: answer": ">= .75",
    "yes/no: right": ">= .65",
    "yes/no: right, of those answered": ">= .85",
    "factoid: lenient accuracy": ">= .45",
    "list: F1": ">= .35",
    "unanswerable: answer": "<= .07",
}


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the tables of a results file of ``benchmarks.answering.answer_quality``."""
    sets: Mapping[str, Any] = results["sets"]
    origin = results["provenance"]
    sections = {
        f"# Answers: {results['split']} questions, drafted by {results['drafter']}": [
            "Means over questions with 95 % bootstrap intervals, and the number of questions.",
            "",
            *_measures(sets),
        ],
        "## Before and after": _before_and_after(results) if "before" in results else [],
        "## Labels": ["What was said, by the right label:", "", *_labels(sets)],
        "## Failures by stage": [
            "Answerable questions; the first stage at which the right answer was lost.",
            "",
            *_failures(sets),
        ],
        "## Why there was no verified answer": _reasons(sets),
        "## Seconds": ["Of questions for which a draft was asked: median, 90th percentile.", "", *_seconds(sets)],
    }
    lines = [line for heading, body in sections.items() if body for line in (heading, "", *body, "")]
    lines += [f"{origin['date']}, commit {origin['commit'][:10]}, {origin['processor']}: `{origin['command']}`"]
    return "\n".join(lines) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def _measures(sets: Mapping[str, Any]) -> list[str]:
    names = list(dict.fromkeys(name for found in sets.values() for name in found["measures"]))
    rows = [
        [name, WANTED.get(name, ""), *(_with_cases(found["measures"].get(name)) for found in sets.values())]
        for name in sorted(names, key=_order)
    ]
    return table(["", "wanted", *sets], rows)


def _before_and_after(results: Mapping[str, Any]) -> list[str]:
    before, after, changes = results["before"]["measures"], results["sets"]["both"]["measures"], results["changes"]
    rows = [
        [name, _cell(before[name]), _cell(after[name]), _cell(changes.get(name))]
        for name in sorted(after, key=_order)
        if name in before
    ]
    earlier = results["before"]["provenance"]
    return [
        f"Both sets. Before: {earlier['date']}, commit {earlier['commit'][:10]}, `{earlier['command']}`. "
        "A difference is told where both runs scored the very same questions.",
        "",
        *table(["", "before", "after", "difference"], rows),
    ]


def _labels(sets: Mapping[str, Any]) -> list[str]:
    said = ["yes", "no", "maybe", NO_LABEL]
    rows = [
        [name, gold, *(str(counts.get(label, 0)) for label in said)]
        for name, found in sets.items()
        for gold, counts in found["labels"].items()
    ]
    return table(["", "right label", *(f"said {label}" for label in said)], rows)


def _failures(sets: Mapping[str, Any]) -> list[str]:
    rows = [
        [f"{name}, {kind}", *(str(counts[result]) for result in RESULTS)]
        for name, found in sets.items()
        for kind, counts in found["failures"].items()
    ]
    return table(["", *RESULTS], rows)


def _reasons(sets: Mapping[str, Any]) -> list[str]:
    return [
        f"- {name}, {kind}: {', '.join(f'{reason} {count}' for reason, count in reasons.items()) or 'none'}"
        for name, found in sets.items()
        for kind, reasons in found["reasons"].items()
    ]


def _seconds(sets: Mapping[str, Any]) -> list[str]:
    rows = [[name, *(_spent(found["seconds"].get(stage)) for stage in SECONDS)] for name, found in sets.items()]
    return table(["", *SECONDS], rows)


def _order(name: str) -> int:
    """Return the order of the measures.

    Those with a target come first, then the others by subject.
    """
    subjects = ("answerable", "unanswerable", "yes/no", "factoid", "list", "ideal answer")
    subject = name.partition(":")[0]
    return subjects.index(subject) if subject in subjects else len(subjects)


def _cell(value: Mapping[str, float] | None) -> str:
    return f"{value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f})" if value else "-"


def _with_cases(value: Mapping[str, float] | None) -> str:
    return f"{_cell(value)}, {value['cases']}" if value else "-"


def _spent(value: Mapping[str, float] | None) -> str:
    return f"{value['median']:.1f}, {value['90th percentile']:.1f}" if value else "-"
