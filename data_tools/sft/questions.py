"""Questions made from titles and objectives by rules of grammar.

Where none is sure, there is no question.
"""

import re

_INTERROGATIVE = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|should|will|would|may|might|has|have|had|what|which|who|how|why|when|"
    r"where|whether)\b",
    re.IGNORECASE,
)
_VERBS = (
    r"(?:evaluat|assess|investigat|examin|determin|explor|stud[yi]|estimat|describ|identif|measur|test|compar|"
    r"analy[sz]|quantif|establish|clarif|characteri[sz]|review|verif|observ|find out|see)"
)
# "To assess X", "the aim was to assess X", "we aimed to assess X", "we assessed X", "this trial assessed X".
_OBJECTIVE = re.compile(
    rf"(?:^(?:the primary objective was )?to|\b(?:aims?|objectives?|purposes?|goals?)\b[^.]{{0,60}}?"
    rf"\b(?:was|were|is|are) to|"
    rf"\b(?:aim(?:s|ed)?|sought|wanted|intended|set out|designed|conducted|undertaken|performed) to|"
    rf"\b(?:we|(?:this|the present|the current|our) (?:\w+ ){{0,3}}?(?:study|trial|review|analysis)))\s+"
    rf"(?:\w+ly )?(?P<verb>{_VERBS}\w*)(?: (?:and|or) (?:{_VERBS})\w*)?\s+(?P<object>.+)$",
    re.IGNORECASE,
)
# Where a second aim or a remark begins.
_OBJECT_END = re.compile(
    r"\s*(?:[;:]|,? (?:and|or|as well as) (?:to|whether|if|we|this|these)\b|,? in order to\b|"
    r",? (?:using|by (?:means|using|comparing|a))\b|, (?:we|which|with|as|in|a|the)\b).*$",
    re.IGNORECASE,
)
_RELATIONS = (
    r"(?:(?:(?!of\b|the\b|and\b)[\w-]+(?:,? and|,)? ){0,4}?)(?:effects?|effectiveness|efficacy|efficiency|impacts?|"
    r"influences?|safety|"
    r"tolerability|roles?|associations?|relationships?|relations?|correlations?|prevalence|incidence|risks?|"
    r"prognosis|accuracy|validity|reliability|feasibility|acceptability|usefulness|utility|performance|"
    r"differences?|frequency|outcomes?|benefits?|rates?|levels?|contributions?|potential|predictors?|"
    r"determinants|causes?|characteristics|features|pharmacokinetics|cost-effectiveness|value|changes?|response|responses)"
)
_RELATION = re.compile(rf"(?:the\s+)?(?P<head>{_RELATIONS})\s+(?:of|between|in|for|on|among|to|with)\b", re.IGNORECASE)
_CONJUNCTION = re.compile(r"(?:whether(?: or not)?|if|the (?:hypothesis|question) (?:that|whether))\s+", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"^(?P<subject>(?:(?!\b(?:who|which|that|when|where|if)\b)[^,;])+?)\s+"
    r"(?P<auxiliary>is|are|was|were|can|could|may|might|will|would|should|does|do|did|"
    r"(?:has|have|had)(?=(?: not| also)? (?:been|\w+ed)\b))\s+(?P<rest>.+)$",
    re.IGNORECASE,
)
_MAIN_VERB = re.compile(
    r"^(?P<subject>(?:(?!\b(?:who|which|that|when|where|if)\b)[^,;])+?)"
    r"(?<! to)(?<! of)(?<! by)(?<! in)(?<! for)(?<! and)(?<! the)(?<! a)(?<! an)(?<! with)(?<! on)\s+"
    r"(?P<verb>improv|reduc|increas|decreas|affect|prevent|influenc|lower|enhanc|alter|caus|lead|result|provid|"
    r"protect|modif|predict|delay|accelerat|shorten|promot|differ|correlat|worsen|rais|inhibit|attenuat)"
    r"(?P<ending>es|ies|s|e|y|)\s+(?P<rest>.+)$",
    re.IGNORECASE,
)
_E_DROPPED = frozenset(
    "improv reduc increas decreas influenc enhanc caus provid accelerat promot correlat rais attenuat".split()
)
_SINGULAR_IN_S = ("ss", "is", "us")
# What only the abstract can tell the meaning of.
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:our|we|us|these|those|this|such|it|its|they|he|she|here|former|latter|above|current study|present study)\b",
    re.IGNORECASE,
)
_FEWEST_WORDS, _MOST_WORDS = 5, 40


