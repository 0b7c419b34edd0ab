"""Sentences that cannot be understood without the one before."""

import re

# What a sentence may open with before its subject.
_OPENING = r"(?:(?:and|but|also|however|moreover|furthermore|additionally|in addition|nevertheless|still|then),?\s+)*"
_POINTS_BACK = re.compile(
    rf"\W*{_OPENING}(?:"
    # It draws on what stands before: "Therefore, …", "For example, …".
    r"(?:therefore|thus|hence|consequently|accordingly|similarly|likewise|conversely|otherwise|for (?:example|"
    r"instance)|"
    r"as (?:a|one) (?:result|consequence)|as such|in (?:contrast|turn|other words|this (?:case|way|context|regard))|"
    r"by contrast|for (?:this|these|that|those) reasons?|(?:because|as a result|in spite|instead) of (?:this|these|"
    r"that)|"
    r"that is|on the (?:other hand|contrary)|despite (?:this|these|that))\b"
    r"|(?:this|these|it|its|they|their|them|he|she|his|her|such)\b"
    r"|(?:that|those)\b"
    r"|the (?:former|latter|same|other)\b"
    r"|both (?!(?:\S+\s+){0,4}and\b)"
    r")",
    re.IGNORECASE,
)
# These name what they speak of, or nothing at all: "It is known that …", "Those with diabetes …", "This trial …".
_STANDS_ALONE = re.compile(
    rf"\W*{_OPENING}(?:"
    r"it (?:is|was|has been|may be|seems|appears|remains) (?:\w+ ){0,3}?(?:that|whether|how|why)\b"
    r"|it (?:is|was|may be|seems|remains) (?:\w+ly )?(?:advisable|best|common|crucial|difficult|easier|easy|essential|"
    r"feasible|hard|impossible|important|necessary|possible|rare|safe|unusual|useful) (?:for [\w ]+ )?to\b"
    r"|(?:that|those) (?:who|whose|with|without|in|on|of|at|from|aged|over|under|receiving|taking|treated|having)\b"
    r"|(?:this|these|our) (?:\w+[ -]){0,4}?(?:analysis|article|case|cohort|guidelines?|investigation|meta-analysis|"
    r"meta-analyses|paper|reports?|reviews?|stud(?:y|ies)|survey|trials?)\b"
    r")",
    re.IGNORECASE,
)


def leans_back(sentence: str) -> bool:
    """Return whether a sentence refers back ("This could explain …")."""
    return bool(_POINTS_BACK.match(sentence)) and not _STANDS_ALONE.match(sentence)
