"""Whether a sentence tells what a study asked or did, rather than what it found."""

import re

_DONE = re.compile(
    r"\b(?:was|were)\s+(?:\w+ly\s+|then\s+|also\s+|all\s+)?(?:allocated|analy[sz]ed|asked|assessed|assigned|calculated|"
    r"collected|compared|conducted|determined|divided|enrolled|estimated|evaluated|examined|excluded|included|interviewed|"
    r"investigated|invited|measured|monitored|obtained|performed|randomi[sz]ed|recorded|recruited|reviewed|screened|"
    r"selected|stratified|studied|surveyed|tested|undertaken|used)\b"
    r"|\bwe\s+(?:\w+ly\s+)?(?:aim(?:ed)?|analy[sz]ed?|assess(?:ed)?|attempt(?:ed)?|calculated|collected|compared?|"
    r"conducted|determined|enrolled|estimated|evaluated?|examined?|explored?|included|investigated?|measured|performed|"
    r"recruited|review(?:ed)?|searched|seek|selected|sought|stud(?:y|ied)|surveyed|tested|tried|used)\b",
    re.IGNORECASE,
)
_FOUND = re.compile(
    r"%|\bp\s*[<=>]|\b(?:significan\w+|increas\w+|decreas\w+|reduc\w+|improv\w+|higher|lower|greater|fewer|longer|shorter|"
    r"better|worse\w*|more|less|differ(?:s|ed|ence|ences)?|similar\w*|correlat\w+|found|showed?n?|observed|"
    # "The costs associated with it were estimated" reports nothing.
    r"(?:is|was|are|were|be|been|being|and|also|\w+ly|not) associated|"
    r"detected|revealed|demonstrated|identified|resulted|predict\w+|effective\w*|benefi\w+|caus(?:e|es|ed)|led|median|"
    r"mean|odds|ratio|rates?|no|not)\b",
    re.IGNORECASE,
)
# What is not known, or was only asked.
_OPEN = re.compile(
    r"\b(?:remains?|remained|is|are|was|were)\s+(?:(?:still|highly|largely|currently|also)\s+)*(?:controversial|debated|"
    r"disputed|unclear|unknown|uncertain|unresolved|"
    r"a matter of debate|under (?:debate|development|discussion|investigation|study)|"
    r"being (?:developed|evaluated|investigated|studied|tested))\b"
    r"|\blittle (?:is|was) known\b|\bneeds? for (?:better |further |more )?(?:data|evidence|research|studies|trials)\b"
    r"|\b(?:additional|further|more) (?:data|evidence|research|studies|trials|work) (?:is|are|will be) "
    r"(?:necessary|needed|required|warranted)\b",
    re.IGNORECASE,
)
# Within these nothing is asserted, whatever they hold.
_REST = r"(?:(?!,\s(?:and|but)\b)[^;.])*"
_UNASSERTED = re.compile(
    rf"\bwhether\b{_REST}"
    rf"|\b(?:see|observe|determine|assess|test|know|ask|find out|investigate|examine)\s+if\b{_REST}"
    rf"|\b(?:aim|attempt|intend|seek|sought|set out|tried|try)\w*\s+to\s+[a-z]+\b{_REST}"
    rf"|\bneeds? for\b{_REST}",
    re.IGNORECASE,
)
_LABEL = r"(?:[A-Z][A-Z &/,]{3,40}:?\s*)?"
_LEADING_PURPOSE = re.compile(rf"^{_LABEL}(?:In order to|To)\s+[a-z]+\b[^,;]*(?:[,;]|$)")


def only_conduct(text: str) -> bool:
    """Whether a sentence says that something was asked, measured, compared or the like, and reports nothing.

    Such a sentence names all that a finding is about, and so looks near to any claim of one: "Knee laxity and outcomes
    were assessed" and "Knee laxity worsens outcomes".
    """
    asserted = _UNASSERTED.sub(" ", _LEADING_PURPOSE.sub(" ", text))
    if not re.search(r"\w", asserted):
        return True
    return bool(_DONE.search(text) or _OPEN.search(text) or asserted != text) and not _FOUND.search(asserted)
