"""Ids of documents as they are compared: a PMID is one id however it is written, and some ids cannot be compared."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_PMID = re.compile(
    r"\s*(?:PMID\s*[:#]?\s*|(?:https?://)?(?:pubmed\.ncbi\.nlm\.nih\.gov|(?:www\.)?ncbi\.nlm\.nih\.gov/pubmed)/)?"
    r"0*([1-9][0-9]*)(?:\.0)?/?\s*",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PMID_KEYS = ("pmid", "pubmed_id", "pubmedid")
# A record of ours without a PMID: it is none of the gold papers, and that is known.
_WITHOUT_PMID = "SHA"


def canonical_id(document_id: str) -> str:
    """The id by which a document is compared: ``PMID:123`` for a PMID in any form, a bare number included.

    Args:
        document_id: such as ``PMID:123``, ``123`` or ``https://pubmed.ncbi.nlm.nih.gov/123/``; others are kept.
    """
    found = _PMID.fullmatch(document_id)
    return f"PMID:{found[1]}" if found else document_id.strip()


def pmid_of_metadata(metadata: Mapping[str, Any]) -> str:
    """The PMID that metadata name under ``pmid`` or the like; empty where they name none."""
    for key, value in metadata.items():
        if key.lower() in _PMID_KEYS and (found := _PMID.fullmatch(str(value))):
            return found[1]
    return ""


def are_pmids(documents: Iterable[str]) -> bool:
    """Whether any of the documents is named by its PMID."""
    return any(map(_PMID.fullmatch, documents))


def are_all_pmids(documents: Iterable[str]) -> bool:
    """Whether each of the documents is named by its PMID."""
    return all(map(_PMID.fullmatch, documents))


def are_comparable(found: Collection[str], gold: Iterable[str]) -> bool:
    """Whether ids can be held against gold ids: some are of a kind with them, or there are none.

    Where nothing is, as with UUIDs against PMIDs, nobody knows which documents were found.

    Args:
        found: canonical ids of the documents of an answer.
        gold: canonical ids of the right ones.
    """
    kinds = {_kind(name) for name in found}
    wanted = {_kind(name) for name in gold}
    if "PMID" in wanted:
        wanted.add(_WITHOUT_PMID)
    return not kinds or bool(kinds & wanted)


def _kind(document_id: str) -> str:
    if _UUID.fullmatch(document_id):
        return "UUID"
    prefix, colon, _ = document_id.partition(":")
    return prefix if colon else ""
