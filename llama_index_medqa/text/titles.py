"""Titles: whether one says what was found, or only names a topic.

By the verbs that titles of findings have; a topic is named by nouns.
"""

import re

# Verbs of titles that state a finding.
_FINDING_VERBS = (
    "accelerate activate affect alleviate ameliorate associate attenuate augment confer contribute correlate cure "
    "define depend deteriorate determine differ diminish disrupt drive elevate eliminate enable enhance exacerbate "
    "exhibit facilitate fail favor favour generate identify impair improve induce inhibit involve lead maintain "
    "mediate mitigate modify modulate occur outperform precede predict predispose prevent prolong promote protect "
    "provide raise reduce reflect regulate relieve remain require resolve reveal reverse shorten show stabilise "
    "stabilize stimulate suggest suppress sustain worsen"
).split()
# Of these the forms may be nouns: "increases in risk", "cause of death".
_VERBS_OR_NOUNS = (
    "alter benefit block boost cause change control decrease delay extend harm help impact increase influence limit "
    "lower slow support target trigger"
).split()
_TITLE_AUXILIARIES = frozenset(
    "is are was were do does did has have had can cannot could may might will would should must showed fell".split()
)
_TITLE_CLAUSES = re.compile(r"[:;.?!]\s|\s[-–—]\s")
_SUBORDINATE = re.compile(
    r"\b(?:how|if|that|what|when|where|whether|which|while|who|whom|whose|why)\b[^,]*", re.IGNORECASE
)
_WORD = re.compile(r"[^\W_]+(?:[-‐‑–'’./][^\W_]+)*")
_BEFORE_AN_INFINITIVE = frozenset("and can could does do did help may might not or should to will would".split())
_BEFORE_A_NOUN = frozenset("a an by for from in of on or the their these to with".split())
_AFTER_A_NOUN = frozenset(
    "after among and as at before between by during following for from in of on or over through under with within "
    "without".split()
)


def _third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("ss", "sh", "ch", "x")) else f"{verb}s"


_SINGULAR_VERBS = frozenset(map(_third_person, _FINDING_VERBS))
_PLURAL_VERBS = frozenset(_FINDING_VERBS)
_SINGULAR_VERBS_OR_NOUNS = frozenset(map(_third_person, _VERBS_OR_NOUNS))
_PLURAL_VERBS_OR_NOUNS = frozenset(_VERBS_OR_NOUNS)


def title_states_finding(title: str) -> bool:
    """Return whether a title says what was found, not only what it is about.

    "Tea lowers the pulse" does; "Impact of tea on the pulse" and "Does tea lower the pulse?" do not.
    """
    if "?" in title:
        return False
    return any(_has_finding_verb(_SUBORDINATE.sub("", clause)) for clause in _TITLE_CLAUSES.split(title))


def _has_finding_verb(clause: str) -> bool:
    """Return whether a part of a title has a verb of findings; "to reduce" and "increases in" are none."""
    words = ["" if word.isupper() and len(word) > 1 else word.lower() for word in _WORD.findall(clause)]
    return any(
        _is_finding_verb(before, word, after)
        for before, word, after in zip(words, words[1:], [*words[2:], ""], strict=False)
    )


def _is_finding_verb(before: str, word: str, after: str) -> bool:
    if word in _TITLE_AUXILIARIES:
        return True
    if word in _SINGULAR_VERBS:
        return before not in _BEFORE_A_NOUN and after != "of"
    if word in _PLURAL_VERBS:
        return before not in _BEFORE_AN_INFINITIVE and bool(after)
    if not after or after in _AFTER_A_NOUN:
        return False
    if word in _SINGULAR_VERBS_OR_NOUNS:
        return before not in _BEFORE_A_NOUN
    # "Randomised control trial": a verb of this form follows a plural.
    return word in _PLURAL_VERBS_OR_NOUNS and before.endswith("s") and not before.endswith(("ss", "us", "is"))
