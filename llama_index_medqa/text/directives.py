"""Sentences that tell their reader what to do."""

import re

_ACTIONS = (
    r"(?:apply|ask|avoid|begin|call|check|choose|consider|consult|contact|continue|cut|discontinue|discuss|drink|eat|"
    r"ensure|exercise|follow|get|give|go|increase|keep|limit|lower|maintain|make|monitor|quit|reduce|refrain|remember|"
    r"rest|schedule|see|seek|speak|start|stay|stop|swallow|switch|take|talk|tell|try|use|visit|wait|watch)"
)
# A verb that opens a sentence is an order where its object follows: "Stop taking it", but "Stop codons …".
_OBJECT = (
    r"(?:a|an|the|your|this|these|that|it|them|any|all|some|no|one|two|three|at least|up to|only|"
    r"\d[\d.,]*\s?(?:mg|g|µg|mcg|ml|tablets?|pills?|doses?|drops?)|"
    r"to (?:a|an|the|your|emergency|see)|with (?:a|an|the|your|food|water|meals)|for (?:help|advice|emergency)|"
    r"(?:care|advice|help|treatment|medications?|medicines?|immediate|emergency|medical|professional|urgent)\b|"
    r"(?:taking|using|eating|drinking|smoking|driving|exercising|exposure|contact with|alcohol|caffeine)\b|"
    r"from (?:the|a|any|your|all|alcohol|smoking)|on (?:the|your))"
)
_SOFTENING = (
    r"(?:(?:please|always|never|only|so|then|also|first|next|therefore|if (?:you|your)[^,]{1,80}|"
    r"in (?:an? )?emergency|yes|no)[,:]?\s+)*"
)
_DIRECTIVE = re.compile(
    rf"^\W*{_SOFTENING}(?:{_ACTIONS}\s+(?:\w+ly\s+)?{_OBJECT}\b|(?:do not|don['’]t|never|make sure|be (?:sure|"
    rf"careful))\b"
    r"(?!\s+(?:know|differ|appear|seem|support|show))"
    r"|please\b|let\s+your\b)"
    r"|\byou(?:['’]d better|\s+(?:(?:really|probably|certainly|definitely|also|always|never)\s+)?(?:should|must|shall|"
    r"ought to|need(?: not|n['’]t)?(?: to)?\b|have to|had better|can|could|may|might want|will (?:need|have) to|"
    r"are advised|cannot|can['’]t|shouldn['’]t|mustn['’]t|don['’]t (?:need|have) to))\b"
    r"|\b(?:talk|speak) (?:to|with) your\b|\b(?:ask|consult|contact|call|see|tell) your (?:doctor|physician|pharmacist|"
    r"healthcare|health care|GP|provider|nurse|midwife)\b",
    re.IGNORECASE,
)


def is_directive(sentence: str) -> bool:
    """Return whether a sentence tells its reader what to do or what is allowed ("Stop taking it", "You should …").

    What others should do ("Clinicians should …") is none: it tells what a paper recommends.
    """
    return bool(_DIRECTIVE.search(sentence))
