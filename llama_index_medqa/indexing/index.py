"""A LlamaIndex vector index over a Chroma collection with an identity."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from llama_index.core import Settings, StorageContext, VectorStoreIndex
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.chat_engine.types import BaseChatEngine, ChatMode
from llama_index.core.data_structs.data_structs import IndexDict
from llama_index.core.llms import LLM
from llama_index.core.llms.utils import LLMType, resolve_llm
from llama_index.core.schema import BaseNode, Document, TransformComponent
from llama_index.core.vector_stores.types import BasePydanticVectorStore, MetadataFilters

from llama_index_medqa.errors import InputError
from llama_index_medqa.indexing.adoption import adopt
from llama_index_medqa.indexing.damage import repaired, set_aside_damaged, undone_on_failure
from llama_index_medqa.indexing.identity import (
    carries_no_identity,
    identity_of,
    require_begun,
    settle_identity,
    splitter_of,
    stored_as_of,
    stored_identity,
)
from llama_index_medqa.indexing.info import IndexInfo, describe
from llama_index_medqa.indexing.ingestion import Ingestion, IngestReport
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.pubmed.record import Deletion
from llama_index_medqa.vector_store.addresses import open_store
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.filters import without_retracted

if TYPE_CHECKING:
    from llama_index_medqa.answering.chat_engine import MedQAChatEngine
    from llama_index_medqa.answering.query_engine import MedQAQueryEngine


class PubMedIndex(VectorStoreIndex):
    """A vector index whose collection says how it was built.

    The collection carries the identity of the embedder and the splitter. Opening it with another one is an error
    before any query runs. Ingestion writes the difference only: it can be interrupted at any moment and run again.

    Use :meth:`open` for an index on disk or on a Chroma server. The constructor takes LlamaIndex's own arguments.

    Args:
        nodes: chunks to add at once.
        storage_context: must hold a :class:`PubMedVectorStore`, or another :class:`ChunkStore`.
        embed_model: embedder for passages and queries.
        transformations: must hold a :class:`TokenNodeParser`, or be left out; then the settings stored in the
            collection apply, and those of a new collection are 128 tokens with 64 of overlap.
        kwargs: LlamaIndex's further arguments.

    Raises:
        InputError: no :class:`ChunkStore`, or no splitter can be derived.
        IndexIdentityError: the collection was built with something else.
    """

    def __init__(
        self,
        nodes: Sequence[BaseNode] | None = None,
        *,
        storage_context: StorageContext | None = None,
        embed_model: BaseEmbedding | None = None,
        transformations: list[TransformComponent] | None = None,
        index_struct: IndexDict | None = None,
        **kwargs: Any,
    ) -> None:
        store = storage_context.vector_store if storage_context else None
        if not isinstance(store, ChunkStore):
            raise InputError(
                "PubMedIndex needs a PubMedVectorStore: use PubMedIndex.open(FOLDER, embed_model=...), or "
                "StorageContext.from_defaults(vector_store=PubMedVectorStore(persist_dir=FOLDER))."
            )
        if not isinstance(embed_model, BaseEmbedding):
            raise InputError("PubMedIndex needs embed_model=, a LlamaIndex embedding such as E5Embedding.")
        if carries_no_identity(store):
            adopt(store, embed_model, splitter_of(transformations or [], embed_model, {}))
        stored = stored_identity(store)
        parser = splitter_of(transformations or [], embed_model, stored)
        identity = identity_of(embed_model, parser)
        if stored != identity:
            settle_identity(store, identity)
        self._identity = identity
        self._node_parser = parser
        super().__init__(
            nodes=nodes if nodes is not None or index_struct is not None else [],
            storage_context=storage_context,
            embed_model=embed_model,
            transformations=transformations or [parser],
            index_struct=index_struct,
            **kwargs,
        )

    @classmethod
    def open(
        cls,
        persist_dir: str | None = None,
        *,
        embed_model: BaseEmbedding,
        node_parser: TokenNodeParser | None = None,
        create: bool = False,
        vector_store: BasePydanticVectorStore | None = None,
        **store_arguments: Any,
    ) -> "PubMedIndex":
        """Open an index in a folder, on a server, or on any LlamaIndex vector store.

        With ``create`` vectors that a killed process left damaged are made again; else they are an error.

        Args:
            persist_dir: folder of the index, or its address on an engine; see :func:`open_store`.
            embed_model: the embedder that the index was, or is to be, built with.
            node_parser: the splitter; left out, the stored settings apply.
            create: whether to create a missing index.
            vector_store: a LlamaIndex store of the vectors; ``persist_dir`` is then a folder for what it cannot tell.
            store_arguments: further arguments of :class:`PubMedVectorStore`, or ``refill`` of :class:`GenericStore`.

        Raises:
            IndexNotFoundError: there is no index, and ``create`` is False.
            IndexIdentityError: the index was built with something else.
            DamagedVectorsError: its vectors are damaged, and ``create`` is False.
        """

        def opened() -> "PubMedIndex":
            store = open_store(persist_dir, create=create, vector_store=vector_store, **store_arguments)
            with undone_on_failure(store):
                if not create:
                    require_begun(store)
                return cls(
                    storage_context=StorageContext.from_defaults(vector_store=store),
                    embed_model=embed_model,
                    transformations=[node_parser] if node_parser else None,
                )

        return repaired(persist_dir, opened) if create and persist_dir and vector_store is None else opened()

    @classmethod
    def from_documents(  # type: ignore[override]  # LlamaIndex's returns a type variable that mypy cannot narrow
        cls,
        documents: Sequence[Document],
        storage_context: StorageContext | None = None,
        *,
        persist_dir: str | None = None,
        **kwargs: Any,
    ) -> "PubMedIndex":
        """Build an index from documents, or update it.

        Args:
            documents: documents of :class:`PubMedReader`, or with stable ids of your own.
            storage_context: holds a :class:`PubMedVectorStore`; or give ``persist_dir``.
            persist_dir: folder of the index.
            kwargs: arguments of the constructor, ``embed_model`` among them.
        """

        def opened() -> "PubMedIndex":
            if persist_dir is None:
                return cls(storage_context=storage_context, **kwargs)
            return cls(storage_context=StorageContext.from_defaults(vector_store=open_store(persist_dir)), **kwargs)

        index = repaired(persist_dir, opened) if persist_dir else opened()
        index.ingest(documents)
        return index

    @property
    def store(self) -> ChunkStore:
        """Return the vector store."""
        store = self._vector_store
        assert isinstance(store, ChunkStore)  # noqa: S101  # the constructor has checked it
        return store

    @property
    def node_parser(self) -> TokenNodeParser:
        """Return the splitter."""
        return self._node_parser

    @property
    def identity(self) -> dict[str, str | int]:
        """Return the embedder, the splitter and the schema. The collection stores them, and opening compares them."""
        return dict(self._identity)

    def ingest(
        self,
        documents: Iterable[Document | Deletion],
        *,
        progress: Callable[[IngestReport], None] | None = None,
    ) -> IngestReport:
        """Write the documents that are new or changed.

        Killing the process at any moment and calling this again with the same documents gives the same index as an
        undisturbed run. Documents that are not given stay as they are.

        Args:
            documents: documents with stable ids, and deletions; read lazily, a batch at a time. Of several with one
                id the last counts.
            progress: called after every batch with the report so far.

        Raises:
            EmptyCorpusError: there is no document at all.
        """
        with self._sole_writer():
            return self._ingestion().run(documents, progress)

    def repair(self, *, sample: int | None = None, progress: Callable[[int, int], None] | None = None) -> int:
        """Embed the chunks again whose vectors were lost.

        Args:
            sample: how many chunks to look at, evenly spread; where one of them has lost its vector, all are looked
                at. None looks at all.
            progress: called after every batch with the vectors made and the vectors to make.

        Returns:
            The number of vectors made.
        """
        if self.store.is_read_only:
            return 0
        with self.store.sole_writer():
            set_aside_damaged(self.store)
            return self._ingestion().repair(sample, progress)

    def remove_documents(self, document_ids: Iterable[str]) -> set[str]:
        """Remove documents with all their chunks.

        Args:
            document_ids: such as ``PMID:123``; those that are not in the index are passed over.

        Returns:
            The ids that were in the index.
        """
        with self._sole_writer():
            return self._ingestion().remove(document_ids)

    def info(self) -> IndexInfo:
        """Count what the index holds; see :func:`describe`."""
        return describe(self.store)

    @property
    def as_of(self) -> date | None:
        """Return the day whose state of PubMed all records have at least; None where a source stated none."""
        return stored_as_of(self.store)

    def document_ids(self) -> list[str]:
        """Yield the ids of all documents. In the order of the database."""
        return [node_id.removesuffix("#0") for node_id in self.store.ids() if node_id.endswith("#0")]

    def as_retriever(
        self, *, filters: MetadataFilters | None = None, include_retracted: bool = False, **kwargs: Any
    ) -> BaseRetriever:
        """Return a retriever over the index.

        Args:
            filters: LlamaIndex metadata filters on year, journal, mesh, publication_types and so on.
            include_retracted: whether retracted papers may be found; by default they are left out.
            kwargs: LlamaIndex's further arguments, such as ``similarity_top_k``.
        """
        if not include_retracted:
            filters = without_retracted(filters)
        return super().as_retriever(filters=filters, **kwargs)

    def as_query_engine(self, llm: LLMType | None = None, **kwargs: Any) -> "MedQAQueryEngine":
        """Return a query engine that verifies every sentence.

        LlamaIndex's own one, which does not, is :meth:`as_unverified_query_engine`.

        Args:
            llm: the model that drafts, or ``"extractive"`` for quotes without a model; None takes ``Settings.llm``.
            kwargs: arguments of :meth:`MedQAQueryEngine.from_index`, and ``text_qa_template`` for its ``prompt``.

        Raises:
            InputError: there is no model, or an argument is one of LlamaIndex's unverified engines alone.
        """
        from llama_index_medqa.answering.query_engine import MedQAQueryEngine

        if "text_qa_template" in kwargs:
            kwargs["prompt"] = kwargs.pop("text_qa_template")
        known = {
            name
            for function in (MedQAQueryEngine.from_index, MedQAQueryEngine.__init__)
            for name, parameter in signature(function).parameters.items()
            if parameter.kind is Parameter.KEYWORD_ONLY
        }
        if unknown := sorted(kwargs.keys() - known):
            raise InputError(
                f"as_query_engine() verifies every sentence, and takes no {', '.join(unknown)}. Leave it out, or use "
                "as_unverified_query_engine() for LlamaIndex's own engine."
            )
        drafter: Any = llm if llm == "extractive" else language_model(llm)
        return MedQAQueryEngine.from_index(self, drafter, **kwargs)

    def as_chat_engine(
        self, chat_mode: ChatMode = ChatMode.BEST, llm: LLMType | None = None, **kwargs: Any
    ) -> "MedQAChatEngine":
        """Return a chat engine that verifies every sentence.

        LlamaIndex's own ones, which are not, are :meth:`as_unverified_chat_engine`.

        Args:
            chat_mode: ``best`` or ``condense_question``, which are the same here.
            llm: as for :meth:`as_query_engine`.
            kwargs: ``memory``, ``papers`` and ``prompt`` of :class:`MedQAChatEngine`; others as for
                :meth:`as_query_engine`.

        Raises:
            InputError: another mode, or as for :meth:`as_query_engine`.
        """
        if chat_mode not in (ChatMode.BEST, ChatMode.CONDENSE_QUESTION):
            raise InputError(
                f"as_chat_engine() has no mode {getattr(chat_mode, 'value', chat_mode)!r}, whose answers nobody could "
                "verify. Leave chat_mode out, or use as_unverified_chat_engine() for LlamaIndex's own engines."
            )
        own = {name: kwargs.pop(name) for name in ("memory", "papers", "prompt") if name in kwargs}
        return self.as_query_engine(llm, **kwargs).as_chat_engine(**own)

    def as_unverified_query_engine(self, llm: LLMType | None = None, **kwargs: Any) -> BaseQueryEngine:
        """Return LlamaIndex's own query engine; nothing is verified.

        Args:
            llm: the model; None takes ``Settings.llm``.
            kwargs: as LlamaIndex has them; ``include_retracted`` as for :meth:`as_retriever`.
        """
        return self._unverified().as_query_engine(language_model(llm), **_with_filters(kwargs))

    def as_unverified_chat_engine(
        self, chat_mode: ChatMode = ChatMode.BEST, llm: LLMType | None = None, **kwargs: Any
    ) -> BaseChatEngine:
        """Return LlamaIndex's own chat engine; nothing is verified.

        Args:
            chat_mode: as LlamaIndex has them.
            llm: the model; None takes ``Settings.llm``.
            kwargs: as LlamaIndex has them; ``include_retracted`` as for :meth:`as_retriever`.
        """
        return self._unverified().as_chat_engine(chat_mode, language_model(llm), **_with_filters(kwargs))

    def _unverified(self) -> VectorStoreIndex:
        """Return a plain LlamaIndex index of the same vectors."""
        return VectorStoreIndex.from_vector_store(self.store, embed_model=self._embed_model)

    def insert(self, document: Document, **insert_kwargs: Any) -> None:
        """Ingest one document, under LlamaIndex's name."""
        self.ingest([document])

    async def ainsert(self, document: Document, **insert_kwargs: Any) -> None:
        """Ingest one document without blocking the event loop."""
        await asyncio.to_thread(self.ingest, [document])

    def refresh_ref_docs(self, documents: Sequence[Document], **update_kwargs: Any) -> list[bool]:
        """Ingest documents, under LlamaIndex's name.

        Returns:
            For each document whether it was written.
        """
        with self._sole_writer():
            present = self._ingestion().present(documents)
            self.ingest(documents)
        return [document.node_id not in present for document in documents]

    @contextmanager
    def _sole_writer(self) -> Iterator[None]:
        """Keep other processes from writing, and make the vectors again that a killed one left damaged."""
        with self.store.sole_writer():
            if set_aside_damaged(self.store):
                self.repair()
            yield

    def _ingestion(self) -> Ingestion:
        return Ingestion(self.store, self._transformations, self._embed_model)


def language_model(llm: LLMType | None) -> LLM:
    """Return a model by any name that LlamaIndex users give.

    Args:
        llm: a model, or what LlamaIndex resolves to one; None takes ``Settings.llm``.

    Raises:
        InputError: there is none.
    """
    try:
        return resolve_llm(llm) if llm else Settings.llm
    except (ImportError, ValueError) as error:
        raise InputError(
            "There is no language model to draft answers: give llm=, set Settings.llm, or take llm='extractive' for "
            f"quotes without a model ({str(error).strip().splitlines()[0]})."
        ) from error


def _with_filters(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with a filter of retracted papers. It is added unless they are asked for."""
    filters, include_retracted = kwargs.pop("filters", None), kwargs.pop("include_retracted", False)
    return {**kwargs, "filters": filters if include_retracted else without_retracted(filters)}
