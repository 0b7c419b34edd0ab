"""Edits that spoil a sentence in one way, or reword it lightly.

Pure functions, the same for the same random numbers.

Each edit takes a sentence, its abstract and random numbers, and returns the sentence with one error, or None where the
sentence gives no occasion. Written for the benchmark, without a look at how training pairs are made or verified.
"""

import random
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from benchmarks.verification.planted_words import (
    ANIMALS,
    COUNTERPARTS,
    DISEASES,
    DRUGS,
    GENES,
    MISQUOTED,
    NO_DRUG,
    OPPOSITES,
    REWORDINGS,
    UNITS,
)

Edit = Callable[[str, str, random.Random], str | None]

_DRUG = re.compile(
    r"\b[a-z]{3,}(?:mab|nib|statin|pril|sartan|olol|azole|cillin|mycin|floxacin|gliptin|gliflozin|parin|xaban|triptan|vir|"
    r"formin|idone|platin|taxel|rubicin|sone|olone|caine|dipine|semide|lukast|tidine|amide|azine|zepam|fen|oxin|opram|"
    r"etine|insulin|glutide|cycline|quine|ine)\b"
)
_NUMBER = re.compile(r"(?<![\w.,\-<>=≤≥])(?<![<>=] )(?<!refs )(?<!\[)\d+(?:\.\d+)?(?![\w,]|\.\d|-)")
_MEASURED = re.compile(r"(?P<value>\b\d+(?:\.\d+)?[ -]?)(?P<unit>[^\W\d_]+(?:/[A-Za-z]+)?)(?![\w/])")
_SIDES = re.compile(
    r"\b(?P<preposition>in|among|for|with) (?P<first>[^,;.()]{3,60}?) than (?P=preposition) "
    r"(?P<second>[^,;.()]{3,60}?)(?=[.,;]|$)"
)
_COMPARED = re.compile(
    r"^(?P<first>(?:(?!was|were|is|are|who|that|which|and)[\w-]+ ){1,5})"
    r"(?P<verb>(?:had|have|showed|reduced|increased|improved|lowered|led to) "
    r"(?:(?!\b(?:who|that|which)\b)[^,;()]){3,80}?) "
    r"(?P<word>compared (?:with|to)|than) (?P<second>[^,;()]{3,50})\.$"
)
_ANAPHOR = re.compile(r"\b(?:those|that|others?|it|they|their|its|expected|predicted|previously)\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not?|nor|neither|never|none|without|lacks?|lacking|fail\w*|rather)\b", re.IGNORECASE)
_AUXILIARY = re.compile(r"\b(?:was|were|is|are|can|has|have|had)\b(?= )")
_RELATIVE = re.compile(r"\b(?:that|which|who|whose|where|when|whether|if)\b")
_PERCENTAGE = re.compile(r"(?<![\w.\-<>=≤≥])(\d+(?:\.\d+)?) ?%")
_INTERVAL = re.compile(r"\bCI\b|confidence|interval|\bto \d", re.IGNORECASE)
_COMPARING = re.compile(r"\b(?:than|compared|relative|versus|both|only|all)\b", re.IGNORECASE)
_RESTRICTED = re.compile(
    r"\b(?:in|among|for) (?:[a-z-]+ )?(?:patients|subjects|participants|individuals|women|men|children) "
    r"(?:with|without|who|aged|older|younger|receiving|treated) [^,;.()]{3,60}?(?=[,.]| (?:and|was|were|is|are)\b)"
)
_UNRESTRICTED = re.compile(r"\b(?:controls|without|healthy|those (?:with|who)|compared)\b")
_ASSOCIATED = re.compile(r"\b(is|are|was|were)(?: \w+ly)? (?:associated|correlated|linked) (?:with|to)\b")
_CAUSED = {"is": "causes", "are": "cause", "was": "caused", "were": "caused"}
_PEOPLE = re.compile(r"\b(?:humans?|patients?|people|women|men|clinical|volunteers|participants|individuals)\b", re.I)
_HEDGE = re.compile(r"\b(?:may|might)\b(?! not)")
_WHETHER = re.compile(
    r"\b(?:determine|test|investigate|examine|assess|evaluate|asked|tested|studied|investigated) (?:whether|if) "
    r"(?P<clause>(?:(?! (?:if|whether) )[^,;()])+)\.$"
)
_EFFECT = re.compile(r"\bthe (?:effects?|impact|influence) of (?P<cause>[^,;()]+?) on (?P<outcome>[^,;()]+)\.$")
_TO_STUDY = re.compile(
    r"\b(?:to (?:determine|test|investigate|examine|assess|evaluate|study|explore|compare)|aim|objective|purpose|"
    r"hypothesi[sz]ed?|asked|tested)\b",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^(?:[A-Z][A-Z]+(?:(?:,|/| &| AND)? [A-Z]{2,})*:? )(?=[A-Z])|^(?:Objectives?|Results?|Conclusions?) (?=[A-Z])"
)
_OPENING = re.compile(
    r"^(?:(?:In (?:conclusion|summary|addition)|Overall|Furthermore|Moreover|However|Additionally|Finally|Here|Thus|"
    r"Interestingly|Importantly|Therefore|Taken together),\s*)?"
    r"(?:(?:We|Our (?:results|findings|data)|The (?:results|data|findings)|These (?:results|findings|data)) (?:also )?"
    r"(?:found|find|show|showed|demonstrate|demonstrated|indicate|indicated|reveal|revealed|conclude|report) that\s+)?"
)
_WORDLESS_BRACKETS = re.compile(r"\s*\([^()\d]*\)")
_REWORDINGS = tuple((re.compile(rf"\b(?:{pattern})\b"), other) for pattern, other in REWORDINGS)
_FRONTED = re.compile(
    r"^(?P<place>(?:In(?! (?:contrast|addition|fact|particular|general|turn)\b)|Among|For) [^,;()]{3,60}), "
    r"(?P<rest>[^,;:]+)\.$"
)


