"""Whether a sentence tells what a study did, rather than what it found."""

import re

_DONE = re.compile(
    r"\b(?:was|were)\s+(?:\w+ly\s+|then\s+|also\s+|all\s+)?(?:allocated|analy[sz]ed|asked|assessed|assigned|calculated|"
    r"collected|compared|conducted|determined|divided|enrolled|estimated|evaluated|examined|excluded|included|interviewed|"
    r"investigated|invited|measured|monitored|obtained|performed|randomi[sz]ed|recorded|recruited|reviewed|screened|"
    r"selected|stratified|studied|surveyed|tested|undertaken|used)\b"
    r"|\bwe\s+(?:\w+ly\s+)?(?:analy[sz]ed|assessed|calculated|collected|compared|conducted|enrolled|evaluated|examined|"
    r"included|investigated|measured|performed|recruited|reviewed|searched|selected|studied|surveyed|used)\b",
    re.IGNORECASE,
)
_FOUND = re.compile(
    r"%|\bp\s*[<=>]|\b(?:significan\w+|increas\w+|decreas\w+|reduc\w+|improv\w+|higher|lower|greater|fewer|longer|shorter|"
    r"better|worse\w*|more|less|differ(?:s|ed|ence|ences)?|similar\w*|associated|correlat\w+|found|showed?n?|observed|"
    r"detected|revealed|demonstrated|identified|resulted|predict\w+|effective\w*|benefi\w+|caus(?:e|es|ed)|led|median|"
    r"mean|odds|ratio|rates?|no|not)\b",
    re.IGNORECASE,
)


def only_conduct(text: str) -> bool:
    """Whether a sentence says that something was measured, compared or the like, and reports nothing.

    Such a sentence names all that a finding is about, and so looks near to any claim of one: "Knee laxity and outcomes
    were assessed" and "Knee laxity worsens outcomes".
    """
    return bool(_DONE.search(text)) and not _FOUND.search(text)
