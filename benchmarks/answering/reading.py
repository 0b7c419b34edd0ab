"""Answers read by people: a reading sheet, marks, and their table.

    python -m benchmarks.answering.answer_quality --work FOLDER --split final --sheet FILE.md
    python -m benchmarks.answering.reading --marks FILE.marks.jsonl [--write NAME]

The first writes FILE.md, with the question, the right answer and all that was shown, each sentence with its spans, and
FILE.marks.jsonl with a line for each question, in which the reader replaces every null:

- ``answer`` (where there is one): ``right``, ``partly`` or ``wrong``, against the right answer;
- ``sentences``, one for each shown sentence: ``right`` or ``wrong``; a sentence is wrong that its paper does not say,
  or that misleads about the question;
- ``spans``, one for each span: ``supports`` or ``not``: whether, with its title, it says what its sentence says;
- ``findings`` (where those were shown): ``yes`` or ``no``: whether they hold the right answer.

The marks hold ids and no texts, so that they can be committed. They are bound to what was shown by a hash: when the
sheet is written again, marks of what did not change are kept. The second command makes the table, with exact 95 %
intervals (Clopper and Pearson 1934); ``--write`` puts it into ``results/NAME.json`` and ``.md``.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from benchmarks.answering.answer_tables import table
from benchmarks.answering.gold_answers import GoldAnswer
from benchmarks.answering.question_scores import exact_items
from benchmarks.common.provenance import RESULTS, provenance, write_results

Row = Mapping[str, Any]
Marks = dict[str, Any]

_ALLOWED = {
    "answer": ("right", "partly", "wrong"),
    "sentences": ("right", "wrong"),
    "spans": ("supports", "not"),
    "findings": ("yes", "no"),
}


def write_sheet(file: Path, rows: Sequence[Row], gold: Mapping[str, Mapping[str, GoldAnswer]], most: int) -> None:
    """Write a reading sheet and its marks.

    Args:
        file: the sheet; the marks lie beside it, and those that are there already are kept where nothing changed.
        rows: answered questions; the answerable ones are read.
        gold: the right answers, by set and case.
        most: questions of each set.
    """
    chosen: list[Row] = []
    for name in gold:
        chosen += [row for row in rows if row["set"] == name and not row["gold_removed"]][:most]
    marks_file = file.with_suffix(".marks.jsonl")
    known = {_key(marks): marks for marks in read_marks(marks_file)} if marks_file.exists() else {}
    sheet, marks = ["# Answers to read", ""], []
    for row in chosen:
        right = gold[row["set"]][row["case"]]
        sheet += as_sheet(row, right)
        new = unmarked(row, right)
        marks.append(known.get(_key(new), new))
    file.write_text("\n".join(sheet) + "\n", encoding="utf-8")
    marks_file.write_text("".join(json.dumps(line) + "\n" for line in marks), encoding="utf-8")


def unmarked(row: Row, right: GoldAnswer) -> Marks:
    """Return the line of a question that nobody read yet."""
    response = row["response"]
    is_answer = response["outcome"] == "answer"
    sentences = response["sentences"] if is_answer else []
    marks: Marks = {
        "set": row["set"],
        "case": row["case"],
        "kind": right.kind,
        "outcome": response["outcome"],
        "shown": shown_hash(response),
        "answer": None,
        "sentences": [None] * len(sentences),
        "spans": [[None] * len(sentence["citations"]) for sentence in sentences],
        "findings": None,
    }
    unused = ("findings",) if is_answer else ("answer", "sentences", "spans")
    for name in (*unused, *(("findings",) if response["outcome"] == "nothing_found" else ())):
        marks.pop(name, None)
    return marks


def shown_hash(response: Mapping[str, Any]) -> str:
    """Return a hash of the sentences, spans and findings that a reader sees."""
    sentences = [[item["text"], [_span(citation) for citation in item["citations"]]] for item in response["sentences"]]
    shown = [sentences, [_span(finding) for finding in response["findings"]]]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:12]


def as_sheet(row: Row, right: GoldAnswer) -> list[str]:
    """Return the lines of a question on the sheet."""
    response = row["response"]
    lines = [f"## {row['set']} {row['case']} ({right.kind})", "", f"**{row['question']}**", ""]
    lines += [f"Right: {right.as_text or '-'}", "", *(f"> {text}" for text in right.ideal), ""]
    lines += [f"Shown: **{response['outcome'].replace('_', ' ')}** {response['abstained'] or ''}", ""]
    if items := exact_items(response):
        lines += [f"Exact answer: {'; '.join(items)}", ""]
    for number, sentence in enumerate(response["sentences"], start=1):
        lines.append(f"{number}. {sentence['text']}")
        lines += [f"    - {_quoted(citation)}" for citation in sentence["citations"]]
    lines += [f"- {_quoted(finding)}" for finding in response["findings"]]
    return [*lines, ""]


def read_marks(file: Path) -> list[Marks]:
    """Return the lines of a file of marks."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def unread(marks: Iterable[Marks]) -> list[str]:
    """Return missing and wrong marks, in lines for people."""
    faults = []
    for line in marks:
        for name, allowed in _ALLOWED.items():
            if name in line and any(mark not in allowed for mark in _flat(line[name])):
                faults.append(f"{line['set']} {line['case']}: '{name}' must be of {', '.join(allowed)}: {line[name]}")
    return faults


