"""People that a question asks about, and whether a text is about them.

A finding on adults may not hold for children, nor one on mice for people. The verifier reads what a sentence says, not
whom the question meant.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

_WOMEN = r"wom[ae]n|females?|girls?|mothers?|maternal|pregnan\w+|(?:pre|post|peri)?-?menopaus\w+"
_MEN = r"m[ae]n|males?|boys?|fathers?"
_CHILDREN = (
    r"child(?:ren|hood)?|p(?:a|e|ae)ediatrics?|infants?|babies|baby|newborns?|neonat\w+|toddlers?|adolescen\w+|teen\w*|"
    r"kids?|boys?|girls?|youths?|schoolchild\w*|preterm"
)
_PREGNANCY = r"pregnan\w+|gravid\w*|gestation\w*|antenatal\w*|prenatal\w*|perinatal\w*|obstetric\w*|maternal"
_OLDER = (
    r"elderly|older|seniors?|geriatrics?|octogenarians?|nonagenarians?|(?:late|old)[- ]age|"
    r"aged? (?:≥|>|over|above|at least)? ?(?:6[05]|7\d|8\d|90)"
)
_HUMANS = (
    r"humans?|people|patients?|participants?|volunteers?|subjects|persons?|adults?|individuals|clinical|cohorts?|"
    rf"{_WOMEN}|{_MEN}|{_CHILDREN}|{_OLDER}"
)

# What is asked about, by the words of a question; and the words of a text that is about it.
_POPULATIONS: Mapping[str, tuple[re.Pattern[str], re.Pattern[str]]] = MappingProxyType(
    {
        name: (re.compile(rf"(?i)\b(?:{asked})\b"), re.compile(rf"(?i)\b(?:{told})\b"))
        for name, asked, told in (
            ("pregnancy", r"pregnan\w+", _PREGNANCY),
            ("women", r"women|females", _WOMEN),
            ("men", r"men|males", _MEN),
            ("newborns", r"newborns?|neonates?|preterm (?:infants?|babies)", r"newborns?|neonat\w+|preterm|infants?"),
            (
                "adolescents",
                r"adolescents?|teenagers?|teens",
                r"adolescen\w+|teen\w*|youths?|young people|1[0-9] years",
            ),
            ("children", r"children|kids|toddlers|infants", _CHILDREN),
            ("older people", r"elderly|seniors|older (?:people|adults|patients|persons|men|women)", _OLDER),
            ("people", r"humans|in people", _HUMANS),
        )
    }
)


def unnamed_populations(question: str, texts: Iterable[str]) -> list[str]:
    """Return the groups of people that a question names and no text does.

    "Does tea help in women?" asks about women; an abstract on nurses of unknown sex is not known to be about them.

    Args:
        question: what is asked.
        texts: titles, abstracts and MeSH headings of what is cited.
    """
    asked = [name for name, (pattern, _) in _POPULATIONS.items() if pattern.search(question)]
    if not asked:
        return []
    known = "\n".join(texts)
    return [name for name in asked if not _POPULATIONS[name][1].search(known)]
