"""PubMed records as LlamaIndex documents."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document

from llama_index_medqa.errors import EmptyCorpusError, InputError
from llama_index_medqa.pubmed.formats.reading import read_newest
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord
from llama_index_medqa.redaction import logger_of

_logger = logger_of(__name__)
_NAMED_AT_MOST = 5


def to_document(record: PubMedRecord) -> Document:
    """Convert a record to a document.

    Its text, its identity, and its metadata, which are kept out of embedding and prompt.

    Metadata keys are ``pmid``, ``title``, ``journal``, ``year``, ``date`` (the integer yyyymmdd), ``doi``, ``authors``
    (``King, Martin L; A Study Group``), ``volume``, ``issue``, ``pages``, ``mesh`` and ``publication_types`` (lists),
    ``status``, ``revised`` (yyyymmdd too), ``record_hash`` and
    ``section_spans`` (JSON: ``[[label, start, end], ...]``). What a record does not have is left out: a Chroma
    collection takes neither None nor an empty list.
    """
    metadata = _metadata(record)
    return Document(
        id_=record.document_id,
        text=record.text,
        metadata=metadata,
        excluded_embed_metadata_keys=list(metadata),
        excluded_llm_metadata_keys=list(metadata),
    )


def _metadata(record: PubMedRecord) -> dict[str, Any]:
    details = record.details
    spans = [[span.label, span.start, span.end] for span in record.section_spans]
    metadata = {
        "pmid": record.pmid,
        "title": record.title,
        "journal": record.journal,
        "year": record.date and record.date.year,
        "date": record.date and record.date.ordinal,
        "doi": record.doi,
        "authors": details.author_line,
        "volume": details.volume,
        "issue": details.issue,
        "pages": details.pages,
        "mesh": list(record.mesh),
        "publication_types": list(record.publication_types),
        "status": record.status,
        "revised": record.revised and record.revised.ordinal,
        "record_hash": record.record_hash,
        "section_spans": json.dumps(spans, ensure_ascii=False),
    }
    return {key: value for key, value in metadata.items() if value}


class PubMedReader(BasePydanticReader):
    """Reads files of PubMed records.

    LlamaIndex's own ``PubmedReader`` searches live and reads full texts.

    Documents come one at a time, the newest version of each record once; records without any text are left
    out and counted in a warning.
    """

    is_remote: bool = False

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves it."""
        return "PubMedReader"

    def lazy_load_data(
        self,
        files: str | Path | Iterable[str | Path],
        *,
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterator[Document]:
        """Read files as one corpus, a document at a time.

        It can stand in ``SimpleDirectoryReader(file_extractor={".xml": PubMedReader()})``. Leave ``filename_as_id`` out
        there: it replaces the ids by which a record is found again.

        Args:
            files: one or more paths, folders, glob patterns, or ``-`` for standard input. Of a record that
                appears more than once the newest version is read; a deletion removes what came before it.
            extra_info: more metadata for every document, kept out of embedding and prompt like all others; what a
                record says of itself is not replaced.
            fs: LlamaIndex's file system of a remote folder; none is supported.

        Yields:
            One document for each record with text, in the order of the files.

        Raises:
            InputError: a file is missing or of no supported format, or ``fs`` is given.
            SourceFormatError: a file is broken; documents before it were yielded.
            EmptyCorpusError: there was no record with text.
        """
        if fs is not None:
            raise InputError("PubMedReader reads local files, not those of fs=: copy them here, and leave it out.")
        sources = [files] if isinstance(files, (str, Path)) else list(files)
        documents = 0
        for item in self.lazy_load_changes(sources):
            if isinstance(item, Document):
                yield _with_metadata(item, extra_info or {})
                documents += 1
        if not documents:
            raise EmptyCorpusError(
                f"No record with text in {', '.join(map(str, sources)) or 'no files'}. Give files that hold some."
            )

    def lazy_load_changes(self, files: str | Path | Iterable[str | Path]) -> Iterator[Document | Deletion]:
        """Read files as one corpus, with its deletions.

        NLM's update files declare deletions, and an index applies them.

        Args:
            files: as for :meth:`lazy_load_data`.

        Yields:
            One document for each record with text, and NLM's deletions, in the order of the files.

        Raises:
            InputError: a file is missing or of no supported format.
            SourceFormatError: a file is broken; what stood before it was yielded.
        """
        sources = [files] if isinstance(files, (str, Path)) else list(files)
        yield from to_changes(read_newest(sources))


def _with_metadata(document: Document, extra: Mapping[str, Any]) -> Document:
    """Return a document with more metadata.

    None of it is embedded or shown to a model.
    """
    added = {key: value for key, value in extra.items() if key not in document.metadata}
    document.metadata.update(added)
    document.excluded_embed_metadata_keys.extend(added)
    document.excluded_llm_metadata_keys.extend(added)
    return document


def to_changes(items: Iterable[PubMedRecord | Deletion]) -> Iterator[Document | Deletion]:
    """Convert records to documents, and keep deletions.

    Records without any text are left out and counted in a warning, and those without a PMID are counted in another.
    """
    without_text: list[str] = []
    records = without_pmid = 0
    for item in items:
        if isinstance(item, Deletion):
            yield item
        elif item.text:
            records += 1
            without_pmid += item.pmid is None
            yield to_document(item)
        else:
            without_text.append(item.document_id)
    if without_pmid:
        _logger.warning(
            "%d of %d records have no PMID: they are told apart by their text, have no link to PubMed, and "
            "`medqa update` cannot ask for their revisions and retractions.",
            without_pmid,
            records,
        )
    if without_text:
        _logger.warning(
            "%d records have neither title nor abstract and were left out: %s",
            len(without_text),
            ", ".join(without_text[:_NAMED_AT_MOST]),
        )
