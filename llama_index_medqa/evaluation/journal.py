"""Answers on disk, one a line as they come: what was answered once is not asked again, whatever happened since."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, answer_from_data


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
    """What an answer is kept under: 32 hexadecimal digits of the system's identity and the question."""
    content = json.dumps([identity, question], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def read_answers(path: str | Path) -> Iterator[StoredAnswer]:
    """The answers of a file, in order.

    Raises:
        InputError: the file is missing or broken; the message names the line.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield _stored_answer(line, f"{path}, line {number}")


def _stored_answer(line: bytes, place: str) -> StoredAnswer:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{place}: not JSON ({error}).") from error
    if not isinstance(row, dict) or "id" not in row or "answer" not in row:
        raise InputError(f"{place}: must be an object with 'id' and 'answer'.")
    data = row["answer"]
    try:
        answer = answer_from_data({"text": data} if isinstance(data, str) else data)
    except (InputError, AttributeError, TypeError) as error:
        raise InputError(f"{place}: {error}") from error
    return StoredAnswer(str(row["id"]), answer, str(row.get("key", "")))


class AnswerJournal:
    """A file of answers that grows by one line with each; use :meth:`open`."""

    def __init__(self, known: dict[str, Answer], file: BinaryIO) -> None:
        self._known = known
        self._file = file

    @classmethod
    @contextmanager
    def open(cls, path: str | Path) -> Iterator["AnswerJournal"]:
        """Opens or makes the file, for this process alone. A line that a kill cut in half is cut off.

        Raises:
            InputError: it is broken elsewhere, or another process writes it.
        """
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f"{place.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(f"{place} is being written by another run: wait for it, or give another file.") from error
        try:
            with place.open("ab+") as file:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                yield cls({row.key: row.answer for row in read_answers(place)}, file)
        finally:
            lock.release()

    def get(self, key: str) -> Answer | None:
        """The answer that is kept under a key."""
        return self._known.get(key)

    def put(self, key: str, case_id: str, answer: Answer) -> None:
        """Keeps an answer; when this returns, it is on disk."""
        row = {"id": case_id, "key": key, "answer": answer.as_data()}
        # One write: a kill leaves all of the line, or none, or a part that is cut off on opening.
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._known[key] = answer
