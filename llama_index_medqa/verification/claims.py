"""The claims of a drafted sentence, clause by clause."""

import re
from dataclasses import dataclass

from llama_index_medqa.text.words import FUNCTION_WORDS

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
_AUXILIARY = (
    "is are was were has have had do does did can could may might will would should must remains remained became"
).split()
# What drugs, diseases and values do. Other words in -ed and -es are too often adjectives and nouns: "related symptoms".
_EFFECTS = (
    "lower raise reduce increase decrease improve worsen prolong shorten lengthen prevent cause slow delay enhance "
    "protect inhibit promote relieve ease double halve triple extend restore suppress attenuate accelerate impair "
    "abolish eliminate induce block stimulate strengthen weaken boost diminish elevate alleviate aggravate exacerbate "
    "trigger avoid decline persist disappear recover relapse"
).split()
_PAST = [f"{verb.removesuffix('e')}ed" for verb in _EFFECTS] + "rose fell cut led shrank grew dropped".split()
_PRESENT = [f"{verb}s" for verb in _EFFECTS] + "rises falls cuts leads shrinks grows drops".split()
# What tells the clause of a finding too, where a comma parts it from the next one.
_REPORTED = (
    "appeared began came completed developed died differed experienced failed felt found gave got helped indicated "
    "kept made needed occurred predicted produced provided received reported required responded resulted saw seemed "
    "showed slept suggested survived tended took underwent went worked wrote yielded"
).split()
_TENSES = {"auxiliary": _AUXILIARY, "past": _PAST, "present": _PRESENT}
_VERB = "|".join(rf"(?P<{tense}>{'|'.join(verbs)})" for tense, verbs in _TENSES.items())
# No parts of words ("cut-off", "extended-release"), and no nouns ("increases in weight").
_END = r"\b(?!-)(?!(?<=[a-z]{3}s)\s+(?:of|in)\b)"
_FINITE = re.compile(rf"\b(?:{_VERB}){_END}", re.IGNORECASE)
_PREDICATE = re.compile(rf"(?:(?:also|even|then|\w+ly)\s+){{0,2}}(?:{_VERB}){_END}", re.IGNORECASE)
_ANY_VERB = re.compile(rf"\b(?:{_VERB}|{'|'.join(_REPORTED)}){_END}", re.IGNORECASE)
_SUBJECT = re.compile(r"(?:[\w-]+\s+){1,5}?")
_JOINT = re.compile(
    r"(?P<firm>;\s+|,\s+(?:while|whereas|although)\s+)|(?P<and>,?\s+(?:and|but|yet)\s+)|(?P<comma>,\s+)", re.IGNORECASE
)
# Behind one of these a verb belongs to another subject than the sentence's.
_SUBORDINATE = re.compile(
    r"\b(?:who|whom|whose|which|that|whether|because|although|while|whereas|if|when|where|once|until)\b", re.IGNORECASE
)
_NO_SUBJECT = re.compile(rf"{_SUBORDINATE.pattern}|\b(?:than|after|before|since)\b", re.IGNORECASE)
_LIST = re.compile(r",\s+(?:and|or)\s", re.IGNORECASE)
_NO_SUBJECT_END = FUNCTION_WORDS - frozenset("it they he she we".split())
_ADVERB_LAST = re.compile(r"(?<=\s)(?:also|(?!(?:assembly|family|supply)\b)\w+ly)\s+\Z", re.IGNORECASE)
# "No drug lowered pain and prolonged life" says nothing of each half.
_NOT_ALL = re.compile(r"\b(?:no|none|neither|nor|nobody|few|only|not)\b", re.IGNORECASE)
# "Between zinc and placebo": such a word waits for its second half.
_WAITING = re.compile(r"\b(?:between|both|either)\b(?!.*\b(?:and|or)\b)", re.IGNORECASE)
_PREPOSITION = re.compile(r"(?:after|as|at|before|by|during|for|from|in|of|on|to|with|without)\b", re.IGNORECASE)
_PARTICIPLE_BEHIND = re.compile(r"\s+(?:by|with|using|via|than)\b", re.IGNORECASE)
_LEAST_WORDS = 4


def statement_of(sentence: str) -> str:
    """Return what a sentence states, without its opening.

    "Yes," and "The study found that" are removed; empty where nothing else is said.
    """
    bare = _YES_OR_NO.sub("", sentence.strip())
    bare = _LEAD.sub("", bare).strip()
    return bare[:1].upper() + bare[1:] if re.search(r"\w", bare) else ""


@dataclass(frozen=True)
class _Predicate:
    """The finite verb of a clause.

    Attributes:
        subject: all that stands before it.
        verb: in small letters.
        tense: ``past`` or ``present`` of a verb that tells an effect, or ``auxiliary``.
        rest: all that stands behind it.
    """

    subject: str
    verb: str
    tense: str
    rest: str