def question_of_title(title: str) -> str | None:
    """Return the question of a title.

    The title itself, or one made of "Effect of exercise on sleep: a trial".
    """
    title = title.strip().strip("[]").rstrip(".")
    if title.endswith("?"):
        after_colon = title.rpartition(": ")[2]
        if _INTERROGATIVE.match(after_colon):
            title = after_colon
        return _checked(_capitalised(title))
    subject = re.split(r":\s|\s[-–—]+\s|--|\?\s", title)[0].strip()
    found = _RELATION.match(subject)
    return _checked(_what_is(found["head"], subject)) if found else None


def question_of_objective(sentence: str) -> str | None:
    """Return the question of a study's aim.

    "To assess whether A lowers B." gives "Does A lower B?".
    """
    found = _OBJECTIVE.search(sentence.strip().rstrip(". "))
    if found is None:
        return None
    subject = _OBJECT_END.sub("", found["object"].strip())
    if conjunction := _CONJUNCTION.match(subject):
        return _checked(_inverted(subject[conjunction.end() :]))
    if found["verb"].lower().startswith("compar") and re.search(
        r"\b(?:with|to|and|versus|vs\.?|between|among)\b", subject
    ):
        return _checked(f"What does a comparison of {subject} show?")
    relation = _RELATION.match(subject)
    return _checked(_what_is(relation["head"], subject)) if relation else None


def states_aim(sentence: str) -> bool:
    """Return whether a sentence says what was to be found out."""
    return _OBJECTIVE.search(sentence) is not None


def _what_is(head: str, subject: str) -> str:
    """Return a question of a noun phrase.

    The last word before its preposition is the head's last.
    """
    subject = re.sub(r"^the\s+", "", subject, flags=re.IGNORECASE)
    first = subject.split()[0]
    if first[1:].islower():
        subject = subject[0].lower() + subject[1:]
    plural = (head.endswith("s") and not head.endswith(_SINGULAR_IN_S)) or bool(re.search(r"\band\b", head))
    return f"What {'are' if plural and head.lower() != 'pharmacokinetics' else 'is'} the {subject}?"


def _inverted(clause: str) -> str | None:
    """Return the question of a statement.

    Its auxiliary comes before its subject, or "does" where it has none.
    """
    auxiliary, verb = _AUXILIARY.match(clause), _MAIN_VERB.match(clause)
    if re.match(r"(?:and|or)\b", clause):
        return None
    if auxiliary and (verb is None or len(auxiliary["subject"]) < len(verb["subject"])):
        return f"{auxiliary['auxiliary'].capitalize()} {auxiliary['subject']} {auxiliary['rest']}?"
    if verb is None:
        return None
    stem = verb["verb"].lower()
    base = stem + ("y" if stem == "modif" else "e" if stem in _E_DROPPED else "")
    return f"{'Does' if verb['ending'].endswith('s') else 'Do'} {verb['subject']} {base} {verb['rest']}?"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _checked(question: str | None) -> str | None:
    """Return a question if it is complete and of a sensible length.

    It must be understood without the abstract.
    """
    if question is None or _POINTS_ELSEWHERE.search(question) or question.count("(") != question.count(")"):
        return None
    return question if _FEWEST_WORDS <= len(question.split()) <= _MOST_WORDS else None
