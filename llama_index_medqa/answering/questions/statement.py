"""Rewriting a yes/no question as the statement that "yes" asserts."""

import re

from llama_index_medqa.answering.questions.quotation_marks import unquoted

_TRUE_THAT = re.compile(r"^(?:is it (?:true|correct|known|the case)|do we know|can we say) that\s+", re.IGNORECASE)
_DO = re.compile(r"^(?:does|do|did)\s+(?!not\b)", re.IGNORECASE)
_BE_OR_HAVE = re.compile(r"^(is|are|was|were|has|have)\s+(?!not\b)(?=\w)", re.IGNORECASE)
_CAN = re.compile(r"^(?:can|could|may|might)\s+(?!not\b)", re.IGNORECASE)
# "Is it inherited or acquired?" asks which.
_EITHER = re.compile(r"\bor\b", re.IGNORECASE)
_THERE = re.compile(r"^there\s+", re.IGNORECASE)
# Where the subject of "Is the new drug effective …?" ends: before the first word that is said of a subject.
_SAID_OF_IT = re.compile(
    r"(?<=\s)(?:not\s+)?(?:\w+ly\s+)?(?:a|an|the|\w{3,}(?:ed|ive|able|ible|ful|ous|less|ic|ary)|associated|been|better|"
    r"beneficial|common|different|due|equal|essential|found|given|good|greater|harmful|helpful|higher|important|in|"
    r"independent|inferior|involved|known|likely|linked|longer|lower|made|more|less|needed|possible|present|rare|related|"
    r"relevant|resistant|responsible|safe|safer|seen|sensitive|sex|shorter|shown|significant|similar|specific|stronger|"
    r"sufficient|superior|true|under|used|useful|worse|worth)\b"
)
# "Double balloon enteroscopy: is it safe?" names what it asks about first.
_TOPIC = re.compile(
    r"^(?P<topic>[^?:]{8,}?)\s*(?::|--|–|—|\.)\s*"
    r"(?P<question>(?:is|are|was|were|has|have|does|do|did|can|could|may|might)\s+(?!not\b)\w.*)$",
    re.IGNORECASE | re.DOTALL,
)
_PRONOUN = re.compile(r"^(?:it|they|this|these)\b", re.IGNORECASE)
_QUESTION_MARKS = re.compile(r"[?？]")


def question_statement(question: str) -> str | None:
    """Return the statement that "yes" to a question asserts.

    None where it is no yes/no question.

    "Does green tea lower the heart rate?" becomes "Green tea lower the heart rate.": the form of the verb is left, as
    an entailment model reads it as well. What someone *should* do, or *will*, is no statement of a paper.
    """
    text = unquoted(question).strip().rstrip("?？. ").strip()
    if _QUESTION_MARKS.search(text):
        return None
    if found := _TOPIC.match(text):
        return _of_topic(found["topic"].strip(), question_statement(found["question"]))
    for pattern in (_TRUE_THAT, _DO, _CAN):
        if found := pattern.match(text):
            return _sentence(text[found.end() :])
    found = _BE_OR_HAVE.match(text)
    if found is None or _EITHER.search(text):
        return None
    return _sentence(_with_verb(found.group(1).lower(), text[found.end() :]))


def _of_topic(topic: str, statement: str | None) -> str | None:
    """Return a statement about a topic that was named before it."""
    if statement is None:
        return None
    if _PRONOUN.match(statement):
        return _sentence(_PRONOUN.sub(lambda _: topic, statement).rstrip("."))
    return _sentence(f"{topic}: {statement}".rstrip("."))


def _with_verb(verb: str, rest: str) -> str:
    """Move the opening verb of a question behind its subject.

    Where the subject can be told.
    """
    if there := _THERE.match(rest):
        return f"there {verb} {rest[there.end() :]}"
    said = _SAID_OF_IT.search(rest)
    return f"{rest[: said.start()]}{verb} {rest[said.start() :]}" if said else rest


def _sentence(text: str) -> str | None:
    text = text.strip()
    return f"{text[0].upper()}{text[1:]}." if text else None
