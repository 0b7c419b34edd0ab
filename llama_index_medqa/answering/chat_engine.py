"""A chat engine: rewrites each follow-up as a question that stands alone, and answers that."""

import re
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.callbacks import CallbackManager, trace_method
from llama_index.core.chat_engine.types import AgentChatResponse, BaseChatEngine, StreamingAgentChatResponse
from llama_index.core.llms import LLM
from llama_index.core.memory import BaseMemory, ChatMemoryBuffer
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.tools import ToolOutput

from llama_index_medqa.answering.draft_reading import without_thoughts
from llama_index_medqa.answering.questions.population import unnamed_populations
from llama_index_medqa.answering.response import MedQAAsyncStreamingResponse, MedQAResponse, MedQAStreamingResponse
from llama_index_medqa.prompts import CONDENSED_QUESTION
from llama_index_medqa.retrieval.paper_filter import FilteredQuery, PaperFilter
from llama_index_medqa.text.words import content_words

# What a follow-up cannot be understood without the question before it.
_LEANS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|this|these|that|those|he|she|his|her|same|such)\b"
    r"|^\W*(?:and|but|or|also|what about|how about)\b",
    re.IGNORECASE,
)
_LEAST_WORDS = 2
# Of the conversation the model is shown its end.
_MOST_MESSAGES = 6
_MOST_CHARACTERS = 400
_MEMORY_TOKENS = 4_000


@dataclass
class FollowUp(FilteredQuery):
    """A rewritten question to papers that meet a filter, with the message that it was made from.

    Attributes:
        message: what was written.
    """

    message: str = ""


class ChoosesStreaming(Protocol):
    """A query engine with and without streaming."""

    callback_manager: CallbackManager

    def with_streaming(self, streaming: bool) -> BaseQueryEngine:
        """Return the same engine, with streaming or without."""
        ...


