"""Asking a system all questions of a set of cases."""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.runs.journal import AnswerJournal, answer_key
from llama_index_medqa.evaluation.runs.systems import System
from llama_index_medqa.redaction import redacted

# Failures that are told apart from all others when they are counted.
_OUTCOMES = {
    "timeout": re.compile(r"time[ds]?[ _-]?out|deadline exceeded", re.IGNORECASE),
    "no stored answer": re.compile(r"no answer was stored|the file of answers holds none"),
    "rate limit": re.compile(r"rate[ _-]?limit|too many requests", re.IGNORECASE),
    "refused": re.compile(r"content[ _-]?(?:filter|policy)|refus(?:al|ed to answer)", re.IGNORECASE),
}


@dataclass(frozen=True)
class Reply:
    """The answer to one case, or why there is none.

    Attributes:
        answer: the answer; None where the system failed.
        failure: how it failed, such as ``TimeoutError: no answer after 60 s``; empty where it answered.
        was_kept: whether the answer was known from an earlier run.
    """

    answer: Answer | None = None
    failure: str = ""
    was_kept: bool = False

    @property
    def outcome(self) -> str:
        """Return the failure in a word or two; empty if none.

        Equal failures can be counted by it.
        """
        if not self.failure:
            return ""
        return next((name for name, pattern in _OUTCOMES.items() if pattern.search(self.failure)), "system failed")


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: questions that are answered or failed.
        questions: questions in all.
        failed: questions that failed.
        tokens: tokens that models read and wrote, of the answers of this run.
    """

    done: int
    questions: int
    failed: int
    tokens: int


async def collect(
    cases: Sequence[EvaluationCase],
    system: System,
    journal: AnswerJournal,
    *,
    concurrency: int = 4,
    timeout: float = 600.0,
    progress: Callable[[Progress], None] | None = None,
) -> list[Reply]:
    """Return a reply for each case, asking what the journal does not know.

    An answer is in the journal before the next question is asked in its place, so that a run which is killed and
    started again asks only what was under way. Failures are not kept: another run asks again.

    Args:
        cases: the cases.
        system: the system under test.
        journal: answers of earlier runs, and of this one.
        concurrency: most questions under way at once.
        timeout: seconds after which a question has failed.
        progress: called after every question.

    Raises:
        InputError: ``concurrency`` is less than 1.
    """
    if concurrency < 1:
        raise InputError(f"At least one question must be under way: concurrency cannot be {concurrency}.")
    keys = [answer_key(system.identity, case.prompt) for case in cases]
    slots = asyncio.Semaphore(concurrency)
    # Cases with the same question share its answer.
    questions = dict(zip(keys, cases, strict=True))
    replies: dict[str, Reply] = {}

    async def one(key: str, case: EvaluationCase) -> None:
        replies[key] = await _reply(key, case, system, journal, slots, timeout)
        if progress:
            progress(_progress(replies.values(), len(questions)))

    await asyncio.gather(*(one(key, case) for key, case in questions.items()))
    return [replies[key] for key in keys]


async def _reply(
    key: str, case: EvaluationCase, system: System, journal: AnswerJournal, slots: asyncio.Semaphore, timeout: float
) -> Reply:
    """Return the kept answer, or ask in one of the slots and keep what is answered."""
    kept = journal.get(key)
    if kept is not None:
        return Reply(kept, was_kept=True)
    async with slots:
        reply = await _ask(case, system, timeout)
        if reply.answer:
            journal.put(key, case.case_id, reply.answer)
    return reply


def _progress(replies: Collection[Reply], questions: int) -> Progress:
    fresh = [reply.answer.tokens or 0 for reply in replies if reply.answer and not reply.was_kept]
    return Progress(len(replies), questions, sum(not reply.answer for reply in replies), sum(fresh))


async def _ask(case: EvaluationCase, system: System, timeout: float) -> Reply:
    try:
        async with asyncio.timeout(timeout):
            answer = await system.answer(case)
        return Reply(failure=answer.failure) if answer.failure else Reply(answer)
    except TimeoutError:
        return Reply(failure=f"TimeoutError: no answer after {timeout:g} s")
    except Exception as error:  # noqa: BLE001  # code of others under test: whatever it raises is the outcome of this case
        return Reply(failure=redacted(" ".join(f"{type(error).__name__}: {error}".split())))
