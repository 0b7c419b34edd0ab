"""The JSON API: ask, search, verify, records, status; described by OpenAPI."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt
from starlette.responses import Response, StreamingResponse

from llama_index_medqa.errors import MedQAError
from llama_index_medqa.rendering.text import as_data
from llama_index_medqa.retrieval.paper_filter import PaperFilter
from llama_index_medqa.server.replies import (
    SafeJSONResponse,
    error_content,
    kept_alive,
    neutralised,
    status_of,
    while_connected,
)
from llama_index_medqa.server.results import Finished, FoundRecord, StoredRecord, Text, Waiting
from llama_index_medqa.server.service import AnswerService

_MOST_NAMES = 50
_MOST_MESSAGES = 200
EVENT_STREAM = "text/event-stream"


class _Body(BaseModel):
    """A body with no field but these: whoever sends another one wants something that is not done."""

    model_config = ConfigDict(extra="forbid")


class Filters(_Body):
    """Which papers may be used; all where it says nothing."""

    first_year: StrictInt | None = Field(None, ge=1000, le=9999, description="Papers of this year or later.")
    last_year: StrictInt | None = Field(None, ge=1000, le=9999, description="Papers of this year or earlier.")
    publication_types: list[str] = Field(
        [], max_length=_MOST_NAMES, description="PubMed's names; a paper must have one of them."
    )
    journals: list[str] = Field([], max_length=_MOST_NAMES, description="A paper must be of one of them.")

    @property
    def papers(self) -> PaperFilter:
        """Return the filter on the papers that may be used."""
        return PaperFilter(self.first_year, self.last_year, self.publication_types, self.journals)


class Message(_Body):
    """A message of the conversation before a question."""

    role: Literal["user", "assistant"]
    content: str


class AskBody(Filters):
    """A question."""

    question: str = Field(description="What is asked.", examples=["Does green tea lower the resting heart rate?"])
    history: list[Message] = Field(
        [], max_length=_MOST_MESSAGES, description="The conversation before it, which a follow-up may lean on."
    )
    stream: StrictBool = Field(
        False, description="Server-sent events in place of one object; as Accept: text/event-stream."
    )


class SearchBody(Filters):
    """A search."""

    query: str = Field(description="What is searched for, in words.")
    top_k: StrictInt = Field(10, ge=1, le=1000, description="Most records.")


class VerifyBody(_Body):
    """Sentences to verify, and what to hold them against: where neither is given, what a search finds."""

    sentences: list[str] = Field(min_length=1, description="What is claimed, a sentence each.")
    document_ids: list[str] = Field([], description="Records of the index: PMIDs, or ids such as SHA:….")
    texts: dict[str, str] = Field({}, description="Other texts, by name.")
    question: str = Field("", description="What the sentences answer, where that is known.")


class Span(BaseModel):
    """Where a record or text supports, or contradicts, a sentence."""

    document_id: str = Field(description="Id of the record, or name of the text.")
    pmid: str | None
    title: str
    start: int = Field(description="First character of the quote in the record's text.")
    end: int = Field(description="The character after its last.")
    quote: str


class Reason(BaseModel):
    """Why a sentence is not supported, or what was wrong with a mark in it."""

    kind: str
    detail: str


class Sentence(BaseModel):
    """A sentence and its verdict."""

    model_config = ConfigDict(extra="allow")

    text: str
    verdict: Literal["supported", "unsupported", "contradicted"]
    support: float = Field(description="How well the best text supports it, 0 to 1.")
    citations: list[Span] = Field(description="What supports it, the best first.")
    opposing: list[Span] = Field(description="What says the contrary.")
    findings: list[Reason]


class Answer(BaseModel):
    """An answer. The fields that are not listed are those of ``medqa ask --json``."""

    model_config = ConfigDict(extra="allow")

    question: str
    answer: str = Field(description="The text, with citation marks such as [PMID:123].")
    outcome: Literal["answer", "findings", "nothing_found"]
    short_answer: str = Field(description="Yes or no, a name, a number or a list; it says where it is not verified.")
    sentences: list[Sentence] = Field(description="The sentences of the answer.")
    findings: list[Span] = Field(description="Quotes that come nearest, where no answer could be verified.")
    dropped: list[Sentence] = Field(description="Sentences that were drafted and left out, with the reasons.")
    explanation: str = Field(description="Why there is no answer; empty where there is one.")
    notice: str | None = Field(description="To be shown beside every answer.")
    as_of: date | None = Field(description="The day whose state of PubMed the index has.")
    links: dict[str, str | None] = Field(description="Address of each cited paper.")
    cached: bool = Field(description="Whether the same question was answered before, from the same index.")


class Found(BaseModel):
    """A record that a search found."""

    document_id: str
    pmid: str | None
    title: str
    journal: str
    year: int | None
    publication_types: list[str]
    status: str = Field(description="current, retracted or concern.")
    score: float
    passage: str = Field(description="Its best passage: text[start:end] of the record.")
    start: int
    end: int
    gives_orders: bool = Field(description="Whether its text gives orders to a model; then it is withheld.")


class FoundRecords(BaseModel):
    """What a search found, the best first."""

    records: list[Found]


class Verdicts(BaseModel):
    """The verdict on each sentence, in order."""

    sentences: list[Sentence]


class Record(BaseModel):
    """A record of the index."""

    document_id: str
    pmid: str | None
    title: str
    text: str = Field(description="Title and abstract; spans of citations count its characters.")
    metadata: dict[str, Any]
    gives_orders: bool


class Status(BaseModel):
    """What answers are drawn from."""

    rows: int = Field(description="Chunks in the index.")
    records: int
    statuses: dict[str, int] = Field(description="Number of records by status.")
    years: tuple[int, int] | None
    identity: dict[str, str | int] = Field(description="Embedder, splitter and schema.")
    as_of: date | None
    generation: str = Field(description="Another one after every change of the index.")
    drafter: str = Field(description="The model that drafts, or extractive.")
    verifier: dict[str, Any]
    waiting: int = Field(description="Questions that are answered or wait.")


def json_routes(service: AnswerService) -> APIRouter:
    """Return the endpoints below ``/api``.

    Args:
        service: answers.
    """
    router = APIRouter(prefix="/api", tags=["medqa"])
    streamed: dict[int | str, dict[str, Any]] = {200: {"content": {EVENT_STREAM: {}}}}

    @router.post("/ask", response_model=Answer, responses=streamed, summary="Answer a question")
    async def ask(request: Request, body: AskBody) -> Response:
        """Answer from the index, each sentence verified; else quote what comes nearest, or say that there is nothing.

        As server-sent events: `waiting` (position, seconds_estimate), `text` (a verified piece of the answer),
        `finished` (the whole answer), or `error`. A client that leaves stops the drafting.
        """
        if body.stream or EVENT_STREAM in request.headers.get("accept", ""):
            # Once a stream has begun, a refusal has no status.
            service.require_askable(body.question)
            papers = body.papers
            return StreamingResponse(
                kept_alive(_events(service, body, papers)), media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"}
            )
        finished = await while_connected(request, _finished(service, body))
        return Response(status_code=499) if finished is None else SafeJSONResponse(answer_data(body.question, finished))

    _add_records(router, service)
    return router


def _add_records(router: APIRouter, service: AnswerService) -> None:
    @router.post("/search", response_model=FoundRecords, summary="Find records")
    async def search(request: Request, body: SearchBody) -> Response:
        """Find records by meaning and by words, each with its best passage."""
        found = await while_connected(request, service.search(body.query, body.papers, body.top_k))
        return SafeJSONResponse({"records": [_found(item) for item in found or ()]})

    @router.post("/verify", response_model=Verdicts, summary="Verify sentences")
    async def verify(request: Request, body: VerifyBody) -> Response:
        """Tell of each sentence whether a record or a given text supports it, and by which words."""
        work = service.verify(body.sentences, document_ids=body.document_ids, texts=body.texts, question=body.question)
        judged = await while_connected(request, work)
        return SafeJSONResponse({"sentences": [asdict(item) for item in judged or ()]})

    @router.get("/records/{document_id}", response_model=Record, summary="Read a record")
    async def record(
        document_id: Annotated[str, Path(description="A PMID, or an id such as PMID:123 or SHA:….")],
    ) -> Response:
        """Give title, abstract and what else is known of a record."""
        return SafeJSONResponse(_record(await service.record(document_id)))

    @router.get("/status", response_model=Status, summary="What is answered from")
    async def status() -> Response:
        """Tell what the index holds, which models answer, and how many questions wait."""
        found = asdict(await asyncio.to_thread(service.status))
        return SafeJSONResponse({**found, "as_of": found["as_of"] and found["as_of"].isoformat()})


def chat_messages(history: list[Message]) -> list[ChatMessage]:
    """Return a conversation as LlamaIndex's messages."""
    return [ChatMessage(content=item.content, role=MessageRole(item.role)) for item in history]


