"""Later notices on a paper and its publication types, written in words."""

import re

from llama_index_medqa.pubmed.record import Link, Status, status_of

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
_NOTICE = re.compile(rf"({'|'.join(_KINDS)}):?(?=\s|$)[\s:-]*", re.IGNORECASE)
_ANOTHER_NOTICE = re.compile(rf"[\s;]+(?=(?:{'|'.join(_KINDS)}):)", re.IGNORECASE)
_PMID = re.compile(r"[\s;]*PMID: ?(\d+)")
_MARK = "(?:retracted|withdrawn)(?: article| paper| publication)?"
# Publishers write it before the title; a notice's own title is worded otherwise. A withdrawn paper counts as retracted,
# as Scopus's type "tombstone" does.
_RETRACTED_TITLE = re.compile(rf"\[?{_MARK}\]? ?:|\[{_MARK}\]|\({_MARK}\)", re.IGNORECASE)
# Web of Science and some publishers write it after the title. It names at most where or when; DOIs hold brackets.
_RETRACTED_AFTER_TITLE = re.compile(
    rf"[\[(]{_MARK}(?:[.,;:]? (?:see\b(?:[^()\[\]]|\([^()]*\)){{1,300}}|(?:in )?[12][0-9]{{3}}))?[\])][\s.]*$",
    re.IGNORECASE,
)
_NOTICE_TITLE = re.compile(
    r"(?:notice of )?retraction(?: note| notice)?(?: to| of)? ?:|retraction (?:note|notice) (?:to|of) ", re.IGNORECASE
)
_NOTICE_AFTER_TITLE = re.compile(
    r"(?:\(retraction of [^()]{0,300}\bvol\b[^()]{0,300}\)|\[retraction\]|[\[(]retraction not(?:e|ice)[\])])[\s.]*$",
    re.IGNORECASE,
)
# The publication types that PubMed's records carry most. Where several stand in one cell, these tell where one ends.
_TYPES = (
    "Retracted Publication|Retraction of Publication|Retraction Notice|Retracted Article|Journal Article|Case Reports?|"
    "Clinical Trial Protocol|Clinical Trial, Phase (?:IV|I{1,3})|Clinical Trial|Randomized Controlled Trial|"
    "Controlled Clinical Trial|Pragmatic Clinical Trial|Multicenter Study|Observational Study|Comparative Study|"
    "Evaluation Study|Validation Study|Twin Study|Systematic Review|Scoping Review|Review|Meta-Analysis|Letter|"
    "Editorial|Comment|Practice Guideline|Guideline|English Abstract|Historical Article|Published Erratum|"
    "Expression of Concern|Preprint|News|Video-Audio Media|Article"
)
_KNOWN_TYPE = re.compile(
    # A retraction is seen wherever it stands; other types only where a mark ends them.
    r"\b(?:Retracted (?:Publication|Article)|Retraction of Publication|Retraction Notice)\b(?! as )|"
    rf"(?:(?<=^)|(?<=[.,/] )|(?<=[.,/]))(?:{_TYPES})(?=$|\.|/| /|,(?! (?:Phase|Veterinary)))",
    re.IGNORECASE,
)
_AROUND_TYPE = re.compile(r"^[\s.,;/]+|(?<!\.[A-Z])\.?[\s,;/]*$|(?<=\.)\.$")
_FIELD_AFTER_TYPE = re.compile(r"\s*\[(?:pt|Publication Type)\]", re.IGNORECASE)
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


def read_notices(text: str) -> tuple[Link, ...]:
    """Parse a line that may hold several notices.

    Such as ``Comment in: J Ex. 2003. PMID: 7; Retraction in: J Ex. 2004.``; none where it begins with none.
    """
    if _NOTICE.match(text) is None:
        return ()
    return tuple(filter(None, map(read_notice, _ANOTHER_NOTICE.split(text))))


def divided_types(text: str) -> list[str]:
    """Divide publication types that stand in one text.

    Exports join them by periods, commas, slashes or line ends. It is divided where a well-known type begins or ends, as
    types have periods and commas of their own (``Research Support, U.S. Gov't, P.H.S.``).
    """
    text = _FIELD_AFTER_TYPE.sub("", text).strip()
    parts: list[str] = []
    end = 0
    for found in _KNOWN_TYPE.finditer(text):
        parts += [text[end : found.start()], found[0]]
        end = found.end()
    whole = (_AROUND_TYPE.sub("", part) for part in (*parts, text[end:]))
    return [part for part in whole if part]


def status_of_title(title: str) -> Status:
    """Return the status that a title's beginning or end states.

    Publishers write it before the title, Web of Science after it; other databases than PubMed often state it nowhere
    else.
    """
    if _RETRACTED_TITLE.match(title) or _RETRACTED_AFTER_TITLE.search(title):
        return "retracted"
    is_notice = _NOTICE_TITLE.match(title) or _NOTICE_AFTER_TITLE.search(title)
    return "retraction_notice" if is_notice else "current"


def status_of_word(word: str) -> Status:
    """Return the status that a note of an export states.

    Our own export writes it so, others write the publication type; else ``current``.
    """
    return _STATUS_WORDS.get(word.strip().lower(), status_of((word.strip(),), ()))
