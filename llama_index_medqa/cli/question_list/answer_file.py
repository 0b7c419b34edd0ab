"""A file of answers in CSV or JSON lines that grows row by row, and that no kill can spoil."""

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from filelock import FileLock, Timeout

from llama_index_medqa._common.jsonl import not_locked
from llama_index_medqa.errors import InputError
from llama_index_medqa.text.printable import printable

if TYPE_CHECKING:
    from llama_index_medqa.answering.response import MedQAResponse

COLUMNS: Final = (
    "question",
    "outcome",
    "answer",
    "exact_answer",
    "pmids",
    "spans",
    "dropped",
    "seconds",
    "answered_by",
    "settings",
)
ANSWER_FORMATS: Final = (".csv", ".jsonl")
# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = re.compile(r"[=+\-@\t\r]")
_QUOTE_OR_LINE = re.compile(rb'["\n]')
_JSON_START = b'{"question": "'

Row = dict[str, Any]


class AnswerFile:
    """A file of answers that no kill can spoil; use :meth:`open`."""

    def __init__(self, file: BinaryIO, rows: Sequence[Row], *, is_csv: bool, settings: str) -> None:
        self._file = file
        self._is_csv = is_csv
        self._settings = settings
        self._answered = Counter(str(row["question"]) for row in rows)

    @classmethod
    @contextmanager
    def open(cls, path: Path, settings: str) -> Iterator["AnswerFile"]:
        """Open or create the file for this process alone.

        A row that a kill cut in half is removed.

        Args:
            path: ends in ``.csv`` or ``.jsonl``.
            settings: what answers are made with; see ``AnsweredWith.fingerprint``.

        Raises:
            InputError: it is not a file of answers, was made with other settings, or another process writes it.
        """
        is_csv = path.suffix.lower() == ".csv"
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.parent}. Choose another folder.")
        lock = FileLock(path.with_name(f"{path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise not_locked(path, lock) from error
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}. Choose another folder.") from error
        try:
            with path.open("ab+") as file:
                file.seek(0)
                content = file.read()
                whole = content[: _end_of_rows(content, is_csv=is_csv)]
                rows = _rows(content, whole, path, is_csv=is_csv)
                _require_same_settings(rows, settings, path)
                # Only now: a file of something else stays as it is.
                file.truncate(len(whole))
                if is_csv and not whole:
                    _write(file, _csv_line(COLUMNS))
                yield cls(file, rows, is_csv=is_csv, settings=settings)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}. Choose another folder.") from error
        finally:
            lock.release()

    def unanswered(self, questions: Sequence[str]) -> list[str]:
        """Return the unanswered questions; one asked twice has two rows."""
        known = Counter(self._answered)
        left = []
        for question in questions:
            stored = _as_cell(question) if self._is_csv else question
            if known[stored] > 0:
                known[stored] -= 1
            else:
                left.append(question)
        return left

    def add(self, row: Mapping[str, Any]) -> None:
        """Add an answer; on return it is on disk."""
        whole = {**row, "settings": self._settings}
        if self._is_csv:
            cells = {**whole, "pmids": ";".join(whole["pmids"]), "spans": _escaped(_as_json(whole["spans"]))}
            _write(self._file, _csv_line(_as_cell(str(cells[name])) for name in COLUMNS))
        else:
            _write(self._file, f"{_escaped(_as_json(whole))}\n")


def answer_row(question: str, response: "MedQAResponse", seconds: float) -> Row:
    """Return the row of an answer without its settings.

    Args:
        question: as it was asked.
        response: the answer.
        seconds: that it took.
    """
    from llama_index_medqa.rendering.text import exact_answer_text

    cited = response.citations or response.findings
    spans = [
        {"document_id": item.document_id, "start": item.start, "end": item.end, "quote": item.quote} for item in cited
    ]
    return {
        "question": question,
        "outcome": response.outcome,
        "answer": str(response),
        "exact_answer": exact_answer_text(response),
        "pmids": list(dict.fromkeys(item.pmid for item in cited if item.pmid)),
        "spans": spans,
        "dropped": len(response.dropped),
        "seconds": round(seconds, 2),
        "answered_by": response.answered_by,
    }


def _end_of_rows(content: bytes, *, is_csv: bool) -> int:
    """Return where the last whole row ends.

    A line feed between quotation marks ends no row of CSV.
    """
    if not is_csv:
        return content.rfind(b"\n") + 1
    is_quoted, end = False, 0
    for found in _QUOTE_OR_LINE.finditer(content):
        if found.group() == b'"':
            is_quoted = not is_quoted
        elif not is_quoted:
            end = found.end()
    return end


def _rows(content: bytes, whole: bytes, path: Path, *, is_csv: bool) -> list[Row]:
    """Read the rows of a file that was written here, and nothing else."""
    problem = f"{path} is not a file of answers of this version: give another --output, or remove it."
    first = _csv_line(COLUMNS).encode() if is_csv else _JSON_START
    if not (content.startswith(first) or first.startswith(content)):
        raise InputError(problem)
    try:
        text = whole.decode()
        if is_csv:
            rows: list[Row] = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        else:
            rows = [json.loads(line) for line in text.split("\n") if line]
    except (ValueError, csv.Error) as error:
        raise InputError(problem) from error
    if not all(isinstance(row, dict) and set(COLUMNS) <= row.keys() for row in rows):
        raise InputError(problem)
    return rows


def _require_same_settings(rows: Sequence[Row], settings: str, path: Path) -> None:
    if any(row["settings"] != settings for row in rows):
        raise InputError(
            f"{path} holds answers that were made with other settings (index, model, filters, policy): give the same "
            "options again, or another --output."
        )


def _write(file: BinaryIO, text: str) -> None:
    # One write: a kill leaves all of the row, or none, or a part that is cut off on opening.
    file.write(text.encode())
    file.flush()
    os.fsync(file.fileno())


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_cell(text: str) -> str:
    """Return a text as a cell.

    An apostrophe comes before what a spreadsheet would compute.
    """
    return f"'{printable(text)}" if _FORMULA.match(text) else printable(text)


def _escaped(text: str) -> str:
    """Write JSON on one line, with escaped control characters."""
    safe = printable(text)
    if safe == text:
        return text
    pairs = zip(text, safe, strict=True)
    return "".join(char if char == shown else _as_escape(char) for char, shown in pairs)


def _as_escape(char: str) -> str:
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]
