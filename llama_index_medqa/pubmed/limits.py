"""Limits on sizes of an input: beyond them a file is damaged or an attack.

PubMed's longest records are below 20 MB, its longest titles a few thousand characters.
"""

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.pmids import is_pmid
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord

LONGEST_RECORD = 1 << 26
"""Bytes of one record, or of one line of a file that is read by lines."""

LONGEST_PROLOG = 1 << 20
"""Bytes before the root element of an XML document."""

LARGEST_JSON_LIST = 1 << 30
"""Bytes of a file that must be held in memory as a whole."""

LONGEST_NAME = 20_000
"""Characters of a title, or of another value that every chunk of a record carries."""

LONGEST_PARAGRAPH = 2_000_000
"""Characters of a paragraph of an abstract."""

EXPANSION_ALLOWED = 1 << 28
"""Bytes that any compressed file may become."""

LARGEST_EXPANSION = 200
"""Bytes that one compressed byte may become beyond that; PubMed's files stay below 20."""


def require_sound(item: PubMedRecord | Deletion, name: str) -> None:
    """Check the sizes of a record's values and its PMID.

    Args:
        item: what was read.
        name: what to call the input in messages.

    Raises:
        SourceFormatError: a value is too long, or the PMID is none.
    """
    if item.pmid is not None and not is_pmid(item.pmid):
        raise SourceFormatError(
            f"{name} holds a record with the PMID {item.pmid[:40]!r}, which is no number. Correct it, or leave it out "
            "of a record that PubMed does not have."
        )
    if isinstance(item, PubMedRecord):
        _require_short(item, name)


def _require_short(record: PubMedRecord, name: str) -> None:
    names = {
        "title": (record.title,),
        "journal": (record.journal,),
        "DOI": (record.doi or "",),
        "MeSH heading": record.mesh,
        "publication type": record.publication_types,
    }
    limits = [(kind, values, LONGEST_NAME) for kind, values in names.items()]
    limits.append(("paragraph", tuple(section.text for section in record.sections), LONGEST_PARAGRAPH))
    for kind, values, limit in limits:
        longest = max(map(len, values), default=0)
        if longest > limit:
            raise SourceFormatError(
                f"{name} holds a record ({record.document_id}) with a {kind} of {longest:,} characters; at most "
                f"{limit:,} are read. The file is damaged or no file of abstracts: get it again, or shorten the record."
            )
