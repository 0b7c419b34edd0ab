"""A journal of answers, so that no question is asked twice."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index_medqa._common.jsonl import LineFile, read_rows
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, answer_from_data, failure_from_data


@dataclass(frozen=True)
class StoredAnswer:
    """A line of a file of answers.

    Attributes:
        case_id: of the case.
        answer: the answer.
        key: see :func:`answer_key`; empty in files of others.
    """

    case_id: str
    answer: Answer
    key: str = ""


def answer_key(identity: Mapping[str, Any], question: str) -> str:
    """Return the key under which an answer is stored.

    It is 32 hexadecimal digits of the system's identity and the question.
    """
    content = json.dumps([identity, question], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def read_answers(path: str | Path) -> Iterator[StoredAnswer]:
    """Read the answers of a file, in order.

    Raises:
        InputError: the file is missing or broken; the message names the line.
    """
    for location, row in read_rows(path):
        yield _stored_answer(row, location)


def _stored_answer(row: Any, location: str) -> StoredAnswer:
    failure = failure_from_data(row) if isinstance(row, dict) else ""
    if not isinstance(row, dict) or "id" not in row or not ("answer" in row or failure):
        raise InputError(f"{location}: must be an object with 'id', and 'answer' or 'failure'.")
    data = row.get("answer")
    try:
        if failure:
            answer = Answer("", failure=failure)
        else:
            answer = answer_from_data(data if isinstance(data, dict) else {"text": data})
    except (InputError, AttributeError, TypeError) as error:
        raise InputError(f"{location}: {error}") from error
    return StoredAnswer(str(row["id"]), answer, str(row.get("key", "")))


class AnswerJournal:
    """A growing file of answers; use :meth:`open`.

    Args:
        known: answers by their keys.
        file: grows with them; None keeps them in memory alone.
    """

    def __init__(self, known: dict[str, Answer], file: LineFile | None = None) -> None:
        self._known = known
        self._file = file

    @classmethod
    @contextmanager
    def open(cls, path: str | Path) -> Iterator["AnswerJournal"]:
        """Open or make the file for this process alone.

        A last line that a crash cut is removed.

        Raises:
            InputError: it is broken elsewhere, or another process writes it.
        """
        with LineFile.open(path) as file:
            yield cls({row.key: row.answer for row in read_answers(path) if not row.answer.failure}, file)

    def get(self, key: str) -> Answer | None:
        """Return the answer under a key, if there is one."""
        return self._known.get(key)

    def put(self, key: str, case_id: str, answer: Answer) -> None:
        """Store an answer and wait until it is on the disk."""
        if self._file is not None:
            self._file.add({"id": case_id, "key": key, "answer": answer.as_data()})
        self._known[key] = answer
