"""OpenAI's API: a client that speaks it asks ``medqa`` as if it were a model."""

import json
import re
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.errors import InputError, MedQAError
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.rendering.references import PUBMED, Reference, references
from llama_index_medqa.rendering.text import notes
from llama_index_medqa.retrieval.paper_filter import PaperFilter
from llama_index_medqa.server.json_api import EVENT_STREAM, Filters, answer_data
from llama_index_medqa.server.replies import (
    SafeJSONResponse,
    error_content,
    kept_alive,
    neutralised,
    refusal,
    status_of,
    while_connected,
)
from llama_index_medqa.server.results import AnswerEvent, Finished, Text, Waiting
from llama_index_medqa.server.service import AnswerService

MODEL = "medqa"
"""The name under which the API lists what answers."""

_OWNER = "llama-index-medqa"
_MOST_MESSAGES = 1_000
# What could make a link, a picture, an element of HTML or code of a text.
_MARKDOWN_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<"})
_ESCAPED_MARK = re.compile(r"\\\[PMID:([0-9]{1,10})\\\]")


class ContentPart(BaseModel):
    """A part of a message; only those of text are read."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: str = ""


class OpenAIMessage(BaseModel):
    """A message; those of ``system``, ``developer`` and ``tool`` are not looked at."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        """What it says.

        Raises:
            InputError: it holds something else than text, such as a picture.
        """
        if isinstance(self.content, list):
            if others := {part.type for part in self.content} - {"text"}:
                raise InputError(f"Messages of text are read only, not {', '.join(sorted(others))}: leave it out.")
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream tells beside the answer."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class CompletionBody(BaseModel):
    """A request for a completion. Other fields of OpenAI's, such as ``temperature``, change nothing."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(examples=[MODEL])
    messages: list[OpenAIMessage] = Field(min_length=1, max_length=_MOST_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    response_format: dict[str, Any] | None = None
    medqa: Filters = Field(
        default_factory=Filters.model_validate({}).model_copy, description="Which papers may answer."
    )

    def asked(self) -> tuple[str, list[ChatMessage]]:
        """Return the question, and the conversation before it.

        Raises:
            InputError: the last message is not of the user, or what is wanted cannot be done.
        """
        if self.n not in (None, 1):
            raise InputError("There is one answer to a question: leave n out.")
        if self.response_format and self.response_format.get("type", "text") != "text":
            raise InputError("Answers are text, and data in the field medqa: leave response_format out.")
        *before, last = self.messages
        if last.role != "user":
            raise InputError(f"The last message must be of the role user, and is of {last.role}.")
        told = [item for item in before if item.role in ("user", "assistant") and item.text.strip()]
        return last.text, [ChatMessage(content=item.text, role=MessageRole(item.role)) for item in told]


def openai_routes(service: AnswerService) -> APIRouter:
    """Return the endpoints below ``/v1``.

    Args:
        service: answers.
    """
    router = APIRouter(prefix="/v1", tags=["OpenAI"])
    _add_models(router)

    @router.post("/chat/completions", summary="Answer the last message of a conversation")
    async def completions(request: Request, body: CompletionBody) -> Response:
        """Answer as OpenAI's API does. Citations are links in the text; the field `medqa` holds the whole answer.

        The last message is the question; those of the user and the assistant before it are the conversation.
        """
        if body.model != MODEL:
            return _unknown_model()
        question, history = body.asked()
        completion = _Completion(service, question, body.medqa.papers, history)
        if body.stream:
            service.require_askable(question)
            with_usage = bool(body.stream_options and body.stream_options.include_usage)
            return StreamingResponse(
                kept_alive(completion.chunks(with_usage=with_usage)),
                media_type=EVENT_STREAM,
                headers={"X-Accel-Buffering": "no"},
            )
        whole = await while_connected(request, completion.whole())
        return Response(status_code=499) if whole is None else SafeJSONResponse(whole)

    return router


def _add_models(router: APIRouter) -> None:
    listed = {"id": MODEL, "object": "model", "created": int(time.time()), "owned_by": _OWNER}

    @router.get("/models", summary="List what answers")
    async def models() -> Response:
        """List the one model that there is: `medqa`."""
        return SafeJSONResponse({"object": "list", "data": [listed]})

    @router.get("/models/{model}", summary="See what answers")
    async def model(model: str) -> Response:
        """Give the one model that there is."""
        return SafeJSONResponse(listed) if model == MODEL else _unknown_model()


class _Completion:
    """An answer in the form of OpenAI's API."""

    def __init__(
        self, service: AnswerService, question: str, papers: PaperFilter, history: Sequence[ChatMessage]
    ) -> None:
        self._service = service
        self._question = question
        self._papers = papers
        self._history = history
        self._base = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}

    async def whole(self) -> dict[str, Any]:
        """Return the answer as one object."""
        text = ""
        async with aclosing(self._events()) as events:
            async for event in events:
                if isinstance(event, Text):
                    text += as_markdown(event.text)
                elif isinstance(event, Finished):
                    finished = event
        message = {"role": "assistant", "content": text + ending(finished.response), "refusal": None}
        return {
            **self._base,
            "object": "chat.completion",
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(finished.response)}
            ],
            "usage": _usage(finished.response),
            "medqa": answer_data(self._question, finished),
        }

    async def chunks(self, *, with_usage: bool) -> AsyncGenerator[bytes, None]:
        """Yield the answer piece by piece, as server-sent events.

        Args:
            with_usage: whether the last one tells how many tokens were used.
        """
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    if isinstance(event, Waiting):
                        # A comment, which clients pass over: it keeps the connection open.
                        yield f": {event.position} before this one\n\n".encode()
                    elif isinstance(event, Text):
                        yield self._chunk({"content": as_markdown(event.text)})
                    else:
                        yield self._chunk({"content": ending(event.response)})
                        yield self._chunk({}, _finish_reason(event.response), medqa=answer_data(self._question, event))
                        if with_usage:
                            yield _data({**self._head, "choices": [], "usage": _usage(event.response)})
                        yield b"data: [DONE]\n\n"
        except MedQAError as error:
            yield _data(error_content(*status_of(error), str(error)))

    def _events(self) -> AsyncGenerator[AnswerEvent, None]:
        return self._service.ask_events(self._question, self._papers, history=self._history)

    @property
    def _head(self) -> dict[str, Any]:
        return {**self._base, "object": "chat.completion.chunk"}

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data({**self._head, "choices": [choice], **more})


