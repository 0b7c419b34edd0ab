"""Spoil a sentence in one way, and reword it lightly: pure functions, the same for the same random numbers.

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
    """The sentence with the two sides of its comparison exchanged."""
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
    """The sentence with one word's opposite."""
    places = [place for place in re.finditer(r"(?<!-)\b[a-z]+\b(?!-)", sentence) if place.group() in OPPOSITES]
    if not places:
        return None
    place = chance.choice(places)
    opposite = OPPOSITES[place.group()]
    before = re.sub(r"\b([Aa])n? $", rf"\1{'n' * (opposite[0] in 'aeiou')} ", sentence[: place.start()])
    return before + opposite + sentence[place.end() :]


def negation(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The sentence with a "not" that it lacks, or without its only one."""
    if denied := _DENIED.findall(sentence):
        spoilt = re.sub(r"\b(was|were|is|are|did|does|do|has|have|could|can) not (?!only)", r"\1 ", sentence, count=1)
        return spoilt if denied == ["not"] and spoilt != sentence else None
    verb = _AUXILIARY.search(sentence)
    if not verb or _RELATIVE.search(sentence[: verb.start()]):
        return None
    return f"{sentence[: verb.end()]} not{sentence[verb.end() :]}"


def number(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The sentence with another number, which the abstract does not hold."""
    places = [place for place in _NUMBER.finditer(sentence) if place.group() not in {"95", "1"}]
    if not places:
        return None
    place = chance.choice(places)
    digits = len(place.group().partition(".")[2])
    for factor in chance.sample([0.5, 1.3, 2.0, 3.0, 10.0], 5):
        other = f"{float(place.group()) * factor:.{digits}f}"
        if not re.search(rf"(?<![\d.]){re.escape(other)}(?![\d])", abstract) and other != place.group():
            return sentence[: place.start()] + other + sentence[place.end() :]
    return None


def unit(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The sentence with another unit behind one of its numbers."""
    places = [
        place
        for place in _MEASURED.finditer(sentence)
        if place["unit"] in UNITS and place["value"] + UNITS[place["unit"]] not in abstract
    ]
    if not places:
        return None
    place = chance.choice(places)
    return sentence[: place.start("unit")] + UNITS[place["unit"]] + sentence[place.end("unit") :]


def rate(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The sentence with two of its percentages exchanged: the rate of one thing is told of another."""
    places = list(_PERCENTAGE.finditer(sentence))
    if len(places) < 2 or _INTERVAL.search(sentence) or places[0][1] == places[1][1]:
        return None
    first, second = places[:2]
    between = sentence[first.end(1) : second.start(1)]
    return sentence[: first.start(1)] + second[1] + between + first[1] + sentence[second.end(1) :]


def drug(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The sentence with another drug."""
    places = [place for place in _DRUG.finditer(sentence) if place.group() not in NO_DRUG]
    if not places:
        return None
    others = [name for name in DRUGS if name not in abstract.lower()]
    return re.sub(rf"\b{chance.choice(places).group()}\b", chance.choice(others), sentence)


def gene_or_disease(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The sentence with another gene or disease."""
    spoilt = []
    for names in (GENES, DISEASES):
        others = [name for name in names if name.casefold() not in abstract.casefold()]
        for name in (name for name in names if re.search(rf"(?<![\w-]){name}(?![\w-])", sentence)):
            spoilt.append(re.sub(rf"(?<![\w-]){name}(?![\w-])", chance.choice(others), sentence))
    return chance.choice(spoilt) if spoilt else None


def subgroup(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The result of one group told of everybody, where the abstract speaks of others too."""
    if _COMPARING.search(sentence) or _DENIED.search(sentence):
        return None
    for group, other in COUNTERPARTS.items():
        place = re.search(rf"\b(?:in|among|for) (?:the )?(?:[a-z-]+ )?{group}\b(?! (?:and|or|with|who)\b)", sentence)
        there = re.search(rf"\b{other}\b", abstract, re.IGNORECASE) and not re.search(rf"\b{other}\b", sentence)
        if place and there:
            everybody = chance.choice(["in all participants", f"in both {group} and {other}"])
            return sentence[: place.start()] + everybody + sentence[place.end() :]
    place = _RESTRICTED.search(sentence)
    if not place or not _UNRESTRICTED.search(abstract):
        return None
    return f"{sentence[: place.start()]}in the general population{sentence[place.end() :]}"


def cause(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """An association told as a cause."""
    place = _ASSOCIATED.search(sentence)
    if not place or _DENIED.search(sentence) or "caus" in abstract:
        return None
    return sentence[: place.start()] + _CAUSED[place[1]] + sentence[place.end() :]


def population(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """A finding on animals told of people, where the abstract speaks of no people."""
    animals = re.findall(rf"\b(?:{ANIMALS})\b", sentence)
    place = re.search(rf"\b(?:in|of|for|by) (?:[a-z]+ )?(?P<animal>{ANIMALS})\b", sentence)
    if _PEOPLE.search(abstract) or not place or len(animals) > 1:
        return None
    return sentence[: place.start("animal")] + chance.choice(["patients", "people"]) + sentence[place.end("animal") :]


def certainty(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """What may be told as what will be."""
    if not _HEDGE.search(sentence):
        return None
    return _HEDGE.sub(chance.choice(["will", "will certainly", "will always"]), sentence, count=1)


def quote(sentence: str, abstract: str, chance: random.Random) -> str | None:
    """The sentence as a quotation in which one word is missing, changed or out of place."""
    words = sentence.rstrip(".").split()
    place = chance.randrange(2, len(words) - 2)
    spoilt = chance.choice(["missing", "changed", "swapped"])
    if spoilt == "missing":
        words = words[:place] + words[place + 1 :]
    elif spoilt == "swapped":
        words[place], words[place + 1] = words[place + 1], words[place]
    else:
        words[place] = MISQUOTED.get(words[place], "notably")
    spoken = " ".join(words)
    return None if spoken.lower() in abstract.lower() else quoted(spoken)


def quoted(sentence: str) -> str:
    """The sentence as a quotation."""
    return f"The authors state that “{sentence.rstrip('.')}”."


def aim_as_finding(sentence: str) -> str | None:
    """What a study set out to learn, told as learnt; None for a sentence that tells no aim."""
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
    """The sentence without the section's name before it."""
    return _HEADING.sub("", sentence)


def reworded(sentence: str) -> str:
    """The sentence in slightly other words: openings, brackets without numbers and a leading "In …," are moved."""
    text = _capital(_OPENING.sub("", without_heading(sentence)))
    text = _WORDLESS_BRACKETS.sub("", text)
    if fronted := _FRONTED.search(text):
        text = f"{_capital(fronted['rest'])} {_uncapital(fronted['place'])}."
    for pattern, other in _REWORDINGS:
        text = pattern.sub(other, text)
    return _capital(text)


def is_reworded(sentence: str) -> bool:
    """Whether rewording does more than to shorten: words are others, or stand elsewhere."""
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