def swap(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Return the sentence with the two sides of its comparison exchanged."""
    sides = _SIDES.search(sentence) or _COMPARED.search(sentence)
    if not sides or _ANAPHOR.search(sides["first"]) or _ANAPHOR.search(sides["second"]) or "rather than" in sentence:
        return None
    first, second = sides["first"].strip(), sides["second"]
    if first.casefold() == second.casefold():
        return None
    if "verb" in sides.groupdict():
        return f"{_capital(second)} {sides['verb']} {sides['word']} {_uncapital(first)}."
    swapped = f"{sides['preposition']} {second} than {sides['preposition']} {first}"
    return sentence[: sides.start()] + swapped + sentence[sides.end() :]


def direction(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Return the sentence with one word's opposite."""
    matches = [match for match in re.finditer(r"(?<!-)\b[a-z]+\b(?!-)", sentence) if match.group() in OPPOSITES]
    if not matches:
        return None
    match = chance.choice(matches)
    opposite = OPPOSITES[match.group()]
    before = re.sub(r"\b([Aa])n? $", rf"\1{'n' * (opposite[0] in 'aeiou')} ", sentence[: match.start()])
    return before + opposite + sentence[match.end() :]


def negation(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Add a "not" to a sentence that has none, or remove its only one."""
    if denied := _DENIED.findall(sentence):
        spoilt = re.sub(r"\b(was|were|is|are|did|does|do|has|have|could|can) not (?!only)", r"\1 ", sentence, count=1)
        return spoilt if denied == ["not"] and spoilt != sentence else None
    verb = _AUXILIARY.search(sentence)
    if not verb or _RELATIVE.search(sentence[: verb.start()]):
        return None
    return f"{sentence[: verb.end()]} not{sentence[verb.end() :]}"


def number(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Replace a number by one that the abstract does not hold."""
    matches = [match for match in _NUMBER.finditer(sentence) if match.group() not in {"95", "1"}]
    if not matches:
        return None
    match = chance.choice(matches)
    digits = len(match.group().partition(".")[2])
    for factor in chance.sample([0.5, 1.3, 2.0, 3.0, 10.0], 5):
        other = f"{float(match.group()) * factor:.{digits}f}"
        if not re.search(rf"(?<![\d.]){re.escape(other)}(?![\d])", abstract) and other != match.group():
            return sentence[: match.start()] + other + sentence[match.end() :]
    return None


def unit(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Replace the unit of one of a sentence's numbers."""
    matches = [
        match
        for match in _MEASURED.finditer(sentence)
        if match["unit"] in UNITS and match["value"] + UNITS[match["unit"]] not in abstract
    ]
    if not matches:
        return None
    match = chance.choice(matches)
    return sentence[: match.start("unit")] + UNITS[match["unit"]] + sentence[match.end("unit") :]


def rate(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Exchange two percentages of a sentence."""
    matches = list(_PERCENTAGE.finditer(sentence))
    if len(matches) < 2 or _INTERVAL.search(sentence) or matches[0][1] == matches[1][1]:
        return None
    first, second = matches[:2]
    between = sentence[first.end(1) : second.start(1)]
    return sentence[: first.start(1)] + second[1] + between + first[1] + sentence[second.end(1) :]


def drug(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Return the sentence with another drug."""
    matches = [match for match in _DRUG.finditer(sentence) if match.group() not in NO_DRUG]
    if not matches:
        return None
    others = [name for name in DRUGS if name not in abstract.lower()]
    return re.sub(rf"\b{chance.choice(matches).group()}\b", chance.choice(others), sentence)


def gene_or_disease(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Return the sentence with another gene or disease."""
    spoilt = []
    for names in (GENES, DISEASES):
        others = [name for name in names if name.casefold() not in abstract.casefold()]
        for name in (name for name in names if re.search(rf"(?<![\w-]){name}(?![\w-])", sentence)):
            spoilt.append(re.sub(rf"(?<![\w-]){name}(?![\w-])", chance.choice(others), sentence))
    return chance.choice(spoilt) if spoilt else None


def subgroup(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """State the result of one group for everybody.

    Where the abstract speaks of others too.
    """
    if _COMPARING.search(sentence) or _DENIED.search(sentence):
        return None
    for group, other in COUNTERPARTS.items():
        match = re.search(rf"\b(?:in|among|for) (?:the )?(?:[a-z-]+ )?{group}\b(?! (?:and|or|with|who)\b)", sentence)
        there = re.search(rf"\b{other}\b", abstract, re.IGNORECASE) and not re.search(rf"\b{other}\b", sentence)
        if match and there:
            everybody = chance.choice(["in all participants", f"in both {group} and {other}"])
            return sentence[: match.start()] + everybody + sentence[match.end() :]
    match = _RESTRICTED.search(sentence)
    if not match or not _UNRESTRICTED.search(abstract):
        return None
    return f"{sentence[: match.start()]}in the general population{sentence[match.end() :]}"


def cause(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """State an association as a cause."""
    match = _ASSOCIATED.search(sentence)
    if not match or _DENIED.search(sentence) or "caus" in abstract:
        return None
    return sentence[: match.start()] + _CAUSED[match[1]] + sentence[match.end() :]


def population(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """State a finding on animals for people.

    Where the abstract speaks of no people.
    """
    animals = re.findall(rf"\b(?:{ANIMALS})\b", sentence)
    match = re.search(rf"\b(?:in|of|for|by) (?:[a-z]+ )?(?P<animal>{ANIMALS})\b", sentence)
    if _PEOPLE.search(abstract) or not match or len(animals) > 1:
        return None
    return sentence[: match.start("animal")] + chance.choice(["patients", "people"]) + sentence[match.end("animal") :]


def certainty(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """State a possibility as a certainty."""
    if not _HEDGE.search(sentence):
        return None
    return _HEDGE.sub(chance.choice(["will", "will certainly", "will always"]), sentence, count=1)


def quote(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """Quote a sentence with a word missing, changed or out of place."""
    words = sentence.rstrip(".").split()
    position = chance.randrange(2, len(words) - 2)
    spoilt = chance.choice(["missing", "changed", "swapped"])
    if spoilt == "missing":
        words = words[:position] + words[position + 1 :]
    elif spoilt == "swapped":
        words[position], words[position + 1] = words[position + 1], words[position]
    else:
        words[position] = MISQUOTED.get(words[position], "notably")
    spoken = " ".join(words)
    return None if spoken.lower() in abstract.lower() else quoted(spoken)


def quoted(sentence: str) -> str:
    """Return the sentence as a quotation."""
    return f"The authors state that “{sentence.rstrip('.')}”."


def aim_as_finding(sentence: str) -> str | None:
    """State an aim as a finding; None for a sentence without an aim."""
    sentence = without_heading(sentence)
    if not _TO_STUDY.search(sentence):
        return None
    if asked := _WHETHER.search(sentence):
        return f"{_capital(asked['clause'])}."
    if effect := _EFFECT.search(sentence):
        verb = "have" if re.search(r"[^su]s$", effect["cause"].split(" of ")[0]) else "has"
        return f"{_capital(effect['cause'])} {verb} an effect on {effect['outcome']}."
    return None


def without_heading(sentence: str) -> str:
    """Return the sentence without the section's name before it."""
    return _HEADING.sub("", sentence)


def reworded(sentence: str) -> str:
    """Return the sentence slightly reworded.

    Openings, brackets without numbers and a leading "In …," are moved.
    """
    text = _capital(_OPENING.sub("", without_heading(sentence)))
    text = _WORDLESS_BRACKETS.sub("", text)
    if fronted := _FRONTED.search(text):
        text = f"{_capital(fronted['rest'])} {_uncapital(fronted['place'])}."
    for pattern, other in _REWORDINGS:
        text = pattern.sub(other, text)
    return _capital(text)


def is_reworded(sentence: str) -> bool:
    """Return whether rewording does more than to shorten.

    Words are others, or stand elsewhere.
    """
    told = " ".join(re.findall(r"\w+", reworded(sentence).lower()))
    return told not in " ".join(re.findall(r"\w+", _WORDLESS_BRACKETS.sub("", sentence).lower()))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _uncapital(text: str) -> str:
    return text if re.match(r"\w?[A-Z0-9]", text[1:]) else text[:1].lower() + text[1:]


EDITS: Mapping[str, Edit] = MappingProxyType(
    {
        "swap of sides": swap,
        "direction": direction,
        "negation": negation,
        "rate": rate,
        "number": number,
        "unit": unit,
        "other drug": drug,
        "other gene or disease": gene_or_disease,
        "subgroup": subgroup,
        "cause": cause,
        "population": population,
        "certainty": certainty,
    }
)
