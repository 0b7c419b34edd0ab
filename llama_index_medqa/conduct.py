"""Whether a sentence tells what a study asked or did, rather than what it found."""

import re

_STUDY_VERBS = (
    r"(?:aim|analy[sz]e|assess|attempt|calculate|carry out|carried out|collect|compare|conduct|describe|determine|"
    r"enroll|estimate|evaluate|examine|explore|include|investigate|measure|perform|recruit|review|search|seek|select|sought|"
    r"stud(?:y|ie)|survey|test|try|trie|use)(?:e?s|e?d)?"
)
_DONE = re.compile(
    r"\b(?:was|were)\s+(?:\w+ly\s+|then\s+|also\s+|all\s+)?(?:administered|allocated|analy[sz]ed|asked|assessed|assigned|"
    r"calculated|classified|collected|compared|completed|conducted|considered|described|determined|divided|enrolled|"
    r"estimated|evaluated|examined|excluded|explored|genotyped|included|interviewed|investigated|invited|measured|"
    r"monitored|obtained|performed|randomi[sz]ed|recorded|recruited|reviewed|screened|selected|stratified|studied|"
    r"surveyed|tested|undertaken|used)\b|\bunderwent\b",
    re.IGNORECASE,
)
_FOUND = re.compile(
    r"%|\bp\s*[<=>]|\b(?:significan\w+|increas\w+|decreas\w+|reduc\w+|improv\w+|declin\w+|rose|fell|prevented|"
    r"higher|lower(?:s|ed|ing)?|greater|fewer|longer|shorter|better|worse\w*|more|less|"
    r"differ(?:s|ed|ence|ences)?|similar\w*|correlat\w+|found|showed?n?|observed|"
    # "The costs associated with it were estimated" reports nothing.
    r"(?:is|was|are|were|be|been|being|and|also|\w+ly|not) associated|"
    r"detected|revealed|demonstrated|identified|resulted|predict\w+|effective\w*|benefi\w+|caus(?:e|es|ed)|led|median|"
    r"mean|odds|ratio|rates?|no|not)\b",
    re.IGNORECASE,
)
# What is not known, or was only asked.
_OPEN = re.compile(
    r"\b(?:remains?|remained|is|are|was|were|has been|have been)\s+"
    r"(?:(?:still|highly|largely|currently|also|relatively|poorly|rather)\s+)*"
    r"(?:controversial|debated|disputed|elusive|in question|lacking|scarce|unclear|unknown|uncertain|"
    r"unresolved|understudied|a matter of debate|under (?:debate|development|discussion|investigation|study)|"
    r"being (?:developed|evaluated|investigated|studied|tested))\b"
    r"|\b(?:has|have) (?:not|never)(?: yet)? been (?:\w+ly )?"
    r"(?:assessed|evaluated|examined|explored|investigated|studied)\b"
    r"|\blittle (?:is|was) known\b"
    r"|\b(?:few|not (?:yet )?enough) (?:data|evidence|research|studies|trials)\b"
    r"|\b(?:additional|further|more) (?:data|evidence|research|studies|trials|work) (?:is|are|will be) "
    r"(?:necessary|needed|required|warranted)\b",
    re.IGNORECASE,
)
# To the end of the clause, or to what sounds like a result.
_REST = (
    r"(?:(?!,\s(?:and|but|which|who|whose|of whom)\b"
    r"|\band (?:we )?(?:also )?(?:found|show|observ|demonstrat|identif|detect)|\d\s?%|\bp\s?[<=>])[^;.])*"
)
# Within these nothing is asserted, whatever they hold.
_UNASSERTED = re.compile(
    rf"\bwhether\b{_REST}"
    rf"|\b(?:see|observe|determine|assess|test|know|ask|find out|investigate|examine)\s+if\b{_REST}"
    rf"|\b(?:aim|attempt|intend|seek|sought|set out|tried|try)\w*\s+(?:to|at)\s+[a-z]+\b{_REST}"
    rf"|\b(?:we|(?:this|these|our|(?:the )?(?:present|current)) (?:\w+ )?(?:analysis|article|investigation|paper|"
    rf"reports?|reviews?|study|studies|trials?|work))\s+(?:\w+\s+){{0,2}}{_STUDY_VERBS}\b{_REST}"
    rf"|\bneeds? for\b{_REST}",
    re.IGNORECASE,
)
_LABEL = r"(?:[A-Z][A-Z &/,]{3,40}:?\s*)?"
# An English sentence that begins so is a question, with or without its mark.
_QUESTION = re.compile(rf"^{_LABEL}(?:Do|Does|Did|Is|Are|Was|Were|Can|Could|Should|Has|Have|Will|Would)\s")
_LEADING_PURPOSE = re.compile(rf"^{_LABEL}(?:In order to|To)\s+[a-z]+\b[^,;]*(?:[,;]|$)")
_AIM = re.compile(
    r"\b(?:aim|goal|hypothes|objective|purpose)\w*|\bwhether\b|\b(?:to|we|study|paper|trial|review)\s+(?:\w+ly\s+)?"
    r"(?:analy[sz]e|assess|attempt|clarif|compar|describ|determin|estimat|evaluat|examin|explor|identif|investigat|review|"
    r"sought|stud[iy]|test|tri)",
    re.IGNORECASE,
)


def sets_out(text: str) -> bool:
    """Whether a sentence says what a study set out to find: what stands before it was known, or believed, already."""
    return bool(_LEADING_PURPOSE.match(text) or _AIM.search(text)) and only_conduct(text)


def only_conduct(text: str) -> bool:
    """Whether a sentence says that something was asked, measured, compared or the like, and reports nothing.

    Such a sentence names all that a finding is about, and so looks near to any claim of one: "Knee laxity and outcomes
    were assessed" and "Knee laxity worsens outcomes".
    """
    asserted = _OPEN.sub(" ", _UNASSERTED.sub(" ", _LEADING_PURPOSE.sub(" ", text)))
    if _QUESTION.match(text) or not re.search(r"\w", asserted):
        return True
    return bool(_DONE.search(text) or asserted != text) and not _FOUND.search(asserted)