def reading_table(marks: Sequence[Marks]) -> dict[str, dict[str, float]]:
    """Return the shares of the marks, each with its exact 95 % interval.

    Raises:
        ValueError: something is not marked.
    """
    if faults := unread(marks):
        raise ValueError("Mark these first:\n" + "\n".join(faults))
    answers = [line.get("answer") for line in marks]
    sentences = [mark for line in marks for mark in line.get("sentences", ())]
    spans = [mark for line in marks for mark in _flat(line.get("spans", []))]
    findings = [line["findings"] for line in marks if "findings" in line]
    return {
        "right": _share(answers, "right"),
        "right or partly": _share(answers, "right", "partly"),
        "wrong": _share(answers, "wrong"),
        "no answer": _share(answers, None),
        "shown sentences that are wrong": _share(sentences, "wrong"),
        "spans that do not support their sentence": _share(spans, "not"),
        "findings that hold the answer": _share(findings, "yes"),
    }


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the table of a results file."""
    shares = {**results["sets"]}
    names = list(next(iter(shares.values())))
    rows = [[name, *(_cell(found[name]) for found in shares.values())] for name in names]
    origin = results["provenance"]
    lines = ["# Answers read by hand", "", "Share (exact 95 % interval), number of how many.", ""]
    lines += table(["", *shares], rows)
    lines += ["", f"{origin['date']}, commit {origin['commit'][:10]}: `{origin['command']}`"]
    return "\n".join(lines) + "\n"


def _share(marks: Sequence[str | None], *wanted: str | None) -> dict[str, float]:
    if not marks:
        return {"of": 0}
    count = sum(mark in wanted for mark in marks)
    interval = binomtest(count, len(marks)).proportion_ci(method="exact")
    return {
        "count": count,
        "of": len(marks),
        "share": round(count / len(marks), 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
    }


def _cell(found: Mapping[str, float]) -> str:
    if not found["of"]:
        return "-"
    return f"{found['share']:.3f} ({found['low']:.3f} to {found['high']:.3f}), {found['count']} of {found['of']}"


def _key(marks: Marks) -> tuple[str, str, str]:
    return marks["set"], marks["case"], marks["shown"]


def _span(citation: Mapping[str, Any]) -> list[Any]:
    return [citation["document_id"], citation["start"], citation["end"]]


def _quoted(citation: Mapping[str, Any]) -> str:
    quote = " ".join(citation["quote"].split())
    return f"[{citation['document_id']} {citation['start']}-{citation['end']}] {citation['title']}: “{quote}”"


def _flat(marks: Any) -> list[Any]:
    return [mark for item in marks for mark in _flat(item)] if isinstance(marks, list) else [marks]


def main() -> None:
    """Make the table of a file of marks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--marks", type=Path, required=True)
    parser.add_argument("--write", help="name of the results file")
    options = parser.parse_args()
    marks = read_marks(options.marks)
    if faults := unread(marks):
        sys.exit("Mark these first:\n" + "\n".join(faults))
    names = list(dict.fromkeys(line["set"] for line in marks))
    sets = {name: reading_table([line for line in marks if line["set"] == name]) for name in names}
    results = {"provenance": provenance([options.marks], ["scipy"]), "sets": {**sets, "both": reading_table(marks)}}
    text = as_markdown(results)
    print(text)
    if options.write:
        write_results(options.write, results)
        (RESULTS / f"{options.write}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
