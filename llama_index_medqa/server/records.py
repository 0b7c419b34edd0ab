"""Records of an index: found by a search, read whole, and as evidence."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.schema import BaseNode, NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from llama_index_medqa.answering.prompt_injection import records_that_give_orders
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.profiles import RetrievalMode
from llama_index_medqa.pubmed.pmids import is_pmid
from llama_index_medqa.retrieval.lexical_index import LexicalIndex
from llama_index_medqa.retrieval.paper_filter import FilteredQuery, PaperFilter
from llama_index_medqa.retrieval.retriever import PubMedRetriever
from llama_index_medqa.server.results import WITHHELD_TITLE, FoundRecord, RecordNotFoundError, StoredRecord
from llama_index_medqa.verification.passages import Passage, document_id_of, passages_of

# Chunks that a sentence is held against, where nobody says against which records.
_CHUNKS_A_SENTENCE = 8
_LONGEST_ID = 200


class RecordSource:
    """Finds and reads the records of an index.

    Args:
        index: where they are.
        retrieval: ``hybrid``, ``dense`` or ``lexical``.
        include_retracted: whether retracted papers may be found; they can be read in any case.
    """

    def __init__(self, index: PubMedIndex, retrieval: RetrievalMode, *, include_retracted: bool = False) -> None:
        self._index = index
        self._retrieval = retrieval
        self._include_retracted = include_retracted
        self._lexical_index = LexicalIndex(index.store)

    def search(self, query: str, papers: PaperFilter, top_k: int) -> list[FoundRecord]:
        """Return records, the best first, each once with its best chunk."""
        found: dict[str, NodeWithScore] = {}
        for item in self._retrieved(query, papers, top_k, chunks_per_record=1):
            found.setdefault(document_id_of(item.node), item)
        ordering = self._giving_orders(found)
        return [_found_record(name, item, name in ordering) for name, item in found.items()]

    def record(self, document_id: str) -> StoredRecord:
        """Reads a record.

        Raises:
            RecordNotFoundError: there is none of that id.
        """
        name = full_id(document_id)
        chunks = self._chunks(name)
        first = chunks[0].metadata
        return StoredRecord(
            document_id=name,
            pmid=first.get("pmid"),
            title=str(first.get("title", "")),
            text=_joined(chunks),
            metadata={key: value for key, value in first.items() if key not in _CHUNK_KEYS},
            gives_orders=bool(records_that_give_orders(passages_of(_scored(chunks)))),
        )

    def passages(self, document_ids: Sequence[str], texts: Mapping[str, str]) -> list[Passage]:
        """Return records and texts whole, as evidence.

        Raises:
            RecordNotFoundError: the index lacks some of the records.
        """
        names = list(dict.fromkeys(map(full_id, document_ids)))
        present = {node.node_id for node in self._index.store.nodes([f"{name}#0" for name in names])}
        if missing := [name for name in names if f"{name}#0" not in present]:
            raise RecordNotFoundError(missing)
        chunks = [chunk for name in names for chunk in self._chunks(name)]
        given = [_text_node(name, text, number) for number, (name, text) in enumerate(texts.items(), start=1)]
        return passages_of(_scored([*chunks, *given]))

    def found_passages(self, sentence: str) -> list[Passage]:
        """Return what a search for a sentence finds, as evidence.

        Without records that give orders to a model.
        """
        found = self._retrieved(sentence, PaperFilter(), _CHUNKS_A_SENTENCE, chunks_per_record=3)
        ordering = self._giving_orders(dict.fromkeys(document_id_of(item.node) for item in found))
        return passages_of([item for item in found if document_id_of(item.node) not in ordering])

    def _giving_orders(self, names: Iterable[str]) -> set[str]:
        """Those of the records that give orders anywhere, not only where a search found them."""
        # One that is deleted at this moment is passed over.
        first = self._index.store.nodes([f"{name}#0" for name in names])
        others = [f"{document_id_of(node)}#{number}" for node in first for number in range(1, _chunk_count(node))]
        return set(records_that_give_orders(passages_of(_scored([*first, *self._index.store.nodes(others)]))))

    def _retrieved(
        self, query: str, papers: PaperFilter, chunks: int, *, chunks_per_record: int
    ) -> list[NodeWithScore]:
        retriever = PubMedRetriever(
            self._index,
            mode=self._retrieval,
            similarity_top_k=chunks,
            chunks_per_record=chunks_per_record,
            include_retracted=self._include_retracted,
            lexical_index=self._lexical_index,
        )
        return retriever.retrieve(FilteredQuery(query, papers=papers))

    def _chunks(self, name: str) -> list[BaseNode]:
        """Return the chunks of a record, in order."""
        first = self._index.store.nodes([f"{name}#0"])
        if not first:
            raise RecordNotFoundError([name])
        others = [f"{name}#{number}" for number in range(1, _chunk_count(first[0]))]
        return [*first, *self._index.store.nodes(others)]


_CHUNK_KEYS = frozenset({"section", "chunk_count", "record_hash"})


def full_id(document_id: str) -> str:
    """Return an id as the index has it.

    ``PMID:123`` for ``123`` and ``pmid:123``; others as they are.

    Raises:
        RecordNotFoundError: no record can have it.
    """
    text = document_id.strip()
    number = text[5:].strip() if text[:5].upper() == "PMID:" else text
    if is_pmid(number):
        return f"PMID:{number}"
    if not text or len(text) > _LONGEST_ID or not text.isprintable():
        raise RecordNotFoundError([f"{text[:40]!r}"])
    return text


def _chunk_count(first: BaseNode) -> int:
    return int(first.metadata.get("chunk_count", 1))


def _found_record(document_id: str, item: NodeWithScore, gives_orders: bool) -> FoundRecord:
    metadata: dict[str, Any] = item.node.metadata
    text = "" if gives_orders else item.node.get_content()
    start = getattr(item.node, "start_char_idx", None) or 0
    return FoundRecord(
        document_id=document_id,
        pmid=metadata.get("pmid"),
        title=WITHHELD_TITLE if gives_orders else str(metadata.get("title", "")),
        journal=str(metadata.get("journal", "")),
        year=metadata.get("year"),
        publication_types=tuple(metadata.get("publication_types", ())),
        status=str(metadata.get("status", "current")),
        score=float(item.score or 0.0),
        passage=text,
        start=start,
        end=start + len(text),
        gives_orders=gives_orders,
    )


def _joined(chunks: Sequence[BaseNode]) -> str:
    """Return the text of a record.

    Between chunks that share nothing stands a space for each character that was cut away.
    """
    text = ""
    for chunk in chunks:
        start = getattr(chunk, "start_char_idx", None)
        start = len(text) if start is None else start
        text = text[:start].ljust(start) + chunk.get_content() + text[start + len(chunk.get_content()) :]
    return text


def _scored(nodes: Sequence[BaseNode]) -> list[NodeWithScore]:
    return [NodeWithScore(node=node) for node in nodes]


def _text_node(name: str, text: str, number: int) -> TextNode:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=name)}
    # A name is no evidence: as a title it would be read beside the text.
    return TextNode(text=text, start_char_idx=0, metadata={"title": f"Text {number}"}, relationships=source)
