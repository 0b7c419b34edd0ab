"""Calls of the service for the tools of agents."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from mcp.server.fastmcp import Context
from mcp.server.session import ServerSession

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.pmids import is_pmid, pmid_of
from llama_index_medqa.server.mcp_results import (
    ClaimVerification,
    PubMedAnswer,
    answer_data,
    judged_sentence,
    record_papers,
    verdict_on_all,
)
from llama_index_medqa.text.printable import printable
from llama_index_medqa.text.sentences import unwrapped
from llama_index_medqa.verification.citation_marks import sentences_with_marks, take_apart
from llama_index_medqa.verification.passages import TEXT_ID
from llama_index_medqa.verification.verifier import with_quotes_of

if TYPE_CHECKING:
    from llama_index_medqa.retrieval.paper_filter import PaperFilter
    from llama_index_medqa.server.results import StoredRecord
    from llama_index_medqa.server.service import AnswerService
    from llama_index_medqa.verification.verdicts import AnswerSentence

ToolContext = Context[ServerSession, Any, Any]

# An agent may give up on what says nothing for long.
_BEAT_SECONDS = 5.0
_MOST_MESSAGE = 300


class Progress:
    """Reports progress to a waiting agent.

    Args:
        context: of its request.
    """

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._steps = 0

    async def report(self, message: str) -> None:
        """Send a line."""
        self._steps += 1
        line = printable(" ".join(message.split()))
        await self._context.report_progress(self._steps, message=line[:_MOST_MESSAGE])

    @asynccontextmanager
    async def beating(self, doing: str) -> AsyncIterator[None]:
        """Send a line every few seconds for the length of the ``async with`` block."""

        async def beat() -> None:
            begin = monotonic()
            while True:
                await asyncio.sleep(_BEAT_SECONDS)
                await self.report(f"{doing}, {monotonic() - begin:.0f} s")

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def answered(service: "AnswerService", question: str, papers: "PaperFilter", progress: Progress) -> PubMedAnswer:
    """Answer a question, telling how it goes."""
    from llama_index_medqa.server.results import Finished, Text, Waiting

    response = None
    async with aclosing(service.ask_events(question, papers)) as events:
        async for event in events:
            if isinstance(event, Waiting):
                about = "" if event.seconds_estimate is None else f", about {event.seconds_estimate:.0f} s"
                await progress.report(f"waiting, {event.position} before this question{about}")
            elif isinstance(event, Text):
                await progress.report(event.text)
            elif isinstance(event, Finished):
                response = event.response
    if response is None:
        raise InputError("The answer came to no end. Ask again.")
    return answer_data(response, datetime.now(UTC).date())


def _sentences(claim: str) -> list[str]:
    """Return the sentences of a claim with their citation marks.

    Raises:
        InputError: there is none.
    """
    joined = unwrapped(claim)
    found = [joined[start:end] for start, end in sentences_with_marks(joined)]
    if not found:
        raise InputError("The claim is empty: write one, such as: Aspirin lowers fever.")
    return found


async def verified_by_text(service: "AnswerService", claim: str, text: str) -> ClaimVerification:
    """Verify against one text.

    Marks are taken off, because only an index knows which record they name.
    """
    bare = [take_apart(sentence).text for sentence in _sentences(claim)]
    judged = await service.verify(bare, texts={TEXT_ID: unwrapped(text)})
    return _verification([with_quotes_of(one, text) for one in judged], "text", [])


async def verified_by_records(service: "AnswerService", claim: str, pmids: Sequence[str]) -> ClaimVerification:
    """Verify against given records, or sentence by sentence.

    Without given records, against those that are cited or found.
    """
    sentences = _sentences(claim)
    cited = [[mark for mark in take_apart(sentence).claimed if not mark.startswith("[")] for sentence in sentences]
    named = await stored_records(service, [*pmids, *(name for names in cited for name in names if not pmids)])
    if pmids:
        judged = await service.verify(sentences, document_ids=pmids)
    else:
        judged = [
            (await service.verify([sentence], document_ids=names))[0]
            for sentence, names in zip(sentences, cited, strict=True)
        ]
    known = {record.document_id: record for record in named}
    for quote in (quote for one in judged for quote in (*one.citations, *one.opposing)):
        if quote.document_id not in known:
            known[quote.document_id] = await service.record(quote.document_id)
    return _verification(judged, "records" if pmids or all(cited) else "search", list(known.values()))


def _verification(
    judged: "Sequence[AnswerSentence]", against: Literal["records", "text", "search"], records: "list[StoredRecord]"
) -> ClaimVerification:
    sentences = [judged_sentence(one) for one in judged]
    if not any(sentence.states_something for sentence in sentences):
        raise InputError("The claim states nothing that could be verified: write a statement, not a question.")
    papers, notes = record_papers(records)
    return ClaimVerification(
        verdict=verdict_on_all(sentences), verified_against=against, sentences=sentences, papers=papers, notes=notes
    )


async def stored_records(service: "AnswerService", document_ids: Sequence[str]) -> "list[StoredRecord]":
    """Read records.

    Raises:
        InputError: the index lacks some, which says nothing about what they hold.
    """
    from llama_index_medqa.server.results import RecordNotFoundError

    found, missing = [], []
    for name in dict.fromkeys(document_ids):
        try:
            found.append(await service.record(name))
        except RecordNotFoundError:
            missing.append(name)
    if missing:
        raise InputError(_not_held(missing))
    return found


def _not_held(missing: Sequence[str]) -> str:
    numbers = [pmid_of(name) or name for name in missing]
    named = ", ".join(
        f"PMID:{number}" if is_pmid(number) else name for name, number in zip(missing, numbers, strict=True)
    )
    query = " OR ".join(f"{number}[pmid]" for number in numbers if is_pmid(number))
    told = f"The index does not hold {named}; that says nothing about any claim."
    return f'{told} Who keeps the index can add it: medqa index --query "{query}"' if query else told
