"""Later notices on a paper, written in words."""

import re

from llama_index_medqa.pubmed.record import Link, Status

_KINDS = {
    "Comment in": "CommentIn",
    "Comment on": "CommentOn",
    "Erratum in": "ErratumIn",
    "Erratum for": "ErratumFor",
    "Expression of concern in": "ExpressionOfConcernIn",
    "Expression of concern for": "ExpressionOfConcernFor",
    "Retraction in": "RetractionIn",
    "Retraction of": "RetractionOf",
    "Partial retraction in": "PartialRetractionIn",
    "Partial retraction of": "PartialRetractionOf",
    "Retracted and republished in": "RetractedandRepublishedIn",
    "Retracted and republished from": "RetractedandRepublishedFrom",
    "Corrected and republished in": "CorrectedandRepublishedIn",
    "Corrected and republished from": "CorrectedandRepublishedFrom",
    "Republished in": "RepublishedIn",
    "Republished from": "RepublishedFrom",
    "Update in": "UpdateIn",
    "Update of": "UpdateOf",
    "Summary for patients in": "SummaryForPatientsIn",
    "Original report in": "OriginalReportIn",
}
_BY_WORDS = {words.lower(): kind for words, kind in _KINDS.items()}
_NOTICE = re.compile(rf"({'|'.join(_KINDS)}):?(?=\s|$)\s*", re.IGNORECASE)
_PMID = re.compile(r"[\s;]*PMID: ?(\d+)")
# Publishers write it before the title; a notice's own title is worded otherwise.
_RETRACTED_TITLE = re.compile(
    r"\[?retracted(?: article| paper)?\]? ?:|\[retracted(?: article| paper)?\]", re.IGNORECASE
)
_NOTICE_TITLE = re.compile(
    r"(?:notice of )?retraction(?: note| notice)?(?: to| of)? ?:|retraction (?:note|notice) (?:to|of) ", re.IGNORECASE
)
_STATUS_WORDS: dict[str, Status] = {
    "retracted": "retracted",
    "retraction_notice": "retraction_notice",
    "concern": "concern",
    "corrected": "corrected",
}


def read_notice(text: str) -> Link | None:
    """Parse the line of a notice; None where it is none.

    Such as ``Retraction in: J Ex. 2003;1:2. PMID: 77``.
    """
    found = _NOTICE.match(text)
    if found is None:
        return None
    source = text[found.end() :].strip()
    pmid = _PMID.search(source)
    return Link(
        _BY_WORDS[found[1].lower()], pmid[1] if pmid else None, source[: pmid.start()].rstrip() if pmid else source
    )


def status_of_title(title: str) -> Status:
    """Return the status that a title's beginning states.

    Publishers write it there; for sources without publication types.
    """
    if _RETRACTED_TITLE.match(title):
        return "retracted"
    return "retraction_notice" if _NOTICE_TITLE.match(title) else "current"


def status_of_word(word: str) -> Status:
    """Return the status that a note of an export states.

    Our own export writes it so; else ``current``.
    """
    return _STATUS_WORDS.get(word.strip().lower(), "current")
