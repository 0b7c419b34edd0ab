"""Document ids in a form that can be compared."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from llama_index_medqa.pubmed.pmids import pmid_of

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PMID_KEYS = ("pmid", "pubmed_id", "pubmedid")
# A record of ours without a PMID: it is none of the gold papers, and that is known.
_WITHOUT_PMID = "SHA"


def canonical_id(document_id: str) -> str:
    """Return the id by which a document is compared.

    It is ``PMID:123`` for a PMID in any form, a bare number included.

    Args:
        document_id: such as ``PMID:123``, ``123`` or ``https://pubmed.ncbi.nlm.nih.gov/123/``; others are kept.
    """
    pmid = pmid_of(document_id)
    return f"PMID:{pmid}" if pmid else document_id.strip()


def pmid_of_metadata(metadata: Mapping[str, Any]) -> str:
    """Return the PMID that metadata state; empty if none.

    It may stand under ``pmid`` or a similar key.
    """
    for key, value in metadata.items():
        if key.lower() in _PMID_KEYS and (pmid := pmid_of(str(value))):
            return pmid
    return ""


def are_pmids(documents: Iterable[str]) -> bool:
    """Return whether any document is named by its PMID."""
    return any(map(pmid_of, documents))


def are_all_pmids(documents: Iterable[str]) -> bool:
    """Return whether all documents are named by their PMIDs."""
    return all(map(pmid_of, documents))


def are_comparable(found: Collection[str], gold: Iterable[str]) -> bool:
    """Return whether ids can be compared with gold ids.

    They can where some are of the same kind, and where there are none.

    Where they cannot, as with UUIDs against PMIDs, it is unknown which documents were found.

    Args:
        found: canonical ids of the documents of an answer.
        gold: canonical ids of the right ones.
    """
    kinds = {_kind(name) for name in found}
    wanted = {_kind(name) for name in gold}
    if "PMID" in wanted:
        wanted.add(_WITHOUT_PMID)
    return not kinds or bool(kinds & wanted)


def is_by_chance(document_id: str) -> bool:
    """Return whether an id is a UUID, which names nothing that a person could know."""
    return bool(_UUID.fullmatch(document_id))


def _kind(document_id: str) -> str:
    if is_by_chance(document_id):
        return "UUID"
    prefix, colon, _ = document_id.partition(":")
    return prefix if colon else ""
