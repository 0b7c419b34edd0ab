"""Splitting an efetch answer into citations, byte for byte.

The bytes of a citation are kept as they came, so that nothing can be lost by storing them; reading them is
the business of :mod:`llama_index_medqa.pubmed.formats.xml`. The whole answer is checked to be well-formed on the way.
"""

import codecs
from dataclasses import dataclass
from xml.parsers import expat

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.pmids import is_plain_pmid

_ROOT = "PubmedArticleSet"
_DELETION = "DeleteCitation"
_CITATION_OF = {"PubmedArticle": "MedlineCitation", "PubmedBookArticle": "BookDocument"}
_PMID_DEPTH = {_DELETION: 3, "PubmedArticle": 4, "PubmedBookArticle": 4}
_HEADER = b'<?xml version="1.0" encoding="UTF-8"?>\n<PubmedArticleSet>\n'
_FOOTER = b"</PubmedArticleSet>\n"


@dataclass(frozen=True, slots=True)
class CitationXml:
    """The bytes of one citation or deletion.

    A ``PubmedArticle`` or ``PubmedBookArticle`` element, or one ``PMID`` of a ``DeleteCitation``.

    Attributes:
        pmid: its PubMed identifier.
        xml: the element, UTF-8, exactly as delivered.
    """

    pmid: str
    xml: bytes


@dataclass(frozen=True, slots=True)
class CitationSet:
    """The citations of an answer.

    Attributes:
        citations: in the order of the answer; a PMID occurs twice where two versions were delivered.
        deletions: what the answer declares deleted.
    """

    citations: tuple[CitationXml, ...] = ()
    deletions: tuple[CitationXml, ...] = ()

    @property
    def pmids(self) -> frozenset[str]:
        """Return all PMIDs of the set, deleted ones included."""
        return frozenset(item.pmid for item in self.citations + self.deletions)

    @property
    def deleted(self) -> tuple[str, ...]:
        """Return the PMIDs that are declared deleted, each once."""
        return tuple(dict.fromkeys(deletion.pmid for deletion in self.deletions))


def split_citations(xml: bytes) -> CitationSet:
    """Split a ``PubmedArticleSet`` into its citations.

    Args:
        xml: the whole document, UTF-8.

    Raises:
        SourceFormatError: the document is cut off, not well-formed, not a ``PubmedArticleSet``, not UTF-8,
            declares or needs entities, or has a citation without PMID.
    """
    return _Splitter(xml).split()


def join_citations(content: CitationSet) -> bytes:
    """Write citations as one ``PubmedArticleSet``.

    The inverse of :func:`split_citations`.
    """
    parts = [_HEADER]
    parts += [citation.xml + b"\n" for citation in content.citations]
    if content.deletions:
        parts.append(b"<DeleteCitation>\n")
        parts += [deletion.xml + b"\n" for deletion in content.deletions]
        parts.append(b"</DeleteCitation>\n")
    parts.append(_FOOTER)
    return b"".join(parts)


class _Splitter:
    """An expat parser that notes where citations lie."""

    def __init__(self, xml: bytes) -> None:
        self._xml = xml
        self._open: list[str] = []
        self._start = 0
        self._pmid_start = 0
        self._pmid: list[str] | None = None
        self._pmids: list[CitationXml] = []
        self._citations: list[CitationXml] = []
        self._deletions: list[CitationXml] = []
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.XmlDeclHandler = self._on_declaration
        self._parser.EntityDeclHandler = self._on_entity
        self._parser.SkippedEntityHandler = self._on_entity
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_text

    def split(self) -> CitationSet:
        # expat follows a UTF-16 byte order mark even when it is told the encoding.
        if self._xml.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise SourceFormatError("The XML is in UTF-16; PubMed's is UTF-8. Convert it first.")
        try:
            self._parser.Parse(self._xml, True)
        except expat.ExpatError as error:
            raise SourceFormatError(
                f"The XML is broken at line {error.lineno}, column {error.offset}: "
                f"{expat.ErrorString(error.code)}. Fetch it again."
            ) from error
        return CitationSet(tuple(self._citations), tuple(self._deletions))

    def _on_declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() not in {"UTF-8", "US-ASCII"}:
            raise SourceFormatError(f"The XML is in {encoding}; PubMed's is UTF-8. Convert it first.")

    def _on_entity(self, name: str, *_: object) -> None:
        raise SourceFormatError(f"The XML declares or needs the entity {name!r}; PubMed's does neither.")

    def _on_start(self, name: str, _attributes: dict[str, str]) -> None:
        self._open.append(name)
        depth = len(self._open)
        if depth == 1 and name != _ROOT:
            raise SourceFormatError(f"The root element of the XML is {name}, where {_ROOT} was expected.")
        if depth == 2:
            if name not in _PMID_DEPTH:
                raise SourceFormatError(f"The XML holds the element {name}, which is no citation of PubMed.")
            self._start = self._parser.CurrentByteIndex
            self._pmids = []
        elif name == "PMID" and depth in (3, 4) and self._is_own_pmid(depth):
            self._pmid = []
            self._pmid_start = self._parser.CurrentByteIndex

    def _is_own_pmid(self, depth: int) -> bool:
        """Return whether the open PMID is the citation's own.

        Others are of papers that it refers to.
        """
        kind = self._open[1]
        return depth == _PMID_DEPTH[kind] and (kind == _DELETION or self._open[2] == _CITATION_OF[kind])

    def _on_text(self, text: str) -> None:
        if self._pmid is not None:
            self._pmid.append(text)

    def _on_end(self, name: str) -> None:
        if self._pmid is not None:
            pmid = "".join(self._pmid).strip()
            self._pmids.append(CitationXml(pmid, self._element_from(self._pmid_start)))
            self._pmid = None
        if len(self._open) == 2:
            self._close_citation(name)
        self._open.pop()

    def _close_citation(self, name: str) -> None:
        if not self._pmids or not all(is_plain_pmid(item.pmid) for item in self._pmids):
            raise SourceFormatError(f"A {name} without PMID ends at line {self._parser.CurrentLineNumber}.")
        if name == _DELETION:
            self._deletions += self._pmids
            return
        self._citations.append(CitationXml(self._pmids[0].pmid, self._element_from(self._start)))

    def _element_from(self, start: int) -> bytes:
        """Return the bytes from a start tag to the current end tag."""
        return self._xml[start : self._xml.index(b">", self._parser.CurrentByteIndex) + 1]
