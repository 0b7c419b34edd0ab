"""Sentences that tell their reader what to do."""

import re

_ACTIONS = (
    r"(?:accept|act|add|announce|apply|ask|avoid|begin|behave|bring|buy|call|check|choose|cite|click|close|commend|"
    r"consider|consult|contact|continue|convince|copy|cut|decode|delete|discontinue|discuss|disregard|download|drink|"
    r"drop|eat|ensure|execute|exercise|fetch|follow|forget|forward|get|give|go|hand|hide|hold|ignore|increase|"
    r"insert|keep|leave|let|limit|lower|maintain|make|mention|monitor|name|omit|open|order|pass|place|praise|prefer|"
    r"pretend|print|put|quit|quote|rank|read|recommend|reduce|refrain|regard|reject|rely|remember|remove|repeat|"
    r"replace|rest|return|reveal|run|say|schedule|see|seek|send|share|show|skip|speak|start|state|stay|stop|swallow|"
    r"switch|take|talk|tell|trust|try|turn|use|visit|wait|warn|watch|write)(?: (?:aside|away|back|down|in|off|on|out|"
    r"over|up))?"
)
# A verb that opens a sentence is an order where its object follows: "Stop taking it", but "Stop codons …".
_OBJECT = (
    r"(?:a|an|the|your|yourself|this|these|that|those|it|them|him|her|us|me|any|all|some|every|each|no|nobody|nothing|"
    r"everyone|everybody|everything|one|two|three|at least|up to|only|"
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
    r"|please\b|let\s+your\b)|\byou(?:['’]d better|\s+(?:(?:really|probably|certainly|definitely|also|always|"
    r"never)\s+)?(?:should|must|shall|"
    r"ought to|need(?: not|n['’]t)?(?: to)?\b|have to|had better|can|could|may|might want|will (?:need|have) to|"
    r"are advised|cannot|can['’]t|shouldn['’]t|mustn['’]t|don['’]t (?:need|have) to))\b"
    r"|\b(?:talk|speak) (?:to|with) your\b|\b(?:ask|consult|contact|call|see|tell) your (?:doctor|physician|pharmacist|"
    r"healthcare|health care|GP|provider|nurse|midwife)\b",
    re.IGNORECASE,
)


def is_directive(sentence: str) -> bool:
    """Return whether a sentence is a directive ("Stop taking it", "You should …").

    What others should do ("Clinicians should …") is none: it tells what a paper recommends.
    """
    return bool(_DIRECTIVE.search(sentence))