def clauses_of(claim: str) -> list[str]:
    """Split a claim into the statements that it joins, in order.

    The claim alone where it is one statement.

    Each stands alone: a second predicate without a subject gets that of the first ("X lowered pain and prolonged life"
    states "X lowered pain." and "X prolonged life."). Lists of nouns stay whole, and so do halves that say something
    only together ("no drug lowered pain and prolonged life").
    """
    parts: list[str] = []
    subject, start = "", 0
    for joint in _JOINT.finditer(claim):
        before, after = subject + claim[start : joint.start()], claim[joint.end() :]
        if _joins_clauses(before, joint, after):
            carried = ""
        elif (predicate := _predicate(before)) and _goes_on(predicate, joint, after):
            carried = predicate.subject
        else:
            continue
        parts.append(before)
        subject, start = carried, joint.end()
    parts.append(subject + claim[start:])
    return [f"{part.strip().rstrip(' .,;')}." for part in parts]


def is_finite_verb(word: str) -> bool:
    """Return whether a word is a finite verb of findings.

    Such as "is", "lowered" or "showed".
    """
    return _ANY_VERB.fullmatch(word) is not None


def _joins_clauses(before: str, joint: re.Match[str], after: str) -> bool:
    """Return whether both sides of a conjunction are clauses.

    Each has a subject and a verb of its own.
    """
    if joint["firm"]:
        return all(len(text.split()) >= _LEAST_WORDS and _ANY_VERB.search(text) for text in (before, after))
    if joint["comma"] or _WAITING.search(before):
        return False
    verb = _ANY_VERB if joint["and"].startswith(",") else _FINITE
    return _has_subject(after, verb) and _whole(before, verb)


def _has_subject(text: str, verb: re.Pattern[str]) -> bool:
    """Return whether a text opens with a short subject and its verb."""
    if _PREDICATE.match(text) or _PREPOSITION.match(text):
        return False
    before = next((text[:position] for position in _verb_positions(text, verb)), "")
    return bool(_SUBJECT.fullmatch(before)) and not _NO_SUBJECT.search(before)


def _whole(text: str, verb: re.Pattern[str]) -> bool:
    """Return whether a text is a complete clause.

    No list that goes on, "it is known that zinc", or "patients who were given zinc".
    """
    positions = _verb_positions(text, verb)
    return len(positions) > len(_SUBORDINATE.findall(text)) and not _LIST.search(text, positions[-1])


def _verb_positions(text: str, verb: re.Pattern[str]) -> list[int]:
    """Return where the finite verbs of a text begin.

    Before each stands a word that may end a subject.
    """
    return [match.start() for match in verb.finditer(text) if _is_finite(text, match)]


def _is_finite(text: str, verb: re.Match[str]) -> bool:
    """Return whether a verb is finite.

    It is no adjective ("the increased risk") and no participle ("levels lowered by zinc").
    """
    before = text[: verb.start()].split()
    participle = verb.group().lower() not in _AUXILIARY and _PARTICIPLE_BEHIND.match(text, verb.end())
    return bool(before) and before[-1][-1].isalnum() and before[-1].lower() not in _NO_SUBJECT_END and not participle


def _predicate(clause: str) -> _Predicate | None:
    """Return the finite verb of a clause.

    None where the verb or its subject is ambiguous.
    """
    match = next((match for match in _FINITE.finditer(clause) if _is_finite(clause, match)), None)
    if match is None:
        return None
    subject, rest = clause[: match.start()], clause[match.end() :]
    if _SUBORDINATE.search(clause) or _NOT_ALL.search(subject) or _WAITING.search(subject):
        return None
    return _Predicate(_ADVERB_LAST.sub("", subject), match.group().lower(), str(match.lastgroup), rest)


def _goes_on(first: _Predicate, joint: re.Match[str], after: str) -> bool:
    """Return whether a second predicate of the same subject follows a conjunction."""
    second = _PREDICATE.match(after)
    if joint["firm"] or not second or not first.rest.split() or not after[second.end() :].strip(" ."):
        return False
    if joint["comma"]:  # "lowered pain, prolonged life and improved sleep"
        later = (_PREDICATE.match(after, other.end()) for other in _JOINT.finditer(after) if other["and"])
        if second.lastgroup != first.tense or not any(one and one.lastgroup == first.tense for one in later):
            return False
    if first.tense == "auxiliary" and second.lastgroup != "auxiliary":
        # "Was tied to nausea and reduced appetite" names two things, "did not ease pain but prolonged life" does not.
        denied = first.verb in {"do", "does", "did"} and first.rest.split()[0] == "not"
        return (
            denied
            and "but" in joint.group().lower()
            and second.lastgroup == ("past" if first.verb == "did" else "present")
        )
    return second.lastgroup in {"auxiliary", first.tense}