class MedQAChatEngine(BaseChatEngine):
    """Answers a conversation with a query engine.

    A message that leans on what was said before ("and in children?") is made a question that stands alone, by the
    model or, without one, by putting the question before it in front. Each answer is drawn from the records, checked
    and, where need be, refused like any other; earlier answers are never evidence. Nothing of a conversation is logged.

    Args:
        query_engine: answers the questions; a :class:`MedQAQueryEngine`.
        llm: rewrites follow-ups; None does it without a model.
        memory: holds the conversation.
        prompt: template with ``{chat_history}`` and ``{question}``.
        papers: which papers may answer.
        callback_manager: LlamaIndex's event handlers.

    Attributes:
        papers: which papers may answer from the next message on.
    """

    def __init__(
        self,
        query_engine: ChoosesStreaming,
        llm: LLM | None = None,
        *,
        memory: BaseMemory | None = None,
        prompt: BasePromptTemplate = CONDENSED_QUESTION,
        papers: PaperFilter | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self._whole = query_engine.with_streaming(False)
        self._streaming = query_engine.with_streaming(True)
        self._llm = llm
        # LlamaIndex's newer Memory keeps messages in SQLite, whose driver logs them.
        self._memory = memory or ChatMemoryBuffer.from_defaults(token_limit=_MEMORY_TOKENS)
        self._prompt = prompt
        self.papers = papers or PaperFilter()
        self.callback_manager = callback_manager or query_engine.callback_manager

    @trace_method("chat")
    def chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> AgentChatResponse:
        """Answer a message.

        ``sources[0].raw_output`` is the :class:`MedQAResponse`.
        """
        history = chat_history or self._memory.get(input=message)
        question = self._condensed(history, message)
        response = self._whole.query(self._asked(question, message))
        self._memory.put_messages(_turn(message, str(response)))
        return AgentChatResponse(response=str(response), sources=[_source(question, response)])

    @trace_method("chat")
    async def achat(self, message: str, chat_history: list[ChatMessage] | None = None) -> AgentChatResponse:
        """Answer a message, asynchronously; see :meth:`chat`."""
        history = chat_history or await self._memory.aget(input=message)
        question = await self.acondensed(history, message)
        response = await self._whole.aquery(self._asked(question, message))
        await self._memory.aput_messages(_turn(message, str(response)))
        return AgentChatResponse(response=str(response), sources=[_source(question, response)])

    @trace_method("chat")
    def stream_chat(self, message: str, chat_history: list[ChatMessage] | None = None) -> StreamingAgentChatResponse:
        """Answer a message sentence by sentence, each already verified."""
        history = chat_history or self._memory.get(input=message)
        question = self._condensed(history, message)
        response = self._streaming.query(self._asked(question, message))
        assert isinstance(response, MedQAStreamingResponse)  # noqa: S101  # a streaming engine gives no other

        def deltas() -> Generator[ChatResponse, None, None]:
            said = ""
            for delta in response.response_gen:
                said += delta
                yield _delta(said, delta)
            self._memory.put_messages(_turn(message, said))

        return StreamingAgentChatResponse(
            chat_stream=deltas(), sources=[_source(question, response)], is_writing_to_memory=False
        )

    @trace_method("chat")
    async def astream_chat(
        self, message: str, chat_history: list[ChatMessage] | None = None
    ) -> StreamingAgentChatResponse:
        """Answer a message as a stream, asynchronously; see :meth:`stream_chat`."""
        history = chat_history or await self._memory.aget(input=message)
        question = await self.acondensed(history, message)
        response = await self._streaming.aquery(self._asked(question, message))
        assert isinstance(response, MedQAAsyncStreamingResponse)  # noqa: S101  # a streaming engine gives no other

        async def deltas() -> AsyncGenerator[ChatResponse, None]:
            said = ""
            async for delta in response.async_response_gen():
                said += delta
                yield _delta(said, delta)
            await self._memory.aput_messages(_turn(message, said))

        return StreamingAgentChatResponse(
            achat_stream=deltas(), sources=[_source(question, response)], is_writing_to_memory=False
        )

    def reset(self) -> None:
        """Forget the conversation."""
        self._memory.reset()

    @property
    def chat_history(self) -> list[ChatMessage]:
        """Return the messages of the conversation so far."""
        return self._memory.get_all()

    def _asked(self, question: str, message: str) -> FollowUp:
        return FollowUp(question, papers=self.papers, message=message)

    def _condensed(self, history: Sequence[ChatMessage], message: str) -> str:
        before = _question_before(history, message)
        if before is None:
            return message
        if self._llm is None:
            return f"{before} {message}"
        return _for_the_same_people(message, self._llm.predict(self._prompt, **_fields(history, message)), before)

    async def acondensed(self, history: Sequence[ChatMessage], message: str) -> str:
        """Return a message as a question that stands alone.

        Args:
            history: the conversation before it.
            message: as it was written.
        """
        before = _question_before(history, message)
        if before is None:
            return message
        if self._llm is None:
            return f"{before} {message}"
        return _for_the_same_people(
            message, await self._llm.apredict(self._prompt, **_fields(history, message)), before
        )


def _question_before(history: Sequence[ChatMessage], message: str) -> str | None:
    """Return the question that a message depends on, with those that it depends on itself.

    None where the message stands alone, which saves a request to the model.
    """
    asked = [str(item.content) for item in history if item.role is MessageRole.USER and item.content]
    if not asked or not _leans(message):
        return None
    first = next((number for number in range(len(asked) - 1, -1, -1) if not _leans(asked[number])), 0)
    # "And in children?" takes the place of "And in women?".
    names_people = bool(unnamed_populations(message, [""]))
    between = [one for one in asked[first + 1 :] if not (names_people and unnamed_populations(one, [""]))]
    return " ".join([asked[first], *between])


def _leans(message: str) -> bool:
    return bool(_LEANS_BACK.search(message)) or len(content_words(message)) < _LEAST_WORDS


def _for_the_same_people(message: str, rewritten: str, before: str) -> str:
    """Return what a model made of a message; both questions where it left out the people that are asked about.

    "And in women?" without the women would be answered for everyone.
    """
    question = _first_line(rewritten)
    is_complete = question and not unnamed_populations(message, [question])
    return question if is_complete else f"{before} {message}"


def _fields(history: Sequence[ChatMessage], message: str) -> dict[str, str]:
    recent = [item for item in history if item.role in (MessageRole.USER, MessageRole.ASSISTANT)][-_MOST_MESSAGES:]
    lines = [f"{item.role.value}: {str(item.content)[:_MOST_CHARACTERS]}" for item in recent]
    return {"chat_history": "\n".join(lines), "question": message}


def _first_line(text: str) -> str:
    return next((line.strip() for line in without_thoughts(text).splitlines() if line.strip()), "")


def _turn(question: str, answer: str) -> list[ChatMessage]:
    return [ChatMessage(question, role=MessageRole.USER), ChatMessage(answer, role=MessageRole.ASSISTANT)]


def _delta(said: str, delta: str) -> ChatResponse:
    return ChatResponse(message=ChatMessage(said, role=MessageRole.ASSISTANT), delta=delta)


def _source(question: str, response: Any) -> ToolOutput:
    content = str(response) if isinstance(response, MedQAResponse) else ""
    return ToolOutput(content=content, tool_name="medqa", raw_input={"query": question}, raw_output=response)
