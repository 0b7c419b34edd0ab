"""Drafters: write the draft of an answer from its evidence."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate

from llama_index_medqa.answering.questions.focus import asks_for_results, tells_what_is_asked
from llama_index_medqa.answering.questions.keywords import held_share, lacks_names, question_weights, rare_names
from llama_index_medqa.answering.sentence_selection import as_context, merit, showable, token_count, with_context
from llama_index_medqa.answering.short_answer.exact_answer import Label
from llama_index_medqa.answering.short_answer.model_reading import YES_OR_NO, yes_or_no_of
from llama_index_medqa.errors import InputError
from llama_index_medqa.llms.openai_responses import StreamEnd, is_cut_off
from llama_index_medqa.llms.server_errors import model_name, server_address, server_errors
from llama_index_medqa.text.anaphora import leans_back
from llama_index_medqa.text.term_weights import terms
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.rhetorical_roles import tells_of_study

EXTRACTIVE: Final = "extractive"

_SENTENCE_ENDS = (".", "!", "?", "]", ")", '"', "”")
# Tokens that a prompt which is too long is shortened by at least, so that few counts are asked of the server.
_LEAST_STEP = 16

# How the packaged prompt ends.
_ANSWER = "Answer:"
_MOST_QUOTES = 3
# A quote must hold this share of the question's weight, and of what the best quote holds.
# Chosen on BioASQ's calibration questions.
_LEAST_SHARE = 0.5
_LEAST_SHARE_OF_BEST = 0.7
# Tokens of evidence that are quoted from, where no model reads them.
_QUOTED_FROM = 1_200


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The number of tokens that a model read and wrote.

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


class Drafter(Protocol):
    """Drafts an answer from evidence, in pieces of any length.

    Attributes:
        name: what is said to have answered.
        prompt: template that it fills in; None where there is none.
    """

    name: str
    prompt: BasePromptTemplate | None

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """Return as much of the evidence as there is room for."""
        ...

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yield the draft."""
        ...

    def stream_async(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[Piece]:
        """Yield the draft, asynchronously."""
        ...

    def yes_or_no(self, question: str, passages: Sequence[Passage]) -> Label | None:
        """Return the drafter's yes or no from the evidence.

        None where it cannot tell.
        """
        ...


class GenerativeDrafter:
    """Drafts with a language model.

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
        """Return as much evidence as budget and context window allow.

        The window is asked of a model that can count its own tokens (``ServedAdapter``).

        Raises:
            InputError: the question alone is too long for the model.
        """
        # Quotes need no model, and its client is slow to import.
        from llama_index_medqa.llms.served_adapter import ServedAdapter

        chosen = choose(most_tokens)
        if not isinstance(self._llm, ServedAdapter):
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
        """Yield the draft as the model writes it.

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
        """Yield the draft asynchronously; see :meth:`stream`."""
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

    def yes_or_no(self, question: str, passages: Sequence[Passage]) -> Label | None:
        """Return the model's yes or no from the evidence.

        None where it is not sure, or cannot tell.

        Raises:
            ServerError: the model's server does not answer.
        """
        assert self.prompt is not None  # noqa: S101  # set in the constructor
        prompt = self.prompt.format(context_str=as_context(passages), query_str=question)
        # All but the end is the prompt of the draft, which the server has read already.
        return yes_or_no_of(self._llm, f"{prompt.removesuffix(_ANSWER)}{YES_OR_NO}")

    def _asked(self, question: str, passages: Sequence[Passage]) -> str | list[ChatMessage]:
        """Return the prompt as ``LLM.stream`` makes it.

        That method drops the reason why an answer ended.
        """
        assert self.prompt is not None  # noqa: S101  # set in the constructor
        fields = {"context_str": as_context(passages), "query_str": question}
        if self._llm.metadata.is_chat_model:
            return self._llm._get_messages(self.prompt, **fields)
        return self._llm._get_prompt(self.prompt, **fields)


class _Reading:
    """Reads a model's stream, and notices an answer that was cut off."""

    def __init__(self, llm: LLM, asked: str | list[ChatMessage]) -> None:
        self._end = StreamEnd(server_address(llm))
        self._most_tokens: int | None = getattr(llm, "max_tokens", None)
        self._from_server = False
        self._asked = asked
        self._written: list[str] = []
        self._usage: TokenUsage | None = None

    def piece(self, response: CompletionResponse | ChatResponse) -> Piece:
        """Return the next piece of the draft."""
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
        """Return the last piece, with the token usage.

        Raises:
            ServerError: the server broke off.
        """
        if self._from_server:
            self._end.require()
        usage = self._usage or self._estimate()
        return Piece("", cut_off=self._end.is_unstated and self._looks_cut_off(usage), usage=usage)

    def _looks_cut_off(self, usage: TokenUsage) -> bool:
        """Return whether an answer without a stated reason was cut off."""
        reached = self._most_tokens is not None and usage.completion >= self._most_tokens
        return reached or not "".join(self._written).rstrip().endswith(_SENTENCE_ENDS)

    def _estimate(self) -> TokenUsage:
        asked = self._asked if isinstance(self._asked, str) else "\n".join(str(item.content) for item in self._asked)
        return TokenUsage(token_count(asked), token_count("".join(self._written)), "estimate")


class ExtractiveDrafter:
    """Quotes the sentences closest to the question, without a model."""

    name = EXTRACTIVE
    prompt: BasePromptTemplate | None = None

    def fitting(self, question: str, choose: Choose, most_tokens: int) -> list[Passage]:
        """Return more evidence than a model is shown, since reading it is free."""
        return choose(max(most_tokens, _QUOTED_FROM))

    def stream(self, question: str, passages: Sequence[Passage]) -> Iterator[Piece]:
        """Yield up to three sentences, the best first, one on a line.

        A sentence counts by the share of the question's words that it holds, each by its rarity in PubMed, those of its
        title by half. It must tell more of what is asked than a rare name; where only a result can answer, it must not
        tell how the study was done. Nothing is quoted from a record that lacks most of the question's rare names.
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
        """Yield the draft for asynchronous callers; see :meth:`stream`."""
        for piece in self.stream(question, passages):
            yield piece

    def yes_or_no(self, question: str, passages: Sequence[Passage]) -> Label | None:
        """Return None: no model reads the evidence."""
        return None


class _ScoredQuote(NamedTuple):
    """A sentence that may be quoted, after the one that it refers to.

    Attributes:
        sentences: one or two, in their order.
        share: of the question that they hold, 0 to 1.
        score: what it is ordered by.
    """

    sentences: tuple[EvidenceSentence, ...]
    share: float
    score: float


def _quotes(question: str, passage: Passage) -> Iterator[_ScoredQuote]:
    """Yield the sentences of a passage that may be quoted for a question.

    Each tells something about what is asked and can be understood.
    """
    if lacks_names(question, passage.with_title):
        return
    weights, wants_results = question_weights(question), asks_for_results(question)
    asked = weights.keys() - frozenset[str]().union(*map(terms, rare_names(question)))
    for position in showable(passage.sentences):
        sentences = with_context(passage.sentences, position)
        if not all(sentence.complete and sentence.states_something for sentence in sentences):
            continue
        text = sentences[-1].text
        if wants_results and tells_of_study(text):
            continue
        if leans_back(sentences[0].text) or (asked.isdisjoint(terms(text)) and not tells_what_is_asked(question, text)):
            continue
        share = held_share(weights, " ".join(sentence.text for sentence in sentences), passage.title)
        yield _ScoredQuote(sentences, share, share + merit(question, text))
