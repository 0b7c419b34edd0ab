"""Answers a file of questions, skipping those that are answered."""

import csv
import io
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index_medqa._common.jsonl import read_objects
from llama_index_medqa.cli.options import EXIT_INCOMPLETE, print_json
from llama_index_medqa.errors import InputError, MedQAError, UsageError

if TYPE_CHECKING:
    from llama_index_medqa.answering.query_engine import MedQAQueryEngine
    from llama_index_medqa.cli.asking import AnsweredWith
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.cli.question_list.answer_file import AnswerFile
    from llama_index_medqa.retrieval.paper_filter import PaperFilter

_QUESTION_FORMATS = (".csv", ".jsonl", ".txt")
# When so many fail one after the other, it is not the questions that fail.
_MOST_FAILURES = 3


def answer_list(
    terminal: "Terminal",
    chosen: "AnsweredWith",
    papers: "PaperFilter",
    source: Path,
    output: Path,
    *,
    as_json: bool,
) -> None:
    """Answer the questions of a file into another, and print the counts.

    Args:
        terminal: shows progress and counts.
        chosen: what to answer with.
        papers: which papers may answer.
        source: the questions.
        output: the answers.
        as_json: whether to print the counts as JSON.

    Raises:
        InputError: a file cannot be used.
    """
    from llama_index_medqa.cli.asking import opened
    from llama_index_medqa.cli.question_list.answer_file import AnswerFile

    questions = read_questions(source)
    _require_other_file(source, output)
    settings = chosen.fingerprint(papers)
    counts = Counts()
    with AnswerFile.open(output, settings) as file:
        left = file.unanswered(questions)
        counts.were_there = len(questions) - len(left)
        if left:
            with terminal.working("Starting", in_pipes=False):
                chosen.require()
            with opened(terminal, chosen) as answering:
                _answer(terminal, answering.engine, left, papers, file, counts)
    _print_summary(terminal, counts, output, as_json=as_json)
    if counts.failed:
        sys.exit(EXIT_INCOMPLETE)


@dataclass
class Counts:
    """The counts of a list's outcomes.

    Attributes:
        outcomes: questions by outcome, of this run.
        were_there: those that were answered before.
        failed: messages of those that failed, by question.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    were_there: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def read_questions(path: Path) -> list[str]:
    """Return the questions of a file, in order.

    Args:
        path: ``.txt``: a question a line; ``.jsonl``: objects with ``question``; ``.csv``: a column ``question``.
            Blank lines are passed over.

    Raises:
        UsageError: the name ends in something else.
        InputError: the file cannot be read, holds no question, or a line has none; the message names it.
    """
    kind = path.suffix.lower()
    if kind not in _QUESTION_FORMATS:
        raise UsageError(f"--questions cannot be {path}: give a file that ends in {', '.join(_QUESTION_FORMATS)}.")
    if kind == ".jsonl":
        found = [_question(row.get("question"), f"{path}, line {number}") for number, row in read_objects(path)]
    else:
        text = _text_of(path)
        lines = text.splitlines() if kind == ".txt" else list(_csv_questions(path, text))
        found = [" ".join(line.split()) for line in lines if line.strip()]
    if not found:
        raise InputError(f"{path} holds no question: write one a line, or in a column or field named question.")
    return found


def _require_other_file(source: Path, output: Path) -> None:
    from llama_index_medqa.cli.question_list.answer_file import ANSWER_FORMATS

    if output.suffix.lower() not in ANSWER_FORMATS:
        raise UsageError(f"--output cannot be {output}: give a name that ends in {' or '.join(ANSWER_FORMATS)}.")
    if output.exists() and source.resolve() == output.resolve():
        raise UsageError("--questions and --output are the same file: give the answers a file of their own.")


def _question(value: Any, line: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f'{line}: must have a text as "question". Correct or remove the line.')
    return " ".join(value.split())


def _csv_questions(path: Path, text: str) -> Iterator[str]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        column = next((name for name in rows.fieldnames or () if name.strip().lower() == "question"), None)
        if column is None:
            raise InputError(f"{path}: its first line must name the columns, one of them question.")
        for row in rows:
            yield row[column] or ""
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: not CSV ({error}). Correct or remove the line.") from error


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}. Give a file that exists and that you may read.") from error


def _answer(
    terminal: "Terminal",
    engine: "MedQAQueryEngine",
    questions: Sequence[str],
    papers: "PaperFilter",
    file: "AnswerFile",
    counts: Counts,
) -> None:
    from llama_index_medqa.cli.question_list.answer_file import answer_row
    from llama_index_medqa.components import start_answer

    failures_in_a_row = 0
    with terminal.chunk_progress("Answering") as progress:
        for done, question in enumerate(questions, start=1):
            start = time.perf_counter()
            try:
                response = start_answer(engine, question, papers).get_response()
            except MedQAError as error:
                counts.failed[question] = str(error)
                failures_in_a_row += 1
                if failures_in_a_row == _MOST_FAILURES:
                    raise
            else:
                failures_in_a_row = 0
                counts.outcomes[response.outcome] += 1
                file.add(answer_row(question, response, time.perf_counter() - start))
            progress(done, len(questions))


def _print_summary(terminal: "Terminal", counts: Counts, output: Path, *, as_json: bool) -> None:
    if as_json:
        summary = {"output": str(output), **counts.outcomes, "were_there": counts.were_there, "failed": counts.failed}
        print_json(summary)
        return
    names = {"answer": "answered", "findings": "with findings only", "nothing_found": "with nothing found"}
    parts = [f"{counts.outcomes[outcome]} {name}" for outcome, name in names.items()]
    terminal.line(f"{output}: {', '.join(parts)}; {counts.were_there} were there already.")
    for question, message in counts.failed.items():
        terminal.line(f"Failed, and asked again by the same command: {question} ({message})", "red")
