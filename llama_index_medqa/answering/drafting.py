"""From evidence to a draft: what the model is shown, and who writes the sentences that are then checked."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate

from llama_index_medqa.answering.questions.focus import tells_what_is_asked
from llama_index_medqa.answering.questions.keywords import held_share, named_share, question_weights, rare_names
from llama_index_medqa.answering.sentence_selection import as_context, merit, showable, token_count, with_context
from llama_index_medqa.errors import InputError
from llama_index_medqa.llms.openai_responses import StreamEnd, is_cut_off
from llama_index_medqa.llms.server_errors import model_name, server_errors, server_place
from llama_index_medqa.llms.vllm_lora import VllmLora
from llama_index_medqa.text.anaphora import leans_back
from llama_index_medqa.text.term_weights import terms
from llama_index_medqa.verification.passages import EvidenceSentence, Passage

EXTRACTIVE: Final = "extractive"

_SENTENCE_ENDS = (".", "!", "?", "]", ")", '"', "”")
# Tokens that a prompt which is too long is shortened by at least, so that few counts are asked of the server.
_LEAST_STEP = 16

_MOST_QUOTES = 3
# A quote must hold this share of the question's weight, and of what the best quote holds, and its record this share of
# the question's rare names. Chosen on BioASQ's calibration questions.
_LEAST_SHARE = 0.5
_LEAST_SHARE_OF_BEST = 0.7
_LEAST_NAMED = 0.5
# Tokens of evidence that are quoted from, where no model reads them.
_QUOTED_FROM = 1_200


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a model read and wrote.

    Attributes:
        prompt: tokens of the prompt.
        completion: tokens of the draft.
        counted_by: ``server``, or ``estimate`` where it did not tell: LlamaIndex's global tokenizer.
    """

    prompt: int
    completion: int
    counted_by: Literal["server", "estimate"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a draft.

    Attributes:
        text: of any length.
        cut_off: whether the model was stopped here by the most tokens that it may write.
        usage: of the whole draft; with the last piece of a model's.
    """

    text: str
    cut_off: bool = False
    usage: TokenUsage | None = None


Choose = Callable[[int], list[Passage]]
"""Chooses evidence of at most so many tokens."""


class Answerer(Protocol):
    """Drafts an answer from evidence, in pieces of any length.

    Attributes:
        name: what is said to have answered.
        prompt: template that it fills in; None where there is none.
    """

    name: str
    prompt: BasePromptTemplate | None

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """As much of the evidence as there is room for."""
        ...

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yields the draft."""
        ...

    def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """Yields the draft, asynchronously."""
        ...


class GenerativeAnswerer:
    """Lets a language model write the draft.

    Args:
        llm: the model.
        prompt: template with ``{context_str}`` and ``{query_str}``.
    """

    prompt: BasePromptTemplate | None

    def __init__(self, llm: LLM, prompt: BasePromptTemplate) -> None:
        self.name = model_name(llm)
        self.prompt = prompt
        self._llm = llm

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """As much of the evidence as the budget and the model's context window have room for.

        The window is asked of a model that can count its own tokens (:class:`VllmLora`).

        Raises:
            InputError: the question alone is too long for the model.
        """
        chosen = choose(most_tokens)
        if not isinstance(self._llm, VllmLora):
            return chosen
        while (room := self._llm.room_for(self._asked(question, chosen))) < 0:
            if not chosen:
                raise InputError(
                    f"The question is {-room} tokens too long for the context window of {self.name!r} "
                    f"({self._llm.metadata.context_window} tokens). Ask a shorter one, or lower max_tokens."
                )
            # The model's tokens are not those of the budget: the rest is found by trying again.
            chosen = choose(token_count(as_context(chosen)) - max(-room, _LEAST_STEP))
        return chosen

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yields the draft as the model writes it.

        Raises:
            ServerError: the model's server does not answer, or breaks off.
        """
        asked = self._asked(question, passages)
        reading = _Reading(self._llm, asked)
        with server_errors(self._llm):
            if isinstance(asked, str):
                yield from map(reading.piece, self._llm.stream_complete(asked, formatted=True))
            else:
                yield from map(reading.piece, self._llm.stream_chat(asked))
        yield reading.finish()

    async def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """As :meth:`stream`, asynchronously."""
        asked = self._asked(question, passages)
        reading = _Reading(self._llm, asked)
        responses: AsyncIterator[CompletionResponse] | AsyncIterator[ChatResponse]
        with server_errors(self._llm):
            if isinstance(asked, str):
                responses = await self._llm.astream_complete(asked, formatted=True)
            else:
                responses = await self._llm.astream_chat(asked)
            async for response in responses:
                yield reading.piece(response)
        yield reading.finish()

    def _asked(self, question: str, passages: Sequence[Passage]) -> str | list[ChatMessage]:
        """The prompt as LLM.stream() makes it, which keeps to itself why an answer ended."""
        assert self.prompt is not None  # noqa: S101  # set in the constructor
        fields = {"context_str": as_context(passages), "query_str": question}
        if self._llm.metadata.is_chat_model:
            return self._llm._get_messages(self.prompt, **fields)
        return self._llm._get_prompt(self.prompt, **fields)


class _Reading:
    """Reads a model's stream, and notices where it ends before the answer does."""

    def __init__(self, llm: LLM, asked: str | list[ChatMessage]) -> None:
        self._end = StreamEnd(server_place(llm))
        self._most_tokens: int | None = getattr(llm, "max_tokens", None)
        self._from_server = False
        self._asked = asked
        self._written: list[str] = []
        self._usage: TokenUsage | None = None

    def piece(self, response: CompletionResponse | ChatResponse) -> Piece:
        """The next piece of the draft."""
        delta = response.delta or ""
        if hasattr(response.raw, "choices"):
            self._from_server = True
            self._end.see(response.raw, delta)
            usage = getattr(response.raw, "usage", None)
            if usage is not None:
                self._usage = TokenUsage(usage.prompt_tokens, usage.completion_tokens, "server")
        self._written.append(delta)
        return Piece(delta, is_cut_off(response))

    def finish(self) -> Piece:
        """The end of the draft, which says what was read and written.

        Raises:
            ServerError: the server broke off.
        """
        if self._from_server:
            self._end.require()
        usage = self._usage or self._estimate()
        return Piece("", cut_off=self._end.is_unstated and self._looks_cut_off(usage), usage=usage)

    def _looks_cut_off(self, usage: TokenUsage) -> bool:
        """Of an answer whose end the server gave no reason for."""
        reached = self._most_tokens is not None and usage.completion >= self._most_tokens
        return reached or not "".join(self._written).rstrip().endswith(_SENTENCE_ENDS)

    def _estimate(self) -> TokenUsage:
        asked = self._asked if isinstance(self._asked, str) else "\n".join(str(item.content) for item in self._asked)
        return TokenUsage(token_count(asked), token_count("".join(self._written)), "estimate")


class ExtractiveAnswerer:
    """Quotes the sentences of the evidence that share most with the question; no model."""

    name = EXTRACTIVE
    prompt: BasePromptTemplate | None = None

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """More of the evidence than a model is shown: to read it costs nothing."""
        return choose(max(most_tokens, _QUOTED_FROM))

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yields up to three sentences, the best first, each on a line of its own.

        A sentence counts by the share of the question's words that it holds, each by its rarity in PubMed, those of its
        title by half. It must tell more of what is asked than a rare name, and nothing is quoted from a record that
        lacks most of the question's rare names.
        """
        quotes = [quote for passage in passages for quote in _quotes(question, passage)]
        least = max(_LEAST_SHARE, _LEAST_SHARE_OF_BEST * max((quote.share for quote in quotes), default=0.0))
        best = sorted((quote for quote in quotes if quote.share >= least), key=lambda quote: -quote.score)
        said: set[str] = set()
        for quote in best[:_MOST_QUOTES]:
            new = [sentence.text for sentence in quote.sentences if sentence.text not in said]
            said.update(new)
            yield from (Piece(f"{text}\n") for text in new)

    async def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """As :meth:`stream`, for asynchronous callers."""
        for piece in self.stream(question, passages):
            yield piece


class _Quote(NamedTuple):
    """A sentence that may be quoted, behind the one that it leans on.

    Attributes:
        sentences: one or two, in their order.
        share: of the question that they hold, 0 to 1.
        score: what it is ordered by.
    """

    sentences: tuple[EvidenceSentence, ...]
    share: float
    score: float


def _quotes(question: str, passage: Passage) -> Iterator[_Quote]:
    """The sentences of a passage that tell something about what is asked and can be understood."""
    named = named_share(question, passage.with_title)
    if named is not None and named < _LEAST_NAMED:
        return
    weights = question_weights(question)
    asked = weights.keys() - frozenset[str]().union(*map(terms, rare_names(question)))
    for position in showable(passage.sentences):
        sentences = with_context(passage.sentences, position)
        if not all(sentence.complete and sentence.states_something for sentence in sentences):
            continue
        text = sentences[-1].text
        if leans_back(sentences[0].text) or (asked.isdisjoint(terms(text)) and not tells_what_is_asked(question, text)):
            continue
        share = held_share(weights, " ".join(sentence.text for sentence in sentences), passage.title)
        yield _Quote(sentences, share, share + merit(question, text))
