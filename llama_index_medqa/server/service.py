"""Serves many requests from one warm index, drafter and verifier."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import astuple, replace
from datetime import date
from typing import Any, TypeVar

import anyio
from llama_index.core.base.llms.types import ChatMessage

from llama_index_medqa.answering.chat_engine import FollowUp
from llama_index_medqa.answering.query_engine import MedQAQueryEngine
from llama_index_medqa.answering.response import MedQAAsyncStreamingResponse, MedQAResponse
from llama_index_medqa.errors import InputError
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.info import IndexInfo
from llama_index_medqa.profiles import RetrievalMode
from llama_index_medqa.prompts import template_hash
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.retrieval.paper_filter import PaperFilter
from llama_index_medqa.server.records import RecordSource
from llama_index_medqa.server.results import (
    EVERY_PAPER,
    AnswerEvent,
    AnswerTimeoutError,
    Finished,
    FoundRecord,
    IndexStatus,
    LimitExceededError,
    RecordNotFoundError,
    ServiceBusyError,
    ServiceLimits,
    StoredRecord,
    Text,
    Waiting,
)
from llama_index_medqa.server.scheduling.drafting_thread import DraftingThread
from llama_index_medqa.server.scheduling.waiting_line import Turn, WaitingLine
from llama_index_medqa.verification.verdicts import AnswerSentence
from llama_index_medqa.verification.verifier import Verifier

__all__ = [
    "AnswerEvent",
    "AnswerService",
    "AnswerTimeoutError",
    "Finished",
    "FoundRecord",
    "IndexStatus",
    "LimitExceededError",
    "RecordNotFoundError",
    "ServiceBusyError",
    "ServiceLimits",
    "StoredRecord",
    "Text",
    "Waiting",
]

_logger = logger_of(__name__)
_Result = TypeVar("_Result")


class AnswerService:
    """Answers many from one warm index, drafter and verifier.

    Questions wait in a bounded line for the model, first come, first served; searches and verifications in another one.
    An answer is kept and given again to the same question with the same filters, as long as the index stays as it is.
    Whoever leaves (the task is cancelled, or the iterator closed) stops the drafting. All that takes time runs in
    threads, so the event loop stays free. Use it from one event loop at a time.

    Args:
        index: where to search.
        engine: answers questions; streaming or not.
        verifier: verifies the sentences that are given to :meth:`verify`; None takes that of the engine.
        retrieval: how :meth:`search` finds: ``hybrid``, ``dense`` or ``lexical``.
        include_retracted: whether a search finds retracted papers.
        limits: how much one request may take.
    """

    def __init__(
        self,
        index: PubMedIndex,
        engine: MedQAQueryEngine,
        verifier: Verifier | None = None,
        *,
        retrieval: RetrievalMode = "hybrid",
        include_retracted: bool = False,
        limits: ServiceLimits | None = None,
    ) -> None:
        self.limits = limits or ServiceLimits()
        self._index = index
        self._engine = engine.with_streaming(True)
        self._chat = engine.as_chat_engine()
        self._verifier = verifier or engine.verifier
        self._records = RecordSource(index, retrieval, include_retracted=include_retracted)
        self._model_line = WaitingLine(self.limits.answers_at_once, self.limits.most_waiting)
        self._search_line = WaitingLine(self.limits.searches_at_once, self.limits.most_searches_waiting)
        self._drafting = DraftingThread()
        self._answers: OrderedDict[str, MedQAResponse] = OrderedDict()
        self._info: tuple[str, IndexInfo] | None = None
        self._observers: list[Callable[[Finished], None]] = []
        self._is_warm = False

    async def ask(
        self, question: str, papers: PaperFilter = EVERY_PAPER, *, history: Sequence[ChatMessage] = ()
    ) -> MedQAResponse:
        """Answers a question; see :meth:`ask_events`."""
        async with aclosing(self.ask_events(question, papers, history=history)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.response
        raise AssertionError("An answer ends with its response.")

    async def ask_events(
        self, question: str, papers: PaperFilter = EVERY_PAPER, *, history: Sequence[ChatMessage] = ()
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Answers a question piece by piece, each already verified.

        Close the iterator (``contextlib.aclosing``) where you stop reading it: that stops the drafting.

        Args:
            question: what is asked.
            papers: which papers may answer.
            history: the conversation before it, that a follow-up ("and in children?") may lean on.

        Yields:
            :class:`Waiting` where others are before it, and again when one of them has gone; :class:`Text` for every
            piece; :class:`Finished` at the end.

        Raises:
            MedQAError: as :meth:`require_askable`; an :class:`AnswerTimeoutError` where the model took too long.
        """
        self.limits.require_question(question)
        history = self._recent(history)
        key, as_of = await asyncio.to_thread(self._state, question, papers, history)
        kept, finished = self._kept(key), None
        if kept is None:
            async with self._model_line.turn() as turn:
                async for waiting in _until_served(turn):
                    yield waiting
                if (kept := self._kept(key)) is None:  # else the one before has asked the same
                    async with self._model_line.timed(), aclosing(self._drafted(question, papers, history)) as events:
                        async for event in events:
                            if isinstance(event, Finished):
                                finished = Finished(_of_day(event.response, as_of))
                            else:
                                yield event
        if kept is not None:
            yield Text(str(kept))
            finished = Finished(kept, is_cached=True)
        assert finished is not None  # noqa: S101  # a draft ends with it, or with an error
        self._note(key, finished)
        yield finished

    def require_askable(self, question: str) -> None:
        """Refuse a question before its answer is begun.

        As :meth:`ask_events` does at its first step.

        Args:
            question: what is to be asked.

        Raises:
            InputError: the question is empty.
            LimitExceededError: it is too long.
            ServiceBusyError: too many wait already.
        """
        self.limits.require_question(question)
        self._model_line.require_room()

    async def search(self, query: str, papers: PaperFilter = EVERY_PAPER, top_k: int = 10) -> list[FoundRecord]:
        """Return records, the best first, each once.

        Args:
            query: what is searched for, in words.
            papers: which papers may be found.
            top_k: most records.

        Raises:
            InputError: the query is empty, or ``top_k`` out of its range.
            LimitExceededError: the query is too long.
            ServiceBusyError: too many wait already.
        """
        self.limits.require_question(query)
        if not 1 <= top_k <= self.limits.most_found:
            raise InputError(f"top_k must lie between 1 and {self.limits.most_found}, got {top_k}.")
        return await self._searching(lambda: self._records.search(query, papers, top_k))

    async def verify(
        self,
        sentences: Sequence[str],
        *,
        document_ids: Sequence[str] = (),
        texts: Mapping[str, str] | Sequence[str] = (),
        question: str = "",
    ) -> list[AnswerSentence]:
        """Verify sentences against given evidence.

        Sentences are held against the given records and texts; where neither is given, each against what a search for
        it finds. A citation of a text has the text's name as its document id, or ``TEXT:1`` and so on.

        Args:
            sentences: what is claimed, a sentence each.
            document_ids: records of the index, such as ``PMID:123`` or ``123``.
            texts: other texts, by name or in order.
            question: what the sentences answer, where that is known.

        Raises:
            InputError: there is no sentence, or one of them is empty.
            LimitExceededError: there are too many, or too long ones.
            RecordNotFoundError: the index lacks a record.
            ServiceBusyError: too many wait already.
        """
        named = texts if isinstance(texts, Mapping) else {f"TEXT:{n}": text for n, text in enumerate(texts, start=1)}
        self.limits.require_sentences(sentences)
        self.limits.require_texts(document_ids, named)

        def judged() -> list[AnswerSentence]:
            if document_ids or named:
                passages = self._records.passages(document_ids, named)
                return self._verifier.verify(sentences, passages, question)
            return [
                self._verifier.verify([sentence], self._records.found_passages(sentence), question)[0]
                for sentence in sentences
            ]

        return await self._searching(judged)

    async def record(self, document_id: str) -> StoredRecord:
        """Reads a record.

        Args:
            document_id: ``123``, ``PMID:123``, or another id such as ``SHA:…``.

        Raises:
            RecordNotFoundError: the index does not hold it.
        """
        return await asyncio.to_thread(self._records.record, document_id)

    def status(self) -> IndexStatus:
        """Return what is answered from.

        It reads the index: call it in a thread where an event loop runs.

        What is counted is kept until the index changes.
        """
        generation = self._index.store.generation
        if self._info is None or self._info[0] != generation:
            self._info = (generation, self._index.info())
        info = self._info[1]
        return IndexStatus(
            rows=info.chunks,
            records=info.documents,
            statuses=info.statuses,
            years=info.years,
            identity=info.identity,
            as_of=info.as_of,
            generation=generation,
            drafter=self._engine.answered_by,
            verifier=dict(self._verifier.identity),
            waiting=len(self._model_line),
        )

    @property
    def drafter(self) -> str:
        """Return the name of the drafting model, or ``extractive``."""
        return self._engine.answered_by

    def warm_up(self) -> None:
        """Load embedder, search and verifier before the first question."""
        self._verifier.verify(["Water is wet."], self._records.found_passages("water"))
        self._is_warm = True

    @property
    def is_warm(self) -> bool:
        """Return whether :meth:`warm_up` has ended."""
        return self._is_warm

    @property
    def waiting(self) -> int:
        """Return how many questions are answered or wait now."""
        return len(self._model_line)

    def observe(self, told: Callable[[Finished], None]) -> None:
        """Call a function with every answer, such as to count them.

        It must be quick.
        """
        self._observers.append(told)

    def close(self) -> None:
        """Stops what is being drafted, and the thread for it."""
        self._drafting.close()

    async def _drafted(
        self, question: str, papers: PaperFilter, history: Sequence[ChatMessage]
    ) -> AsyncGenerator[AnswerEvent, None]:
        limit = self.limits.most_answer_seconds

        async def draft(give: Callable[[str], None]) -> MedQAResponse:
            async with asyncio.timeout(limit):
                alone = await self._chat.acondensed(history, question)
                response = await self._engine.aquery(FollowUp(alone, papers=papers, message=question))
                assert isinstance(response, MedQAAsyncStreamingResponse)  # noqa: S101  # the engine streams
                async for text in response.async_response_gen():
                    give(text)
                return await response.get_response()

        running = self._drafting.begin(draft)
        try:
            async for piece in running.pieces():
                yield Text(piece)
            yield Finished(running.result())
        except TimeoutError as error:
            raise AnswerTimeoutError(limit) from error
        finally:
            # The model is free for the next one when this draft has ended.
            with anyio.CancelScope(shield=True):
                await running.stop()

    async def _searching(self, work: Callable[[], _Result]) -> _Result:
        async with self._search_line.turn() as turn:
            await turn.served()
            async with self._search_line.timed():
                return await asyncio.to_thread(work)

    def _state(self, question: str, papers: PaperFilter, history: Sequence[ChatMessage]) -> tuple[str, date | None]:
        """Return what an answer depends on, as text, and the index's day."""
        as_of = self._index.as_of
        prompts = {name: template_hash(prompt) for name, prompt in self._engine.get_prompts().items()}
        parts: list[Any] = [
            question,
            [(message.role.value, str(message.content)) for message in history],
            astuple(papers),
            self._index.store.generation,
            str(as_of),
            self._index.identity,
            self._engine.answered_by,
            prompts,
            dict(self._verifier.identity),
        ]
        return json.dumps(parts, sort_keys=True), as_of

    def _recent(self, history: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        return history[max(0, len(history) - self.limits.most_history_messages) :]

    def _kept(self, key: str) -> MedQAResponse | None:
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        return self._answers[key]

    def _note(self, key: str, finished: Finished) -> None:
        """Keep a new answer, and show it to the observers."""
        if not finished.is_cached:
            self._answers[key] = finished.response
        while len(self._answers) > self.limits.most_cached_answers:
            self._answers.popitem(last=False)
        for told in self._observers:
            told(finished)


def _of_day(response: MedQAResponse, as_of: date | None) -> MedQAResponse:
    """Return a response with the day that the index has now.

    The engine says the day that the index had when the engine was made.
    """
    return response if response.as_of == as_of else replace(response, as_of=as_of, metadata=None)


async def _until_served(turn: Turn) -> AsyncIterator[Waiting]:
    while position := turn.position:
        yield Waiting(position, turn.seconds_estimate)
        await turn.moved()