def answer_data(question: str, finished: Finished) -> dict[str, Any]:
    """Return an answer as plain data, fit for JSON."""
    data = as_data(question, finished.response)
    return {**data, "cached": finished.is_cached}


async def _finished(service: AnswerService, body: AskBody) -> Finished:
    events = service.ask_events(body.question, body.papers, history=chat_messages(body.history))
    async with aclosing(events):
        found = [event async for event in events if isinstance(event, Finished)]
    return found[0]


async def _events(service: AnswerService, body: AskBody, papers: PaperFilter) -> AsyncGenerator[bytes, None]:
    events = service.ask_events(body.question, papers, history=chat_messages(body.history))
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Waiting):
                    yield server_sent("waiting", asdict(event))
                elif isinstance(event, Text):
                    yield server_sent("text", asdict(event))
                else:
                    yield server_sent("finished", answer_data(body.question, event))
    except MedQAError as error:
        status, code = status_of(error)
        content = error_content(status, code, str(error))
        yield server_sent("error", {**content, "message": content["error"]["message"]})


def server_sent(name: str, data: dict[str, Any]) -> bytes:
    """Return an event as it is sent: its name, then its data on one line."""
    return f"event: {name}\ndata: {json.dumps(neutralised(data), ensure_ascii=False)}\n\n".encode()


def _found(record: FoundRecord) -> dict[str, Any]:
    return asdict(record)


def _record(record: StoredRecord) -> dict[str, Any]:
    return {**vars(record), "metadata": dict(record.metadata)}
