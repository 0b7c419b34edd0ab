"""PMIDs, as PubMed and as people write them."""

import re

_DIGITS = 10
_WRITTEN = re.compile(
    r"\s*(?:PMID\s*[:#]?\s*|(?:https?://)?(?:pubmed\.ncbi\.nlm\.nih\.gov|(?:www\.)?ncbi\.nlm\.nih\.gov/pubmed)/)?"
    r"0*([1-9][0-9]*)(?:\.0)?/?\s*",
    re.IGNORECASE,
)


def pmid_of(text: str) -> str | None:
    """Return the PMID that a text is, without leading zeros; else None.

    Args:
        text: such as ``123``, ``PMID: 123``, ``pmid 123`` or ``https://pubmed.ncbi.nlm.nih.gov/123/``; or ``123.0``, as
            tables write it.
    """
    found = _WRITTEN.fullmatch(text)
    return found[1] if found else None


def is_pmid(text: str) -> bool:
    """Return whether a text has the form of a PMID.

    Up to ten digits, and nothing else.
    """
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def is_plain_pmid(text: str) -> bool:
    """Return whether a text is a PMID as PubMed writes it.

    Digits without a leading zero.
    """
    return text.isascii() and text.isdecimal() and not text.startswith("0")