def as_markdown(text: str) -> str:
    """Return a piece of an answer as Markdown.

    Only the citation marks are links.

    All else that Markdown or HTML would read is escaped.
    """
    escaped = text.translate(_MARKDOWN_SPECIAL)
    return _ESCAPED_MARK.sub(rf"[[PMID:\1]({PUBMED}/\1/)]", escaped)


def ending(response: MedQAResponse) -> str:
    """Return what follows an answer.

    Its papers, what a reader must know beside it, and the day of the data.
    """
    today = datetime.now(UTC).date()
    lines = [f"- {_described(reference)}" for reference in references(response)]
    told = [*notes(response), freshness(response.as_of, today, response.source), response.notice or ""]
    said = [as_markdown(" ".join(line.split())) for line in told if line]
    return "\n\n" + "\n".join([*lines, *([""] if lines else []), *(f"{line}  " for line in said)]).rstrip()


def _described(reference: Reference) -> str:
    known = ", ".join(part for part in (reference.journal, str(reference.year or "")) if part)
    status = "" if reference.status == "current" else f" ({reference.status})"
    text = f"{reference.title} {known}{'.' if known else ''}{status}"
    mark = as_markdown(f"[{reference.document_id}]" if reference.in_pubmed else reference.document_id)
    return f"{mark} {as_markdown(' '.join(text.split()))}"


def _finish_reason(response: MedQAResponse) -> str:
    return "length" if response.cut_off else "stop"


def _usage(response: MedQAResponse) -> dict[str, int]:
    prompt, completion = (response.usage.prompt, response.usage.completion) if response.usage else (0, 0)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _unknown_model() -> Response:
    return refusal(404, "model_not_found", f"The only model here is {MODEL!r}: give that name.")


def _data(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(neutralised(content), ensure_ascii=False)}\n\n".encode()
