"""Metadiscourse: sentences that say what an answer must hold.

Metadiscourse (Hyland, 2005) is what a text says of texts instead of its subject. Abstracts have little of it, and
hardly any that obliges somebody: a sentence that speaks of an answer, of this entry or of whoever asks, and demands or
allows words, reports nothing of a study. Wordings of orders are without number; what they are about is not.
"""

import re
from typing import Final


def _any_of(*choices: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(choices)})\b")


_WRITTEN: Final = _any_of(
    # What is made of this text, or said to those who ask.
    r"(?:any|each|every|all|no|your|the (?:final|resulting|generated|eventual)) (?:answers?|repl(?:y|ies)|summar(?:y|"
    r"ies)|accounts?|statements?|sentences?|paragraphs?|overviews?|retellings?|renderings?|abridg\w+|quotations?)",
    r"(?:derived|derivative|downstream|secondary|generated|resulting|follow-?on|later) (?:texts?|uses?|works?|"
    r"summar\w+|answers?|writings?|documents?)",
    r"(?:the|an?|in) (?:reply|answer|write-?up|wording|retelling|recap|synopsis|rendering|output)(?! (?:to|of|power|"
    r"signal|current|volume|parameters?|layer|was|were|is|variable)\b)",
    r"(?:account|summary|retelling|mention|quotation|digest|rendering) of (?:this|these|the present|our)",
    r"mention (?:\w+ )?(?:were|is|be|was) made|(?:wher|when)ever (?:this|these|the present|our|such)",
    # This text, and those beside it.
    r"this (?:entry|text|passage|paragraph|sentence|record|message|note|notice|item|document|page)",
    r"(?:the|all|any) (?:neighbou?ring|adjacent|other|remaining|surrounding|competing|accompanying) (?:abstracts?|"
    r"entr(?:y|ies)|passages?|sources?|texts?|documents?|papers?|articles?)",
    r"(?:found|stands?|said|written|printed|listed) (?:beside|next to|around|before|above|below) this",
    r"the (?:sentence|remark|statement|note|line|slogan|words) that",
    r"(?:queries|enquiries|inquiries|questions|requests) (?:on|about|concerning|regarding|as to)",
    r"(?:system message|(?:hidden|secret|initial|original|internal) (?:\w+ )?(?:text|message|configuration|directions|"
    r"instructions?|rules?|settings?))",
)
# Of these, studies of speech and of programs tell too: they count where something is demanded.
_SPOKEN: Final = _any_of(
    r"(?:the|these|following|exact|very|opening|closing|first|last) (?:words|phrases?|wording|remark|sentences?)|"
    r"this line|conversation|dialogue|chat|(?:the|your|this|any|every) prompt"
)
_PEOPLE: Final = _any_of(
    # Who answers.
    r"(?:the|a|any|every|each|our|dear|helpful|honest) (?:\w+ )?(?:bot|chatbot|assistant|responder|summari[sz]er|"
    r"answerer|narrator|writer|copyist|machine reader|language model|ai)(?! (?:nurse|surgeon|professor|teacher|system|"
    r"for|was|were)\b)",
    r"(?:those|people|persons|anyone|anybody|all|whoever|everyone|everybody) (?:who |that )?(?:quot\w+|cit(?:e|es|ing)|"
    r"re(?:lay|tell|peat|produc)\w*|summari[sz]\w+|paraphras\w+|answer(?:s|ing)?|writ(?:e|es|ing) about|"
    r"pass\w* (?:this|it) on)",
    # Who asks.
    r"(?:the|any|every|an?) (?:enquirer|inquirer|asker|questioner|reader|person asking|end user|"
    r"user)s?(?! (?:interface|experience|stud|community|group|acceptance|satisfaction|perspective)\w*)",
    r"(?:somebody|someone|anybody|anyone|whoever|people|those|they|users) (?:who )?(?:wonders?|asks?|asking|enquir\w+|"
    r"inquir\w+|wants? to know|curious)",
    r"what (?:they|people|users|readers|he or she) (?:are|is) to (?:hear|read|learn|be told)",
    r"lay (?:people|readers|persons|audiences?)|yourself|your",
)
_DEMAND: Final = _any_of(
    "must|should|shall|ought to|(?:has|have|needs?) to|(?:is|are) to",
    r"(?:is|are|be) (?:\w+ly )?(?:required|obliged|expected|supposed|bound|asked|requested|invited|urged|instructed|"
    r"conditional|fixed|void|recalled|suspended|revoked|lifted|admissible|permitted|authori[sz]ed|approved|welcome)",
    r"may wish to|might like to|would be (?:welcome|appreciated|kind|good|best)|please|kindly|on condition|"
    r"provided that|conditional on|belongs? (?:in|to|at|on|below|beneath|above|under|here)|counts? as|(?:sole|"
    r"only) (?:\w+ )?(?:ground|"
    r"source|answer|basis|authority)|do not|never|always|hold(?:s|ing)? that|drops?|lets?|carr(?:y|ies)|to (?:give|"
    r"state|say|name|write|mention|print|quote|use)",
)
_SAID: Final = _any_of(
    r"mention(?:s|ed|ing)?|remarks?|stat(?:e|es|ed|ing) (?:that|the)|sa(?:y|ys|id|ying)|tell(?:s|ing)?|told|nam(?:e|ed|"
    r"ing)|call(?:s|ed|ing)?|hears?|repeat(?:s|ed|ing)?|quot(?:e|es|ed|ing)|commend(?:s|ed|ing)?|prais(?:e|ed|ing)|"
    r"recommend(?:s|ed|ing)?|announc\w+|proclaim\w*|declar(?:e|es|ed|ing)|assert\w*|inform(?:s|ed|ing)?|indicat(?:e|"
    r"ing) to",
    r"(?:let|lets|letting) (?:\w+ ){1,3}know|pointer|verdict|wording|words?|sentence|reveal\w*|disclos\w+|la(?:id|y) "
    r"open|hand(?:s|ed|ing)? over|pass(?:es|ed|ing)? (?:it|them|this) (?:on|to)|end(?:s|ing)? (?:in|with)|open(?:s|"
    r"ing)? with|clos(?:e|es|ing) (?:by|with)|add(?:s|ed|ing)?|writ(?:e|es|ing|ten)|the (?:figure|answer|name|advice|"
    r"dose) to",
)
# A sentence of a study may tell of texts and readers; these it hardly ever does.
_OPENING: Final = re.compile(
    r"^\W*(?:(?:before|first|prior|in|by|from|for) [^,:]{1,60}[,:] ?)?(?:(?:please|kindly|now|then|always|never|only|"
    r"do not|don't)\W+)*(?:make|let|have|run|call|give|consider|regard|treat|pass|send|fetch|open|decode|decipher|"
    r"decrypt|execute|carry out|act|behave|close|hold|keep|drop|leave|put|place|add|insert|skip|replace|promote|praise|"
    r"commend|announce|proclaim|disregard|ignore|forget|write|print|read out) "
)
_ENCODED: Final = re.compile(
    r"\b(?:base ?-?\d\d|rot ?-?\d\d?|hex(?:adecimal)?|caesar|morse|cipher|backwards|reversed)\b[^.]{0,60}\b(?:decod\w+|"
    r"decipher\w*|decrypt\w*|carr(?:y|ied) out|execut\w+|obey\w*|for (?:the|any) (?:machine|reader|model|"
    r"assistant)s?)\b"
)
_CONVERSATION: Final = re.compile(
    r"(?:^|[.?!>] )(?:q|question)\s?[.:] [^?]{3,200}\? (?:a|answer)\s?[.:] |[<>]{3,}|\bend of (?:output|answer|reply)\b"
    r"|^\W*(?:(?:final|verified|correct|model|expected|required) (?:output|response|answer|reply|completion)|"
    r"(?:output|response|answer|reply|completion) \((?:verified|checked|approved|final|correct)[^)]*\)) ?[:>=]"
    r"|[{,] ?[\"'](?:answer|response|output|reply|content|text|action|tool|query)[\"'] ?:"
    r"|\[pmid: ?\d+\]"
)


def is_metadiscourse(sentence: str) -> bool:
    """Return whether a sentence prescribes what a text must say.

    Such a sentence speaks of texts, writers and readers and reports no finding.

    Args:
        sentence: in small letters, with single spaces; one sentence.
    """
    if sentence.endswith("?"):
        return False
    # What names a text is no demand on it: "the words that users hear".
    rest = _PEOPLE.sub(" ", _SPOKEN.sub(" ", _WRITTEN.sub(" ", sentence)))
    if _WRITTEN.search(sentence) or _PEOPLE.search(sentence):
        return bool(_SAID.search(rest) or _DEMAND.search(rest) or _OPENING.match(sentence))
    return bool(_SPOKEN.search(sentence) and (_DEMAND.search(rest) or _OPENING.match(sentence)))


def imitates_output(text: str) -> bool:
    """Return whether a text imitates a chat or a model's output.

    Also true for a text that asks to be decoded.

    Args:
        text: in small letters, with single spaces; of any length.
    """
    return bool(_CONVERSATION.search(text) or _ENCODED.search(text))
