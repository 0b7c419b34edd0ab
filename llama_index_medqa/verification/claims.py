"""What a drafted sentence claims: without its "Yes", and clause by clause where it joins several statements."""

import re

# "Yes, aspirin lowers fever." claims that aspirin does; "No harm was seen." is a statement from its first word.
_YES_OR_NO = re.compile(r"^(?:yes|no)\s*(?:[,;:.–—-][\s,;:.–—-]*|$)", re.IGNORECASE)
_LEAD = re.compile(
    r"^(?:(?:based on|according to) (?:the |these |this )?(?:provided |given |retrieved )?"
    r"(?:abstracts?|context|evidence|information|literature|passages?|stud(?:y|ies)|text)(?: provided)?,\s*"
    r"|(?:the|these|this) (?:abstracts?|authors?|evidence|findings|passages?|results|stud(?:y|ies)|text) "
    r"(?:also )?(?:conclude|demonstrate|find|found|indicate|mention|note|report|reveal|say|show|state|suggest)"
    r"(?:s|d|ed)? that(?:\s+|$))",
    re.IGNORECASE,
)
_VERB = r"(?:is|are|was|were|has|have|had|do|does|did|can|could|may|might|will|would|\w+ed|\w+es)\b"
# A comma and such a word join two statements where the second has a subject and a verb of its own.
_JOINT = re.compile(
    r";\s+|,\s+(?:while|whereas|although)\s+"
    rf"|,?\s+(?:and|but)\s+(?=(?:(?:a|an|the|its|their|these|those|this|that|no|both)\s)?(?:[\w-]+\s){{1,4}}?{_VERB})",
    re.IGNORECASE,
)
_LEAST_WORDS = 4


def statement_of(sentence: str) -> str:
    """Return what a sentence states, without "Yes," and "The study found that"; empty where that is all it says."""
    bare = _YES_OR_NO.sub("", sentence.strip())
    bare = _LEAD.sub("", bare).strip()
    return bare[:1].upper() + bare[1:] if re.search(r"\w", bare) else ""


def clauses_of(claim: str) -> list[str]:
    """Return the statements that a claim joins, in order; the claim alone where it is one.

    Clauses without a verb and a few words of their own stay with the clause before them.
    """
    parts: list[str] = []
    start = 0
    for match in _JOINT.finditer(claim):
        before, after = claim[start : match.start()], claim[match.end() :]
        if all(_stands_alone(text) for text in (before, after)):
            parts.append(before.strip())
            start = match.end()
    parts.append(claim[start:].strip())
    return [f"{part.rstrip(' .,;')}." for part in parts]


def _stands_alone(text: str) -> bool:
    return len(text.split()) >= _LEAST_WORDS and bool(re.search(rf"\b{_VERB}", text, re.IGNORECASE))
