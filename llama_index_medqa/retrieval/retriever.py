"""The retriever: searches by meaning and by words, fused record by record."""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.callbacks import CallbackManager
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilters

from llama_index_medqa.errors import InputError
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.profiles import MOST_CHUNKS, RetrievalMode
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.retrieval.evidence_level import evidence_level
from llama_index_medqa.retrieval.fusion import RRF_K, maximal_marginal_relevance, reciprocal_rank_fusion, with_firsts
from llama_index_medqa.retrieval.lexical_index import LexicalHit, LexicalIndex, record_of
from llama_index_medqa.retrieval.paper_filter import not_met, papers_of
from llama_index_medqa.retrieval.postprocessing import postprocessed
from llama_index_medqa.retrieval.query_expansion import expand_query
from llama_index_medqa.text.search_terms import lexical_terms
from llama_index_medqa.vector_store.filters import without_retracted

_logger = logger_of(__name__)

# How much more is read when filters leave too few.
_GROWTH = 4


class RetrievedChunk(NodeWithScore):
    """A chunk with its scores from each search.

    Attributes:
        cosine: true cosine between question and chunk; None in the mode ``lexical``.
        bm25: BM25 score of the chunk's record; None where the search by words did not bring it.
    """

    cosine: float | None = None
    bm25: float | None = None

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves this component."""
        return "RetrievedChunk"


@dataclass
class _Candidate:
    """A retrieved record: its score, allowed chunks and metadata."""

    score: float
    chunk_ids: list[str]
    cosines: dict[str, float] = field(default_factory=dict)
    bm25: float | None = None


class PubMedRetriever(BaseRetriever):
    """Retrieves the chunks of an index for a question.

    Records are ranked, not chunks: by meaning a record is as near as its nearest chunk, by words it is ranked by BM25
    as a whole. Both rankings are fused by reciprocal rank. The chunks of a record follow one another, those first that
    are best themselves, and all have the record's score, which is

    - ``hybrid``: the sum of ``1 / (rrf_k + rank)`` over both rankings,
    - ``dense``: the greatest cosine of its chunks, -1 to 1,
    - ``lexical``: its BM25 score,

    times the weights for recency and evidence, where they are asked for:
    ``(1 + recency_weight * 2 ** (-age / recency_half_life)) * (1 + evidence_weight * level)``, the age in years and the
    level of :func:`evidence_level`. Chunks are :class:`RetrievedChunk`, with cosine and BM25 score in every mode.

    Args:
        index: where to retrieve.
        mode: ``hybrid``, ``dense`` (by meaning alone) or ``lexical`` (by words alone; the embedder is not used).
        similarity_top_k: chunks to retrieve; 1,000 at most.
        candidates: records that each search brings; 1,000 at most.
        chunks_per_record: most chunks of one record, as long as other records have any.
        filters: LlamaIndex metadata filters, which hold for both searches alike.
        include_retracted: whether retracted papers may be found.
        rrf_k: how little the first ranks stand out; see :func:`reciprocal_rank_fusion`.
        mmr_balance: 0 to 1; where given, records are picked by their score (as a share of the best one's) times this,
            less their similarity to those picked before times the rest; see :func:`maximal_marginal_relevance`.
        expand: whether the search by words also looks for abbreviations, their long forms and MeSH headings.
        recency_weight: how much a paper of this year gains; 0 for nothing.
        recency_half_life: years after which it gains half of that.
        evidence_weight: how much the highest level of evidence gains; 0 for nothing.
        node_postprocessors: LlamaIndex postprocessors, such as rerankers, that see the chunks of all candidates.
        lexical_index: search by words; left out, the index's own.
        callback_manager: LlamaIndex's event handlers.

    Raises:
        InputError: an argument is outside its range.
    """

    def __init__(  # noqa: PLR0913  # an argument for each choice, as LlamaIndex's users expect it
        self,
        index: PubMedIndex,
        *,
        mode: RetrievalMode = "hybrid",
        similarity_top_k: int = 6,
        candidates: int = 100,
        chunks_per_record: int = 3,
        filters: MetadataFilters | None = None,
        include_retracted: bool = False,
        rrf_k: float = RRF_K,
        mmr_balance: float | None = None,
        expand: bool = False,
        recency_weight: float = 0.0,
        recency_half_life: float = 10.0,
        evidence_weight: float = 0.0,
        node_postprocessors: Sequence[BaseNodePostprocessor] = (),
        lexical_index: LexicalIndex | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        counts = {"similarity_top_k": similarity_top_k, "candidates": candidates}
        _require_at_least(1, **counts, chunks_per_record=chunks_per_record)
        _require_at_most(MOST_CHUNKS, **counts)
        _require_at_least(0, rrf_k=rrf_k, recency_weight=recency_weight, evidence_weight=evidence_weight)
        _require_choices(mode, mmr_balance, recency_half_life)
        super().__init__(callback_manager)
        self._filters = filters if include_retracted else without_retracted(filters)
        self._index = index
        self._mode = mode
        self._similarity_top_k = similarity_top_k
        self._candidate_count = max(candidates, similarity_top_k)
        self._chunks_per_record = chunks_per_record
        self._rrf_k = rrf_k
        self._mmr_balance = mmr_balance
        self._expand = expand
        self._recency_weight = recency_weight
        self._recency_half_life = recency_half_life
        self._evidence_weight = evidence_weight
        self._postprocessors = list(node_postprocessors)
        self._lexical_index = lexical_index or LexicalIndex(index.store)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = None
        if self._mode != "lexical":
            vector = query_bundle.embedding or self._index._embed_model.get_agg_embedding_from_queries(
                query_bundle.embedding_strs or [query_bundle.query_str]
            )
        return self._find(query_bundle, vector)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = None
        if self._mode != "lexical":
            vector = query_bundle.embedding or await self._index._embed_model.aget_agg_embedding_from_queries(
                query_bundle.embedding_strs or [query_bundle.query_str]
            )
        return await asyncio.to_thread(self._find, query_bundle, vector)

    def _find(self, query_bundle: QueryBundle, vector: Embedding | None) -> list[NodeWithScore]:
        terms = self._terms(query_bundle.query_str) if self._mode != "dense" else []
        ranked = self._weighted(self._ranked(vector, terms, self._index.store.scope(self._filters_for(query_bundle))))
        needs_all = self._mmr_balance is not None or self._postprocessors
        if not needs_all:
            ranked = dict(list(ranked.items())[: self._similarity_top_k])
        chunk_ids = self._best_chunks(ranked, terms)
        if self._mmr_balance is not None:
            chunk_ids = self._diverse(ranked, chunk_ids)
        picked = self._limited(chunk_ids)
        found = self._read(ranked, picked if self._postprocessors else picked[: self._similarity_top_k], vector)
        found = postprocessed(found, self._postprocessors, query_bundle)
        if not found and (unmet := self.unmet_filters(query_bundle)):
            _logger.warning(unmet)
        return found[: self._similarity_top_k]

    def unmet_filters(self, query_bundle: QueryBundle) -> str:
        """Return a sentence on the filters that no record meets.

        Empty where a record meets all of them.

        Args:
            query_bundle: a question, with filters of its own where it has some.
        """
        return self._index.store.unmet_filters(self._filters_for(query_bundle))

    def left_out(self, query_bundle: QueryBundle) -> list[tuple[NodeWithScore, str]]:
        """Return the chunks that only the filters excluded.

        Args:
            query_bundle: a question, with filters of its own where it has some.

        Returns:
            The chunks, the best first, each with the filters that its record does not meet.
        """
        filters = self._filters_for(query_bundle)
        unlimited = copy(self)
        unlimited._filters = None
        found = unlimited._retrieve(QueryBundle(query_bundle.query_str))
        allowed = self._index.store.within([item.node.node_id for item in found], self._index.store.scope(filters))
        return [(item, not_met(filters, item.node.metadata)) for item in found if item.node.node_id not in allowed]

    def _filters_for(self, query_bundle: QueryBundle) -> MetadataFilters:
        """Combine the retriever's own filters and those of the question."""
        both = (self._filters, papers_of(query_bundle).as_metadata_filters())
        given = [part for part in both if part is not None and part.filters]
        return given[0] if len(given) == 1 else MetadataFilters(filters=[*given])

    def _terms(self, question: str) -> list[str]:
        self._lexical_index.refresh()
        terms = lexical_terms(question)
        if self._expand:
            terms += [term for expansion in expand_query(question, self._lexical_index) for term in expansion.terms]
        return list(dict.fromkeys(terms))

    def _ranked(
        self, vector: Embedding | None, terms: Sequence[str], scope: Mapping[str, Any]
    ) -> dict[str, _Candidate]:
        """Return the candidates by record id, the best first."""
        dense = self._dense(vector, scope) if vector is not None else {}
        if self._mode == "dense":
            return dense
        lexical = {hit.record_id: hit for hit in self._lexical(terms, scope)}
        scores = {name: hit.score for name, hit in lexical.items()}
        if self._mode == "hybrid":
            rankings, within = [list(dense), list(lexical)], self._similarity_top_k // self._chunks_per_record
            scores = with_firsts(reciprocal_rank_fusion(rankings, self._rrf_k), rankings, within)
        ranked = {}
        for name, score in scores.items():
            candidate = ranked[name] = dense.get(name) or _Candidate(score, [])
            candidate.score = score
            if name in lexical:
                candidate.chunk_ids, candidate.bm25 = lexical[name].chunk_ids, lexical[name].score
        return ranked

    def _dense(self, vector: Embedding, scope: Mapping[str, Any]) -> dict[str, _Candidate]:
        """Return the records of the nearest chunks."""
        count = self._candidate_count
        while True:
            count *= 2
            nearest = self._index.store.nearest(vector, count, scope)
            found: dict[str, _Candidate] = {}
            for chunk_id, cosine in nearest:
                candidate = found.setdefault(record_of(chunk_id), _Candidate(cosine, []))
                candidate.chunk_ids.append(chunk_id)
                candidate.cosines[chunk_id] = cosine
            if len(found) >= self._candidate_count or len(nearest) < count:
                return dict(list(found.items())[: self._candidate_count])

    def _lexical(self, terms: Sequence[str], scope: Mapping[str, Any]) -> list[LexicalHit]:
        """Return the records with shared terms and allowed chunks."""
        hits: list[LexicalHit] = []
        offset, size = 0, self._candidate_count
        while len(hits) < self._candidate_count:
            page = self._lexical_index.search(terms, size, offset)
            hits += self._allowed(page, scope)
            if len(page) < size:
                break
            offset, size = offset + size, size * _GROWTH
        return hits[: self._candidate_count]

    def _allowed(self, hits: Sequence[LexicalHit], scope: Mapping[str, Any]) -> list[LexicalHit]:
        if not scope or not hits:
            return list(hits)
        allowed = self._index.store.within([name for hit in hits for name in hit.chunk_ids], scope)
        kept = (hit._replace(chunk_ids=[name for name in hit.chunk_ids if name in allowed]) for hit in hits)
        return [hit for hit in kept if hit.chunk_ids]

    def _weighted(self, ranked: dict[str, _Candidate]) -> dict[str, _Candidate]:
        """Weight the scores by recency and evidence; one below 0 stays."""
        if not (self._recency_weight or self._evidence_weight):
            return ranked
        first_chunks = {candidate.chunk_ids[0]: candidate for candidate in ranked.values()}
        today = self._index.as_of or datetime.now(UTC).date()
        for chunk_id, metadata in self._index.store.metadata_of(list(first_chunks)).items():
            candidate = first_chunks[chunk_id]
            if candidate.score <= 0:
                continue
            candidate.score *= 1 + self._evidence_weight * evidence_level(_strings(metadata.get("publication_types")))
            if "year" in metadata:
                age = max(today.year - int(metadata["year"]), 0)
                candidate.score *= 1 + self._recency_weight * 2 ** (-age / self._recency_half_life)
        return dict(sorted(ranked.items(), key=lambda item: -item[1].score))

    def _best_chunks(self, ranked: dict[str, _Candidate], terms: Sequence[str]) -> dict[str, list[str]]:
        """Order the chunk ids of each candidate.

        First come those that are nearest and share most terms with the question.
        """
        texts: dict[str, str] = {}
        if terms:
            texts = self._index.store.texts([name for candidate in ranked.values() for name in candidate.chunk_ids])
        weights = self._term_weights(terms)
        shared = {
            chunk_id: sum(weights.get(term, 0.0) for term in set(lexical_terms(text)))
            for chunk_id, text in texts.items()
        }
        best = {}
        for name, candidate in ranked.items():
            by_meaning = sorted(candidate.cosines, key=lambda chunk_id: -candidate.cosines[chunk_id])
            by_words = sorted(
                (chunk_id for chunk_id in candidate.chunk_ids if chunk_id in shared),
                key=lambda chunk_id: -shared[chunk_id],
            )
            best[name] = list(reciprocal_rank_fusion([by_meaning, by_words], self._rrf_k))
        return best

    def _term_weights(self, terms: Sequence[str]) -> dict[str, float]:
        """Return the inverse document frequency of each term, as in BM25."""
        if not terms:
            return {}
        total = self._lexical_index.record_count()
        counts = self._lexical_index.document_frequencies(terms)
        return {term: math.log(1 + (total - count + 0.5) / (count + 0.5)) for term, count in counts.items()}

    def _diverse(self, ranked: dict[str, _Candidate], chunk_ids: dict[str, list[str]]) -> dict[str, list[str]]:
        """Pick diverse records, each with its best chunk."""
        assert self._mmr_balance is not None  # noqa: S101  # the caller has looked
        best = {ids[0]: name for name, ids in chunk_ids.items() if ids}
        vectors = self._index.store.vectors(list(best))
        names = [name for chunk_id, name in best.items() if chunk_id in vectors]
        if not names:
            return {}
        scores = np.array([ranked[name].score for name in names])
        matrix = np.stack([vectors[chunk_ids[name][0]] for name in names])
        relevance = scores / max(scores.max(), 1e-12)
        picked = maximal_marginal_relevance(relevance.tolist(), matrix, self._mmr_balance, len(names))
        return {names[position]: chunk_ids[names[position]] for position in picked}

    def _limited(self, chunk_ids: dict[str, list[str]]) -> list[tuple[str, str]]:
        """Limit the chunks per record, as pairs of record and chunk id.

        Where that does not fill the list, records give one more each, the best first, until it is full: none is pushed
        out by more of another.
        """
        quotas = {name: min(self._chunks_per_record, len(ids)) for name, ids in chunk_ids.items()}
        missing = self._similarity_top_k - sum(quotas.values())
        while missing > 0:
            giving = [name for name, ids in chunk_ids.items() if len(ids) > quotas[name]][:missing]
            if not giving:
                break
            for name in giving:
                quotas[name] += 1
            missing -= len(giving)
        return [(name, chunk_id) for name, ids in chunk_ids.items() for chunk_id in ids[: quotas[name]]]

    def _read(
        self, ranked: dict[str, _Candidate], picked: Sequence[tuple[str, str]], vector: Embedding | None
    ) -> list[NodeWithScore]:
        """Read the picked chunks with their scores.

        Chunks that were deleted meanwhile are left out.
        """
        candidates = {chunk_id: ranked[name] for name, chunk_id in picked}
        cosines = {chunk_id: one.cosines[chunk_id] for chunk_id, one in candidates.items() if chunk_id in one.cosines}
        if vector is not None:
            cosines |= self._cosines([chunk_id for chunk_id in candidates if chunk_id not in cosines], vector)
        return [
            RetrievedChunk(
                node=node,
                score=candidates[node.node_id].score,
                cosine=cosines.get(node.node_id),
                bm25=candidates[node.node_id].bm25,
            )
            for node in self._index.store.nodes(list(candidates))
        ]

    def _cosines(self, chunk_ids: Sequence[str], vector: Embedding) -> dict[str, float]:
        """Return the cosines of chunks that only the search by words found."""
        if not chunk_ids:
            return {}
        asked = np.asarray(vector, np.float32)
        return {
            chunk_id: float(stored @ asked / max(float(np.linalg.norm(stored) * np.linalg.norm(asked)), 1e-12))
            for chunk_id, stored in self._index.store.vectors(chunk_ids).items()
        }


def _require_choices(mode: str, mmr_balance: float | None, recency_half_life: float) -> None:
    if mode not in get_args(RetrievalMode):
        raise InputError(f"mode cannot be {mode!r}: choose {', '.join(get_args(RetrievalMode))}.")
    if mmr_balance is not None and not 0 <= mmr_balance <= 1:
        raise InputError(f"mmr_balance must lie between 0 and 1, got {mmr_balance}.")
    if recency_half_life <= 0:
        raise InputError(f"recency_half_life must be above 0 years, got {recency_half_life}.")


def _require_at_least(least: float, **arguments: float) -> None:
    for name, value in arguments.items():
        if value < least:
            raise InputError(f"{name} must be at least {least}, got {value}.")


def _require_at_most(most: float, **arguments: float) -> None:
    for name, value in arguments.items():
        if value > most:
            raise InputError(f"{name} must be at most {most:,}, got {value:,}: so many chunks are no evidence to read.")


def _strings(value: Any) -> Iterable[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
