"""Splitting a question with several parts into questions to search for."""

import re
from dataclasses import dataclass

from llama_index_medqa.text.words import content_words

_ASKING = (
    r"(?:what|which|who|why|how|when|where|whether|is|are|was|were|do|does|did|can|could|should|will|would|has|have)\b"
)
# "… ? And how …", "…; which …", "…, and which …", "… and what …"; but "… and which are …" goes on.
_BOUNDARY = re.compile(
    rf"\?\s+(?=\S)|;\s*(?:and\s+)?(?={_ASKING})|,\s+and\s+(?=(?:which|who)\b)|,?\s+and\s+(?=(?:how|what|why|when)\b)",
    re.IGNORECASE,
)
_LEANS_BACK = re.compile(r"\b(?:it|its|they|them|their|this|these|that|those|he|she|his|her|one)\b", re.IGNORECASE)
_LEAST_WORDS = 2
_MOST_PARTS = 4


@dataclass(frozen=True, slots=True)
class QuestionPart:
    """A part of a question.

    Attributes:
        text: the part as it stands in the question.
        search: what is searched for: the part, and the part before it where it leans on that ("and is it safe?").
    """

    text: str
    search: str


def question_parts(question: str) -> list[QuestionPart]:
    """Return the parts of a question; itself where it has one.

    It is cut where another question begins: after a question mark, or at "and what", "; how" and the like. A piece
    with fewer than two meaningful words ("and why?") stays with the one before it.
    """
    pieces: list[str] = []
    start = 0
    for match in [*_BOUNDARY.finditer(question), None]:
        end = len(question) if match is None else match.start() + (1 if match.group().startswith("?") else 0)
        piece = question[start:end].strip(" ,;")
        start = end if match is None else match.end()
        if pieces and len(content_words(piece)) < _LEAST_WORDS:
            pieces[-1] = question[question.rindex(pieces[-1]) : end].strip(" ,;")
        elif piece:
            pieces.append(piece)
    if not 1 < len(pieces) <= _MOST_PARTS or len(content_words(pieces[0])) < _LEAST_WORDS:
        return [QuestionPart(question, question)]
    parts = [QuestionPart(pieces[0], pieces[0])]
    for piece in pieces[1:]:
        leans = bool(_LEANS_BACK.search(piece)) or len(content_words(piece)) < _LEAST_WORDS
        parts.append(QuestionPart(piece, f"{parts[0].text} {piece}" if leans else piece))
    return parts
