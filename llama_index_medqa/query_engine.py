"""The query engine: retrieve, answer, and keep only the sentences that a record supports."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import (
    RESPONSE_TYPE,
    AsyncStreamingResponse,
    Response,
    StreamingResponse,
)
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.llms import LLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_index_medqa.attribution import AnswerSentence, Citation, attribute
from llama_index_medqa.drafting import (
    EXTRACTIVE,
    Answerer,
    ExtractiveAnswerer,
    GenerativeAnswerer,
    Piece,
    question_coverage,
)
from llama_index_medqa.errors import InputError
from llama_index_medqa.evidence import Passage, passages_of, split_sentences
from llama_index_medqa.freshness import ATTRIBUTION
from llama_index_medqa.index import PubMedIndex
from llama_index_medqa.profiles import RetrievalMode
from llama_index_medqa.prompts import ABSTENTION, GROUNDED_ANSWER, template_hash
from llama_index_medqa.retriever import PubMedRetriever

# What a small model says in its own words when it finds no answer.
_ABOUT_THE_EVIDENCE = re.compile(
    r"\W*(?:the|these|none of the)\s+"
    r"(?:(?:passages?|abstracts?)(?!\s+of\b)|(?:provided|given)\s+(?:texts?|context|information|passages?|abstracts?))\b",
    re.IGNORECASE,
)

Abstention = Literal["no_evidence", "model_declined", "nothing_supported"]


@dataclass
class MedQAResponse(Response):
    """An answer of which every sentence is supported, or that says it cannot answer.

    Attributes:
        response: the text: the supported sentences with their citation marks, or the abstention sentence.
        source_nodes: the retrieved chunks.
        metadata: the fields below as plain data, fit for JSON.
        sentences: the sentences of the answer, each with its citations.
        dropped: sentences that were drafted and left out because nothing retrieved supports them, or because the
            model was cut off in them.
        cut_off: whether the model reached the most tokens that it may write; its last sentence is among ``dropped``.
        evidence_left_out: retrieved sentences that the prompt had no room for.
        abstained: why there is no answer; None where there is one. ``no_evidence``: what was retrieved does not
            speak of what was asked; ``model_declined``: the model said so; ``nothing_supported``: no drafted
            sentence was supported.
        answered_by: name of the model that drafted the answer, or ``extractive``.
        as_of: the day whose state of PubMed the index has; None where unknown.
        seconds: time by stage.
    """

    sentences: list[AnswerSentence] = field(default_factory=list)
    dropped: list[AnswerSentence] = field(default_factory=list)
    cut_off: bool = False
    evidence_left_out: int = 0
    abstained: Abstention | None = None
    answered_by: str = ""
    as_of: date | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def citations(self) -> list[Citation]:
        """The supporting texts of all sentences, in the order of the answer, each once."""
        return list(dict.fromkeys(citation for sentence in self.sentences for citation in sentence.citations))


@dataclass
class MedQAStreamingResponse(StreamingResponse):
    """An answer whose sentences arrive one by one, each already checked.

    ``get_response()`` reads the rest of the stream and gives the :class:`MedQAResponse`.
    """

    _draft: "_Draft | None" = None

    def get_response(self) -> MedQAResponse:
        """The whole answer, once the stream has been read."""
        super().get_response()
        assert self._draft is not None  # noqa: S101  # only MedQAQueryEngine makes these
        return self._draft.response()


@dataclass
class MedQAAsyncStreamingResponse(AsyncStreamingResponse):
    """As :class:`MedQAStreamingResponse`, for ``aquery``."""

    _draft: "_Draft | None" = None

    async def get_response(self) -> MedQAResponse:
        """The whole answer, once the stream has been read."""
        await super().get_response()
        assert self._draft is not None  # noqa: S101  # only MedQAQueryEngine makes these
        return self._draft.response()


class MedQAQueryEngine(BaseQueryEngine):
    """Answers medical questions from retrieved PubMed records, and says so when they hold no answer.

    Every sentence of an answer is tied to a PMID and a character span by code, whatever the model claims; sentences
    that nothing supports are dropped and counted. When nothing is left, or the question was not met by what was
    retrieved, the answer is "I cannot answer this from the indexed literature."

    Args:
        retriever: any LlamaIndex retriever over chunks with ``start_char_idx`` and a ``title``, such as
            :class:`PubMedRetriever`.
        llm: the model that drafts answers, or ``"extractive"``: then the answer is made of sentences quoted from
            the records, without any model.
        node_postprocessors: LlamaIndex postprocessors, such as rerankers.
        prompt: template with ``{context_str}`` and ``{query_str}``.
        evidence_tokens: most tokens of evidence that the model is shown, counted with LlamaIndex's global tokenizer.
        support_threshold: least share of a sentence's meaningful words that the cited text must hold, 0 to 1.
        coverage_threshold: least share of the question's meaningful words that one retrieved record must hold for
            the question to be tried at all, 0 to 1.
        streaming: whether ``query`` returns a stream.
        as_of: the day whose state of PubMed the index has, to be said with every answer.
        callback_manager: LlamaIndex's event handlers.
    """

    def __init__(
        self,
        retriever: BaseRetriever,
        llm: LLM | Literal["extractive"],
        *,
        node_postprocessors: Sequence[BaseNodePostprocessor] = (),
        prompt: BasePromptTemplate = GROUNDED_ANSWER,
        evidence_tokens: int = 900,
        support_threshold: float = 0.7,
        coverage_threshold: float = 0.5,
        streaming: bool = False,
        as_of: date | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        if isinstance(llm, str) and llm != EXTRACTIVE:
            raise InputError(f"llm must be a LlamaIndex LLM or 'extractive', got {llm!r}.")
        super().__init__(callback_manager)
        self._retriever = retriever
        self._postprocessors = list(node_postprocessors)
        self._answerer: Answerer = ExtractiveAnswerer() if isinstance(llm, str) else GenerativeAnswerer(llm, prompt)
        self._evidence_tokens = evidence_tokens
        self._support_threshold = support_threshold
        self._coverage_threshold = coverage_threshold
        self._streaming = streaming
        self._as_of = as_of

    @classmethod
    def from_index(
        cls,
        index: PubMedIndex,
        llm: LLM | Literal["extractive"],
        *,
        similarity_top_k: int = 6,
        retrieval: RetrievalMode = "hybrid",
        include_retracted: bool = False,
        **kwargs: Any,
    ) -> "MedQAQueryEngine":
        """An engine over an index.

        Args:
            index: where to retrieve.
            llm: see the constructor.
            similarity_top_k: chunks to retrieve.
            retrieval: ``hybrid``, ``dense`` or ``lexical``; see :class:`PubMedRetriever`. For its other choices make
                one and give it to the constructor.
            include_retracted: whether retracted papers may be found.
            kwargs: further arguments of the constructor.
        """
        retriever = PubMedRetriever(
            index,
            mode=retrieval,
            similarity_top_k=similarity_top_k,
            include_retracted=include_retracted,
            callback_manager=kwargs.get("callback_manager"),
        )
        return cls(retriever, llm, as_of=index.as_of, **kwargs)

    @property
    def answered_by(self) -> str:
        """Name of the model that drafts the answers, or ``extractive``."""
        return self._answerer.name

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """The chunks that an answer would be drawn from, the best first."""
        return self._postprocess(self._retriever.retrieve(query_bundle), query_bundle)

    async def aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """As :meth:`retrieve`, asynchronously."""
        return self._postprocess(await self._retriever.aretrieve(query_bundle), query_bundle)

    def _postprocess(self, nodes: list[NodeWithScore], query_bundle: QueryBundle) -> list[NodeWithScore]:
        for postprocessor in self._postprocessors:
            nodes = postprocessor.postprocess_nodes(nodes, query_bundle=query_bundle)
        return nodes

    def _get_prompts(self) -> dict[str, Any]:
        prompt = self._answerer.prompt
        return {"answer": prompt} if prompt else {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        if "answer" in prompts:
            self._answerer.prompt = prompts["answer"]

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with _timed() as retrieving:
            nodes = self.retrieve(query_bundle)
        draft = self._draft(query_bundle, nodes, retrieving())
        stream = self._stream(draft)
        if self._streaming:
            return MedQAStreamingResponse(stream, source_nodes=nodes, _draft=draft)
        for _ in stream:
            pass
        return draft.response()

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        with _timed() as retrieving:
            nodes = await self.aretrieve(query_bundle)
        draft = await asyncio.to_thread(self._draft, query_bundle, nodes, retrieving())
        stream = self._astream(draft)
        if self._streaming:
            return MedQAAsyncStreamingResponse(stream, source_nodes=nodes, _draft=draft)
        async for _ in stream:
            pass
        return draft.response()

    def _draft(self, query_bundle: QueryBundle, nodes: list[NodeWithScore], retrieving: float) -> "_Draft":
        question = query_bundle.query_str
        passages = passages_of(nodes)
        covered = question_coverage(question, passages) >= self._coverage_threshold
        shown = self._answerer.fitting(question, passages, self._evidence_tokens) if covered else []
        return _Draft(
            question=question,
            passages=shown,
            left_out=_sentence_count(passages) - _sentence_count(shown) if covered else 0,
            nodes=nodes,
            answerer=self._answerer,
            threshold=self._support_threshold,
            as_of=self._as_of,
            seconds={"retrieve": retrieving},
        )

    def _stream(self, draft: "_Draft") -> Generator[str, None, None]:
        payload: dict[str, Any] = {EventPayload.QUERY_STR: draft.question}
        with self.callback_manager.event(CBEventType.SYNTHESIZE, payload=payload) as event, _timed() as answering:
            if draft.passages:
                for piece in self._answerer.stream(draft.question, draft.passages):
                    yield from draft.feed(piece)
            yield from draft.finish()
            draft.seconds["answer"] = answering()
            event.on_end(payload={EventPayload.RESPONSE: draft.response()})

    async def _astream(self, draft: "_Draft") -> AsyncGenerator[str, None]:
        payload: dict[str, Any] = {EventPayload.QUERY_STR: draft.question}
        with self.callback_manager.event(CBEventType.SYNTHESIZE, payload=payload) as event, _timed() as answering:
            if draft.passages:
                async for piece in self._answerer.stream_async(draft.question, draft.passages):
                    for text in draft.feed(piece):
                        yield text
            for text in draft.finish():
                yield text
            draft.seconds["answer"] = answering()
            event.on_end(payload={EventPayload.RESPONSE: draft.response()})


class _Draft:
    """An answer in the making: takes the drafter's text in pieces and gives out supported sentences."""

    def __init__(
        self,
        *,
        question: str,
        passages: list[Passage],
        left_out: int,
        nodes: list[NodeWithScore],
        answerer: Answerer,
        threshold: float,
        as_of: date | None,
        seconds: dict[str, float],
    ) -> None:
        self.question = question
        self.passages = passages
        self.seconds = seconds
        self._left_out = left_out
        self._nodes = nodes
        self._answerer = answerer
        self._threshold = threshold
        self._as_of = as_of
        self._buffer = ""
        self._sentences: list[AnswerSentence] = []
        self._dropped: list[AnswerSentence] = []
        self._declined = False
        self._cut_off = False

    def feed(self, piece: Piece) -> Iterator[str]:
        """Takes the next piece; yields what can be said now. The last sentence waits for the one after it."""
        self._buffer += piece.text
        self._cut_off = self._cut_off or piece.cut_off
        spans = split_sentences(self._buffer)
        for start, end in spans[:-1]:
            yield from self._judge(self._buffer[start:end])
        if len(spans) > 1:
            self._buffer = self._buffer[spans[-1][0] :]

    def finish(self) -> Iterator[str]:
        """Takes the end of the draft; yields what is left to say."""
        spans = split_sentences(self._buffer)
        if self._cut_off and spans:
            # It may look whole and yet be half: "fell by 3." of "fell by 3.5 beats".
            start, end = spans.pop()
            self._dropped.append(AnswerSentence(self._buffer[start:end], support=0.0))
        for start, end in spans:
            yield from self._judge(self._buffer[start:end])
        self._buffer = ""
        if not self._sentences:
            yield ABSTENTION

    def response(self) -> MedQAResponse:
        """The answer so far."""
        text = " ".join(map(str, self._sentences)) or ABSTENTION
        response = MedQAResponse(
            response=text,
            source_nodes=self._nodes,
            sentences=list(self._sentences),
            dropped=list(self._dropped),
            cut_off=self._cut_off,
            evidence_left_out=self._left_out,
            abstained=self._abstention(),
            answered_by=self._answerer.name,
            as_of=self._as_of,
            seconds=dict(self.seconds),
        )
        prompt = self._answerer.prompt
        response.metadata = {
            "answered_by": response.answered_by,
            "abstained": response.abstained,
            "as_of": self._as_of.isoformat() if self._as_of else None,
            "source": ATTRIBUTION,
            "citations": [asdict(citation) for citation in response.citations],
            "dropped": [sentence.text for sentence in response.dropped],
            "cut_off": response.cut_off,
            "evidence_left_out": response.evidence_left_out,
            "prompt": template_hash(prompt) if prompt else None,
            "seconds": response.seconds,
        }
        return response

    def _judge(self, sentence: str) -> Iterator[str]:
        if sentence.startswith(ABSTENTION.rstrip(".")) or _ABOUT_THE_EVIDENCE.match(sentence):
            self._declined = True
            return
        judged = attribute(sentence, self.passages, self._threshold)
        if not judged.supported:
            self._dropped.append(judged)
            return
        yield f" {judged}" if self._sentences else str(judged)
        self._sentences.append(judged)

    def _abstention(self) -> Abstention | None:
        if self._sentences:
            return None
        if not self.passages:
            return "no_evidence"
        return "model_declined" if self._declined else "nothing_supported"


def _sentence_count(passages: Sequence[Passage]) -> int:
    return sum(len(passage.sentences) for passage in passages)


@contextmanager
def _timed() -> Iterator[Callable[[], float]]:
    """Gives a function that tells the seconds since the block began, or that the block took."""
    start = time.perf_counter()
    end: list[float] = []
    yield lambda: round((end[0] if end else time.perf_counter()) - start, 3)
    end.append(time.perf_counter())
