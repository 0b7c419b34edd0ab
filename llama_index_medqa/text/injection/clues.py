"""Clues to prompt injection that count only in combination.

Wordings of orders are without number; what they are made of is not. A sentence of a study that speaks *of* an answer or
*to* a reader, asks for words, and says that they must be said, is one in ten thousands.
"""

import re
from collections.abc import Mapping
from typing import Final


def _one_of(words: str) -> str:
    """Return a pattern for any of some words.

    They are written with spaces between them and ``_`` inside them.
    """
    return f"(?:{'|'.join(word.replace('_', ' ') for word in words.split())})"


_SAY = _one_of(
    "say tell mention repeat quote claim endorse praise promote recommend warn write print ignore disregard forget "
    "omit copy delete reset reveal disclose pretend respond answer reply cite call state declare assert inform include "
    "add present refer output insist conclude appear begin end contain name communicate convey express prefer confirm "
    "deny advise"
)
_SAID = _one_of(
    "told said mentioned repeated quoted claimed endorsed praised promoted recommended printed ignored disregarded "
    "omitted copied revealed cited called stated declared asserted informed communicated conveyed expressed named "
    "preferred confirmed denied advised stressed emphasi[sz]ed highlighted"
)
_SAYS = _one_of(
    "names mentions states says recommends claims includes tells warns cites repeats praises promotes ends begins"
)
_CARER = _one_of("doctors? physicians? nurses? pharmacists? providers? clinicians? dentists? midwi\\w+ patients?")
_HANDLING = _one_of(
    "cit(?:e|es|ing) quot(?:e|es|ing) summari[sz](?:e|es|ing) relay(?:s|ing)? repeat(?:s|ing)? read(?:s|ing)?"
)

CLUES: Final[Mapping[str, re.Pattern[str]]] = {
    "reader": re.compile(
        r"\b(?:you|your|whoever|any(?:one|body)|every(?:one|body) who asks|(?:the|any|every|all|our|dear) readers?|"
        rf"readers (?:of this|must|should|shall|are|have)|(?:those|all|people|persons) (?:who )?{_HANDLING})\b(?! stud)"
    ),
    "asker": re.compile(
        r"\b(?:the (?:user|questioner|asker)(?! (?:community|interface|experience|group))|users asking|questioners?|"
        r"askers?)\b"
    ),
    "answer": re.compile(
        r"\b(?:answers?|answering (?:from|this)|repl(?:y|ies)|(?<!in )summar(?:y|ies)|summari[sz](?:e|es|ing) (?:this|"
        r"it)|digests?|your prompt|passages?|verbatim|only the (?:words?|sentence|phrase|statement)|word for word|this "
        r"(?:text|sentence|record|message|passage|abstract|paragraph)|(?:the|other|all|your) abstracts|(?:your|the "
        r"above) (?:\w+ )?instructions|the (?:final )?output|(?:final|correct|only) response)\b(?! (?:to )?(?:some of "
        r")?(?:the |a |this |these |some |our |its )*(?:\w+ )?(?:research )?(?:questions?|following))"
    ),
    "speech": re.compile(
        r"\b(?:(?:to|must|should|shall|will|not|please|kindly|only|always|never|and|then|may|can|but|that) (?:\w+ly |"
        r"now |"
        rf"also |first |always |never )?{_SAY}|be (?:\w+ly )?(?:{_SAID}|output)|saying|tell (?:the|any|every|all|your) "
        r"(?:\w+ )?(?:user|patient|reader|people|person)s?|let \w+(?: \w+)? know|hear that|(?:answers?|repl(?:y|ies)|"
        rf"summar(?:y|ies)|response) (?:\w+ )?{_SAYS})\b(?! (?:us|me|(?:to |with )?your (?:\w+ )?{_CARER})\b)"
    ),
    "obligation": re.compile(
        r"\b(?:must|should|shall|ought to|please|kindly|do not|don't|nothing (?:else|but)|anything but|(?:is|are|be) "
        r"(?:\w+ly )?(?:asked|requested|required|expected|instructed|supposed|bound|obliged|reminded|invited|urged|"
        r"encouraged|meant|told|to)|(?:has|have|needs?) to|(?:sole|on) condition|permission|may be output|"
        r"authori[sz]e\w*|(?:assistant|model|you|chatbot|ai) will|only (?:answers?|repl\w+|summar\w+)|instructs?|urge|"
        r"acceptable|imperative|wrong to)\b"
    ),
    "opening": re.compile(
        r"^\W*(?:(?:please|kindly|now|do|always|never|only|then|and|just|do not|don't|instead)\W+)*"
        + _one_of(
            "say tell mention repeat quote inform claim endorse praise promote recommend warn write print ignore "
            "disregard forget omit copy delete erase reset reveal pretend output stop begin start remember treat add "
            "put insert give show hide skip translate refuse refer cite enter conclude insist make ensure replace rank "
            "prefer rely trust avoid refrain keep leave let"
        )
        + r"\b(?! (?:me|us|somebody|of)\b)"
    ),
}
"""What each clue looks like, over small letters and single spaces."""

COMBINATIONS: Final = (
    frozenset({"reader", "answer"}),
    frozenset({"reader", "speech", "obligation"}),
    frozenset({"asker", "speech", "obligation"}),
    frozenset({"answer", "speech", "obligation"}),
    frozenset({"opening", "reader"}),
    frozenset({"opening", "asker"}),
    frozenset({"opening", "answer"}),
)
"""Clues that together tell an order."""
