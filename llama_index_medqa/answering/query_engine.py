"""The query engine: retrieves, drafts, and keeps the sentences that a record supports."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from copy import copy
from datetime import date
from functools import partial
from typing import Any, Literal, get_args

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.response.schema import RESPONSE_TYPE
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # not in its __all__
from llama_index.core.llms import LLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilters

from llama_index_medqa._common.timer import StageTimer
from llama_index_medqa.answering.answerability import AnswerabilityGate
from llama_index_medqa.answering.chat_engine import FollowUp, MedQAChatEngine
from llama_index_medqa.answering.context import AnswerContext, ContextBuilder
from llama_index_medqa.answering.draft_verification import DraftVerifier
from llama_index_medqa.answering.drafting import EXTRACTIVE, Drafter, ExtractiveDrafter, GenerativeDrafter, Piece
from llama_index_medqa.answering.events import AbstentionEvent, EvidenceEvent, SentenceEvent
from llama_index_medqa.answering.questions.decomposition import QuestionPart
from llama_index_medqa.answering.questions.statement import question_statement
from llama_index_medqa.answering.response import (
    CAUTIONS,
    NOT_MEDICAL_ADVICE,
    AnswerIdentity,
    ExcludedPaper,
    MedQAAsyncStreamingResponse,
    MedQAResponse,
    MedQAStreamingResponse,
)
from llama_index_medqa.answering.sentence_selection import EvidenceSelector
from llama_index_medqa.answering.translation.multilingual import atranslated, caution, recognised, searched, translated
from llama_index_medqa.answering.translation.translator import TranslatedQuestion, Translator
from llama_index_medqa.errors import InputError
from llama_index_medqa.indexing.index import PubMedIndex, language_model
from llama_index_medqa.profiles import Policy, RetrievalMode
from llama_index_medqa.prompts import GROUNDED_ANSWER, template_hash
from llama_index_medqa.retrieval.paper_filter import matching, not_met, papers_of, with_question, written
from llama_index_medqa.retrieval.postprocessing import postprocessed
from llama_index_medqa.retrieval.retriever import PubMedRetriever
from llama_index_medqa.retrieval.whole_records import whole_records
from llama_index_medqa.verification.passages import document_id_of
from llama_index_medqa.verification.verdicts import AnswerSentence, Strictness
from llama_index_medqa.verification.verifier import ClaimVerifier, Verifier

__all__ = ["MedQAAsyncStreamingResponse", "MedQAQueryEngine", "MedQAResponse", "MedQAStreamingResponse"]

dispatcher = get_dispatcher(__name__)

_MOST_EXCLUDED = 5


class MedQAQueryEngine(BaseQueryEngine):
    """Answers medical questions from PubMed records, or abstains.

    Every sentence of an answer is verified, whatever the model claims: tied to a PMID and a character span that
    supports it, or not supported, or contradicted. Where no sentence is left, the response holds the findings that come
    nearest, quoted and said to be quotes. A question is refused before any model is asked where what was retrieved does
    not meet it: then the text is "I cannot answer this from the indexed literature."

    A question in Chinese, French, German, Japanese, Portuguese or Spanish is translated by the model that drafts, and
    answered in English; the verified answer is followed by its translation, which is marked as a machine's. Where there
    is no model, and in other languages, it is refused.

    A question that asks several things is searched for part by part. Records whose text gives orders to the model are
    not used. ``query`` takes a text, a LlamaIndex ``QueryBundle`` or a :class:`FilteredQuery`.

    Args:
        retriever: any LlamaIndex retriever over chunks with ``start_char_idx`` and a ``title``, such as
            :class:`PubMedRetriever`.
        llm: the model that drafts answers, or ``"extractive"``: then the answer is made of sentences quoted from
            the records, without any model.
        node_postprocessors: LlamaIndex postprocessors, such as rerankers.
        prompt: template with ``{context_str}`` and ``{query_str}``.
        policy: what becomes of sentences that are not supported: ``strict`` leaves them out and counts them;
            ``mark`` keeps them and says so behind each; ``report`` keeps them and says so in the fields alone.
        evidence_tokens: most tokens of evidence that the model is shown, counted with LlamaIndex's global tokenizer;
            questions for lists and comparisons get twice as much.
        embed_model: compares sentences with the question by meaning beside words when evidence is chosen; None
            compares words alone.
        strictness: how sure the verifier must be that a text supports a sentence: ``strict``, ``balanced`` or
            ``open``; see :class:`ClaimVerifier`.
        verifier: decides whether a text supports a sentence; None takes a :class:`ClaimVerifier` of this strictness.
        gate: decides whether a question is tried at all; None takes one that goes by words and names.
        streaming: whether ``query`` returns a stream.
        as_of: the day whose state of PubMed the index has, to be said with every answer.
        index_identity: what the index was built with, to be said with every answer.
        notice: shown beside every answer; None for nothing.
        callback_manager: LlamaIndex's event handlers.

    Raises:
        InputError: ``llm`` or ``policy`` is none of the values above.
    """

    def __init__(  # noqa: PLR0913  # an argument for each choice, as LlamaIndex's users expect it
        self,
        retriever: BaseRetriever,
        llm: LLM | Literal["extractive"],
        *,
        node_postprocessors: Sequence[BaseNodePostprocessor] = (),
        prompt: BasePromptTemplate = GROUNDED_ANSWER,
        policy: Policy = "strict",
        evidence_tokens: int = 300,
        embed_model: BaseEmbedding | None = None,
        strictness: Strictness = "balanced",
        verifier: Verifier | None = None,
        gate: AnswerabilityGate | None = None,
        streaming: bool = False,
        as_of: date | None = None,
        index_identity: dict[str, Any] | None = None,
        notice: str | None = NOT_MEDICAL_ADVICE,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        if isinstance(llm, str) and llm != EXTRACTIVE:
            raise InputError(f"llm must be a LlamaIndex LLM or 'extractive', got {llm!r}.")
        if policy not in get_args(Policy):
            raise InputError(f"policy cannot be {policy!r}: choose {', '.join(get_args(Policy))}.")
        super().__init__(callback_manager)
        self._retriever = retriever
        self._postprocessors = list(node_postprocessors)
        self._llm = None if isinstance(llm, str) else llm
        self._drafter: Drafter = ExtractiveDrafter() if isinstance(llm, str) else GenerativeDrafter(llm, prompt)
        self._gate = gate or AnswerabilityGate()
        self._context_builder = ContextBuilder(
            self._gate, EvidenceSelector(embed_model), self._drafter, evidence_tokens
        )
        self.verifier: Verifier = verifier or ClaimVerifier(strictness=strictness)
        self._translator = None if isinstance(llm, str) else Translator(llm, self.verifier)
        self._policy: Policy = policy
        self._streaming = streaming
        self._as_of = as_of
        self._index_identity = dict(index_identity or {})
        self._notice = notice

    @classmethod
    def from_index(
        cls,
        index: PubMedIndex,
        llm: LLM | Literal["extractive"] | None = None,
        *,
        similarity_top_k: int = 24,
        retrieval: RetrievalMode = "hybrid",
        filters: MetadataFilters | None = None,
        include_retracted: bool = False,
        **kwargs: Any,
    ) -> "MedQAQueryEngine":
        """Make an engine over an index, with the index's own embedder.

        Args:
            index: where to retrieve.
            llm: see the constructor; None takes LlamaIndex's ``Settings.llm``.
            similarity_top_k: chunks to retrieve, of which the evidence is chosen.
            retrieval: ``hybrid``, ``dense`` or ``lexical``; see :class:`PubMedRetriever`. For its other choices make
                one and give it to the constructor.
            filters: LlamaIndex's metadata filters on the papers that may answer.
            include_retracted: whether retracted papers may be found; an answer says which of its papers are.
            kwargs: further arguments of the constructor.
        """
        retriever = PubMedRetriever(
            index,
            mode=retrieval,
            similarity_top_k=similarity_top_k,
            filters=filters,
            include_retracted=include_retracted,
            callback_manager=kwargs.get("callback_manager"),
        )
        defaults = {
            "embed_model": index._embed_model,
            "as_of": index.as_of,
            "index_identity": index.identity,
        }
        drafter = llm if isinstance(llm, str) else language_model(llm)
        return cls(retriever, drafter, **{**defaults, **kwargs})

    @property
    def answered_by(self) -> str:
        """Return the name of the drafting model, or ``extractive``."""
        return self._drafter.name

    def with_streaming(self, streaming: bool) -> "MedQAQueryEngine":
        """Return the same engine, with streaming or without; all else is shared."""
        changed = copy(self)
        changed._streaming = streaming
        return changed

    def as_chat_engine(self, llm: LLM | None = None, **kwargs: Any) -> MedQAChatEngine:
        """Return a chat engine over this engine, which understands follow-ups.

        Args:
            llm: makes follow-ups questions that stand alone; None takes the model that drafts the answers.
            kwargs: further arguments of :class:`MedQAChatEngine`.
        """
        return MedQAChatEngine(self, llm or self._llm, **kwargs)

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return the chunks for an answer, the best first."""
        return self._postprocess(self._retriever.retrieve(query_bundle), query_bundle)

    async def aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return the chunks asynchronously; see :meth:`retrieve`."""
        return self._postprocess(await self._retriever.aretrieve(query_bundle), query_bundle)

    def _postprocess(self, nodes: list[NodeWithScore], query_bundle: QueryBundle) -> list[NodeWithScore]:
        nodes = matching(nodes, papers_of(query_bundle))
        return postprocessed(nodes, self._postprocessors, query_bundle)

    def _get_prompts(self) -> dict[str, Any]:
        prompt = self._drafter.prompt
        return {"answer": prompt} if prompt else {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        if "answer" in prompts:
            self._drafter.prompt = prompts["answer"]

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        timer = StageTimer()
        asked = self._recognised(query_bundle)
        if asked and asked.is_pending and self._translator:
            with timer.stage("translate"):
                asked = self._translator.to_english(asked.original, asked.language)
        query_bundle, parts = searched(query_bundle, asked)
        with timer.stage("retrieve"):
            found = [self.retrieve(with_question(query_bundle, part.search)) for part in parts]
        check = self._draft_verifier(query_bundle, self._context(query_bundle, asked, parts, found, timer), timer)
        stream = self._stream(check)
        if self._streaming:
            return MedQAStreamingResponse(stream, source_nodes=check.evidence.nodes, _draft=check)
        for _ in stream:
            pass
        return check.response()

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        timer = StageTimer()
        asked = await asyncio.to_thread(self._recognised, query_bundle)
        if asked and asked.is_pending and self._translator:
            with timer.stage("translate"):
                asked = await self._translator.ato_english(asked.original, asked.language)
        query_bundle, parts = searched(query_bundle, asked)
        with timer.stage("retrieve"):
            found = await asyncio.gather(*(self.aretrieve(with_question(query_bundle, part.search)) for part in parts))
        evidence = await asyncio.to_thread(self._context, query_bundle, asked, parts, found, timer)
        check = self._draft_verifier(query_bundle, evidence, timer)
        stream = self._astream(check)
        if self._streaming:
            return MedQAAsyncStreamingResponse(stream, source_nodes=check.evidence.nodes, _draft=check)
        async for _ in stream:
            pass
        return check.response()

    def _recognised(self, query_bundle: QueryBundle) -> TranslatedQuestion | None:
        return recognised(query_bundle.query_str, _message(query_bundle), self._translator, self._drafter.name)

    @dispatcher.span
    def _context(
        self,
        query_bundle: QueryBundle,
        asked: TranslatedQuestion | None,
        parts: Sequence[QuestionPart],
        found: Sequence[list[NodeWithScore]],
        timer: StageTimer,
    ) -> AnswerContext:
        question = query_bundle.query_str
        if not parts:
            evidence = AnswerContext(question, refusal="language")
        else:
            with timer.stage("select"):
                evidence = self._context_builder.build(question, parts, found)
            if not any(found):
                evidence.unmet_filters = self._unmet_filters(query_bundle)
        evidence.asked = asked
        if evidence.refusal:
            evidence.excluded = self._excluded(query_bundle, parts)
            dispatcher.event(AbstentionEvent(reason=evidence.refusal, confidence=evidence.confidence))
        else:
            shown = [sentence for passage in evidence.shown for sentence in passage.sentences]
            dispatcher.event(EvidenceEvent(sentences=len(shown), left_out=evidence.left_out))
        return evidence

    def _unmet_filters(self, query_bundle: QueryBundle) -> str:
        """Return a sentence on the filters that no paper meets, if they are the reason."""
        if isinstance(self._retriever, PubMedRetriever):
            return self._retriever.unmet_filters(query_bundle)
        papers = papers_of(query_bundle)
        return "" if papers.is_empty else f"Nothing that was retrieved meets the filter {written(papers)}."

    def _excluded(self, query_bundle: QueryBundle, parts: Sequence[QuestionPart]) -> list[ExcludedPaper]:
        """Return the papers on the question that a filter left out."""
        found: dict[str, ExcludedPaper] = {}
        for part in parts:
            by_document: dict[str, list[tuple[NodeWithScore, str]]] = {}
            for item, why in self._left_out(with_question(query_bundle, part.search)):
                by_document.setdefault(document_id_of(item.node), []).append((item, why))
            for name, items in by_document.items():
                confidence = self._gate.confidence(part.search, [item for item, _ in items])
                if confidence is not None and confidence >= self._gate.threshold:
                    item, why = items[0]
                    found.setdefault(name, ExcludedPaper(name, str(item.node.metadata.get("title", "")), why))
        return list(found.values())[:_MOST_EXCLUDED]

    def _left_out(self, query_bundle: QueryBundle) -> list[tuple[NodeWithScore, str]]:
        """Return the chunks left out by a filter, with the unmet conditions."""
        if isinstance(self._retriever, PubMedRetriever):
            return self._retriever.left_out(query_bundle)
        papers = papers_of(query_bundle)
        if papers.is_empty:
            return []
        found = self._retriever.retrieve(query_bundle)
        kept = {item.node.node_id for item in matching(found, papers)}
        filters = papers.as_metadata_filters()
        return [(item, not_met(filters, item.node.metadata)) for item in found if item.node.node_id not in kept]

    def _draft_verifier(self, query_bundle: QueryBundle, evidence: AnswerContext, timer: StageTimer) -> DraftVerifier:
        prompt = self._drafter.prompt
        identity = AnswerIdentity(
            self._drafter.name,
            template_hash(prompt) if prompt else None,
            self._policy,
            self._index_identity,
            dict(self.verifier.identity),
        )

        def verify(sentence: str) -> AnswerSentence:
            [judged] = self.verifier.verify([sentence], evidence.passages, evidence.question)
            return judged

        @dispatcher.span
        def judge(sentence: str) -> AnswerSentence:
            judged = verify(sentence)
            dispatcher.event(SentenceEvent(verdict=judged.verdict, support=judged.support))
            return judged

        statement = question_statement(evidence.question)

        return DraftVerifier(
            evidence,
            judge,
            identity,
            timer=timer,
            judge_yes=lambda: verify(statement) if statement else None,
            read_yes_or_no=lambda: self._drafter.yes_or_no(evidence.question, evidence.shown),
            read_whole=partial(whole_records, self._retriever),
            as_of=self._as_of,
            caution=caution((query_bundle.query_str, _message(query_bundle)), evidence.asked, CAUTIONS),
            notice=self._notice,
        )

    def _stream(self, check: DraftVerifier) -> Generator[str, None, None]:
        payload: dict[str, Any] = {EventPayload.QUERY_STR: check.evidence.question}
        with self.callback_manager.event(CBEventType.SYNTHESIZE, payload=payload) as event:
            if not check.evidence.refusal:
                pieces = self._drafter.stream(check.evidence.question, check.evidence.shown)
                for piece in check.timer.iterate("generate", pieces):
                    yield from check.feed(piece)
            yield from check.finish()
            yield from translated(check, self._translator)
            event.on_end(payload={EventPayload.RESPONSE: self._ended(check)})

    async def _astream(self, check: DraftVerifier) -> AsyncGenerator[str, None]:
        payload: dict[str, Any] = {EventPayload.QUERY_STR: check.evidence.question}
        with self.callback_manager.event(CBEventType.SYNTHESIZE, payload=payload) as event:
            if not check.evidence.refusal:
                pieces = self._drafter.stream_async(check.evidence.question, check.evidence.shown)
                async for piece in check.timer.iterate_async("generate", pieces):
                    for text in await asyncio.to_thread(_all, check.feed, piece):
                        yield text
            for text in await asyncio.to_thread(_all, check.finish):
                yield text
            async for text in atranslated(check, self._translator):
                yield text
            event.on_end(payload={EventPayload.RESPONSE: self._ended(check)})

    def _ended(self, check: DraftVerifier) -> MedQAResponse:
        response = check.response()
        if response.abstained and not check.evidence.refusal:
            dispatcher.event(AbstentionEvent(reason=response.abstained, confidence=response.confidence))
        return response


def _message(query_bundle: QueryBundle) -> str:
    return query_bundle.message if isinstance(query_bundle, FollowUp) else ""


def _all(said: Callable[..., Iterator[str]], *arguments: Piece) -> list[str]:
    """Return all texts of an iterator, read in a thread of its own."""
    return list(said(*arguments))
