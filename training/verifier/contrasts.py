"""Twins that contradict: sides of a comparison, direction, negation, rates and numbers."""

import re
from collections.abc import Callable, Iterator

from training.verifier.rewording import without_lead, without_parentheses
from training.verifier.twin import Label, Twin, TwinSource, capitalized, crossed, states_aim, uncapitalized

_PAIRS = (
    "higher/lower greater/smaller more/less better/worse longer/shorter larger/smaller increased/decreased "
    "increases/decreases increasing/decreasing elevated/reduced improved/worsened improves/worsens superior/inferior "
    "faster/slower older/younger positively/negatively upregulated/downregulated up-regulated/down-regulated "
    "raised/lowered enhanced/impaired stronger/weaker rose/fell protective/harmful beneficial/detrimental "
    "promotes/inhibits activates/suppresses effective/ineffective earlier/later overestimated/underestimated "
    "increase/decrease accelerated/delayed overexpressed/underexpressed promoted/inhibited activated/suppressed"
)
OPPOSITES: dict[str, str] = {"fewer": "more", "reduces": "increases", "reduce": "increase", "reduction": "increase"}
for _pair in _PAIRS.split():
    _one, _other = _pair.split("/")
    OPPOSITES.setdefault(_one, _other)
    OPPOSITES.setdefault(_other, _one)
_DIRECTION = re.compile(rf"\b(?:{'|'.join(sorted(OPPOSITES, key=len, reverse=True))})\b")
_NOT_A_FINDING = re.compile(
    r"\b(?:more|less|later|earlier|fewer|longer) than\b|\b(?:higher|lower|more|less)[- ](?:order|limb|back|education|"
    r"school|income|and|or)|raised (?:questions|concerns|the)|"
    r"\b(?:or|and|to) (?:decrease|increase|lower|worse|less)|more or less|\bnot?\b"
)
_COMPARATIVE = (
    "higher|lower|greater|more|less|better|worse|longer|shorter|larger|smaller|faster|slower|older|younger|"
    "stronger|weaker|increased|decreased|elevated|reduced"
)
_THAN = r"(?:than|compared with|compared to|as compared with|as compared to|versus|vs\.?|relative to)"
_VALUE_FIRST = re.compile(
    r"(?P<subject>[^,;:]{8,120}?) (?P<verb>was|were|is|are) (?P<adverb>(?:significantly|markedly|slightly|also|much|"
    rf"substantially|considerably|statistically significantly) )?(?P<more>{_COMPARATIVE})"
    rf"(?P<middle>(?: [a-z]+){{0,3}}?) (?P<preposition>in|among|for|with|after) (?P<one>[^,;:()]{{3,70}}?) {_THAN} "
    r"(?:(?:in|among|for|with|after|those|that in|those in|that of|those of) )?(?P<other>[^,;:()]{3,60}?)"
    r"(?: ?[,;(].*)?\."
)
_GROUP_FIRST = re.compile(
    r"(?P<one>[^,;:]{5,80}?) (?P<verb>had|have|has|showed|reported|experienced|produced|achieved) "
    r"(?P<adverb>(?:an? |significantly |a significantly |also |slightly |much )*)"
    rf"(?P<more>{_COMPARATIVE}) (?P<subject>[^,;:()]{{3,80}}?) ?{_THAN} (?P<other>[^,;:()]{{3,60}}?)(?: ?[,;(].*)?\."
)
_VALUE_OF_GROUP = re.compile(
    r"(?P<subject>[^,;:]{4,100}?) (?P<preposition>in|among|of|for|with) (?P<one>[^,;:()]{3,70}?) "
    rf"(?P<verb>was|were|is|are) (?P<adverb>(?:significantly|markedly|slightly|also|much) )?(?P<more>{_COMPARATIVE}) "
    rf"{_THAN} (?:that |those )?(?:in|among|of|for|with) (?P<other>[^,;:()]{{3,60}}?)(?: ?[,;].*)?\."
)
_NO_SIDES = re.compile(
    r"\b(?:not|no|nor|any|both|either|neither|baseline|others?|expected|previously|usual|"
    r"than (?:did|do|does|was|were|is|are|had|when|if|that|those|at|before|in (?:the )?(?:general|previous)))\b|"
    r"^(?:Although|Though|While|Whereas|But|They|This|These|There|It|We|Such|Both|Neither|Those|Most|All|More|Fewer)\b"
)
_PREPOSITION = "(?:in|for|with|among|of)"
_NUMBER = r"(?<![\d.–-])\d+(?:\.\d+)?"
_UNIT = r"(?: ?%| (?:months|years|days|weeks|hours|min|mm ?Hg|mg|kg|points|patients))?"
_RATES = re.compile(
    rf"(?P<first>{_NUMBER}{_UNIT}) (?P<one>{_PREPOSITION} (?:the )?[^,;:()%\d]{{3,50}}?) ?"
    rf"(?:,? and|,|versus|vs\.?|compared with|compared to|as compared with) (?P<second>{_NUMBER}{_UNIT}) "
    rf"(?P<other>{_PREPOSITION} (?:the )?[^,;:()%\d.]{{2,59}}[^\s,;:()%\d.])(?= ?[,;.(])"
)
_NAME = r"[A-Za-z][\w-]*"
_RATES_AFTER = re.compile(
    rf"(?P<one>\b{_NAME}(?: {_NAME}){{0,3}}) \((?P<first>{_NUMBER}{_UNIT})\)(?:,? and|,|,? versus|,? vs\.?) "
    rf"(?:in |for |of |with )?(?P<other>{_NAME}(?: {_NAME}){{0,3}}) \((?P<second>{_NUMBER}{_UNIT})\)"
)
_RESPECTIVELY = re.compile(
    r"(?P<one>\b[A-Za-z][\w-]{2,20}(?: [\w-]{2,15})?) and (?P<other>[\w-]{3,20}(?: [\w-]{2,15})?)"
    rf"(?P<middle> [^.;]{{2,70}}? )(?P<first>{_NUMBER}{_UNIT}) and (?P<second>{_NUMBER}{_UNIT}),? respectively"
)
_DENIALS = (
    (re.compile(r"\b(was|were|is|are) not(?! only| any)\b"), r"\1"),
    (
        re.compile(r"\b(N|n)o (significant (?:difference|change|association|effect|correlation|increase|reduction))\b"),
        "",
    ),
    (re.compile(r"\bnot significantly\b"), "significantly"),
    (re.compile(r"\bhad no (?=significant|effect|influence|impact)"), "had a marked "),
    (re.compile(r"\bcannot\b"), "can"),
    (re.compile(r"\bno evidence (?=of|that|for)"), "clear evidence "),
)
_PAST = (
    "show differ affect improve reduce increase alter influence change prevent decrease result predict appear require "
    "exceed correlate respond cause modify enhance support lead"
).split()
_DID_NOT = re.compile(rf"\bdid not (?:significantly )?({'|'.join(_PAST)})\b")
_AFFIRMATION = re.compile(
    r"\b(was|were|is|are) (significantly|associated|effective|observed|found|increased|decreased|higher|lower|reduced|"
    r"correlated|related|detected|improved|safe|superior|affected|present|different|able|necessary|useful|common)\b"
)
_MEASURED = re.compile(
    rf"(?<![\w.,/+−<>=≤≥±-])(?<!p [<=>] )(?<![<>=] )(?P<value>{_NUMBER})(?P<unit> ?%| (?:mg|μg|g|kg|ml|mL|days|weeks|"
    r"months|years|hours|minutes|mm|cm|patients|participants|women|men|children|cases|trials|studies))(?![\w/])(?! CI)"
)
_OTHER_UNITS = {
    "mg": "g", "μg": "mg", "g": "mg", "kg": "g", "ml": "l", "mL": "L", "days": "weeks", "weeks": "months",
    "months": "weeks", "years": "months", "hours": "days", "minutes": "hours", "mm": "cm", "cm": "mm",
}  # fmt: skip


def comparison(source: TwinSource) -> Iterator[Twin]:
    """Swap the sides of a comparison, turn the comparative, or both."""
    sentence = without_lead(without_parentheses(source.sentence))
    found = _sides(sentence)
    if found is None or states_aim(sentence) or _NO_SIDES.search(sentence):
        return
    match, claim_of = found
    more, opposite = match["more"], OPPOSITES[match["more"]]
    told_turned = source.random.random() < 0.5
    turned_sentence = _agreeing_article(_with(sentence, match.span("more"), opposite))
    statement = turned_sentence if told_turned else source.sentence
    for swapped in (False, True):
        for turned in (False, True):
            claim = claim_of(source, match, swapped, opposite if turned else more)
            label: Label = "entailment" if (swapped ^ turned ^ told_turned) == 0 else "contradiction"
            yield source.twin(statement, claim, label, (more, opposite))


def direction(source: TwinSource) -> Iterator[Twin]:
    """Turn the only word of direction: *increased* to *decreased*."""
    words = list(_DIRECTION.finditer(source.sentence))
    if len(words) == 1 and not _NOT_A_FINDING.search(source.sentence) and not states_aim(source.sentence):
        word = words[0][0]
        changed = _agreeing_article(_with(source.sentence, words[0].span(), OPPOSITES[word]))
        yield from crossed(source, changed, "contradiction", (word, OPPOSITES[word]))


def negation(source: TwinSource) -> Iterator[Twin]:
    """Remove the denial of a sentence that has one; deny a sentence that has none."""
    if states_aim(source.sentence):
        return
    changed = _affirmed(source.sentence) or _denied(source.sentence)
    if changed is not None:
        yield from crossed(source, changed, "contradiction", ("not", "no", "significant", "significantly"))


def rate(source: TwinSource) -> Iterator[Twin]:
    """Swap two numbers, their groups, or both.

    In the sentence and in the claim.
    """
    sentence = source.sentence
    match = _RATES.search(sentence) or _RESPECTIVELY.search(sentence)
    if match is None and not _DIRECTION.search(sentence):
        match = _RATES_AFTER.search(sentence)
    if match is None or match["first"] == match["second"] or match["one"].strip() == match["other"].strip():
        return
    numbers, groups = match.span("first") + match.span("second"), match.span("one") + match.span("other")
    told_swapped = source.random.random() < 0.5
    statement = _exchanged(sentence, numbers) if told_swapped else sentence
    keep = (match["first"], match["second"], match["one"], match["other"])
    for numbers_swapped in (False, True):
        for groups_swapped in (False, True):
            claim = _exchanged(sentence, groups) if groups_swapped else sentence
            if numbers_swapped:
                claim = _exchanged(claim, _moved(numbers, groups, groups_swapped))
            label: Label = "entailment" if (numbers_swapped ^ groups_swapped ^ told_swapped) == 0 else "contradiction"
            yield source.twin(statement, capitalized(claim), label, keep)


def number(source: TwinSource) -> Iterator[Twin]:
    """Change one number or its unit."""
    matches = list(_MEASURED.finditer(source.sentence))
    if not matches or states_aim(source.sentence):
        return
    match = source.random.choice(matches)
    unit = _OTHER_UNITS.get(match["unit"].strip())
    if unit is not None and source.random.random() < 0.4:
        new = f"{match['value']} {unit}"
    else:
        new = _other_value(source, match)
    if len(re.findall(rf"(?<![\d.]){re.escape(match['value'])}(?![\d.])", source.sentence)) == 1 and new != match[0]:
        yield from crossed(source, _with(source.sentence, match.span(), new), "contradiction", (match[0], new))


def _value_claim(source: TwinSource, match: re.Match[str], swapped: bool, more: str) -> str:
    one, other = (match["other"], match["one"]) if swapped else (match["one"], match["other"])
    value = f"{match['verb']} {match['adverb'] or ''}{more}{match['middle']}"
    subject, preposition, than = match["subject"], match["preposition"], _than(more)
    return source.random.choice(
        (
            f"{subject} {value} {preposition} {one} {than} {preposition} {other}.",
            f"Compared with {uncapitalized(other)}, {uncapitalized(subject)} {value} {preposition} {one}.",
            f"{capitalized(preposition)} {one}, {uncapitalized(subject)} {value} {than} {preposition} {other}.",
        )
    )


def _than(more: str) -> str:
    return "compared with" if more.endswith("ed") else "than"


def _sides(sentence: str) -> tuple[re.Match[str], Callable[[TwinSource, re.Match[str], bool, str], str]] | None:
    """Return the two sides of a comparison, and how a claim states them."""
    for pattern, claim in (
        (_VALUE_FIRST, _value_claim),
        (_VALUE_OF_GROUP, _value_of_group_claim),
        (_GROUP_FIRST, _group_claim),
    ):
        if match := pattern.fullmatch(sentence):
            return match, claim
    return None


def _value_of_group_claim(source: TwinSource, match: re.Match[str], swapped: bool, more: str) -> str:
    one, other = (match["other"], match["one"]) if swapped else (match["one"], match["other"])
    subject, preposition = match["subject"], match["preposition"]
    value = f"{match['verb']} {match['adverb'] or ''}{more}"
    return source.random.choice(
        (
            f"{subject} {preposition} {one} {value} {_than(more)} {preposition} {other}.",
            f"{subject} {value} {preposition} {one} {_than(more)} {preposition} {other}.",
        )
    )


def _group_claim(source: TwinSource, match: re.Match[str], swapped: bool, more: str) -> str:
    one, other = (match["other"], match["one"]) if swapped else (match["one"], match["other"])
    value = f"{match['verb']} {match['adverb']}{more} {match['subject'].strip()}"
    claim = source.random.choice(
        (
            f"{capitalized(one)} {value} {_than(more)} {uncapitalized(other)}.",
            f"Compared with {uncapitalized(other)}, {uncapitalized(one)} {value}.",
        )
    )
    return _agreeing_article(claim)


def _affirmed(sentence: str) -> str | None:
    match = _DID_NOT.search(sentence)
    if match:
        return _with(sentence, match.span(), _past(match[1]))
    for pattern, replacement in _DENIALS:
        match = pattern.search(sentence)
        if match:
            if not replacement:
                return _with(sentence, match.span(), ("A " if match[1] == "N" else "a ") + match[2])
            return _with(sentence, match.span(), match.expand(replacement))
    return None


def _denied(sentence: str) -> str | None:
    if re.search(r"\b(?:not|no|nor|neither|without|none|never|or)\b", sentence, re.IGNORECASE):
        return None
    match = _AFFIRMATION.search(sentence)
    return _with(sentence, match.span(), f"{match[1]} not {match[2]}") if match else None


def _past(verb: str) -> str:
    return "led" if verb == "lead" else verb + ("d" if verb.endswith("e") else "ed")


def _other_value(source: TwinSource, match: re.Match[str]) -> str:
    """Return another number with the same unit.

    One that stands near, or else an invented one.
    """
    value, unit = match["value"], match["unit"]
    near = source.abstract.sentences[max(0, source.index - 2) : source.index + 3]
    others = {other["value"] for text in near for other in _MEASURED.finditer(text) if other["unit"] == unit} - {value}
    if others and source.random.random() < 0.7:
        return source.random.choice(sorted(others)) + unit
    decimals = len(value.partition(".")[2])
    old = float(value)
    new = source.random.choice((old * 0.5, old * 2, old * 1.5, old + 1, old + 5, old * source.random.uniform(0.6, 1.6)))
    if unit.strip() == "%" and new > 100:
        new = old / 2
    return f"{new:.{decimals}f}{unit}"


def _with(text: str, span: tuple[int, int], new: str) -> str:
    return text[: span[0]] + new + text[span[1] :]


def _exchanged(text: str, spans: tuple[int, int, int, int]) -> str:
    start, end, later_start, later_end = spans
    return text[:start] + text[later_start:later_end] + text[end:later_start] + text[start:end] + text[later_end:]


def _moved(
    numbers: tuple[int, int, int, int], groups: tuple[int, int, int, int], swapped: bool
) -> tuple[int, int, int, int]:
    """Return where the numbers stand after their groups are swapped.

    The groups may differ in length.
    """
    grown = (groups[3] - groups[2]) - (groups[1] - groups[0]) if swapped else 0
    start, end, later_start, later_end = (
        position + grown if groups[1] <= position <= groups[2] else position for position in numbers
    )
    return start, end, later_start, later_end


def _agreeing_article(text: str) -> str:
    """Write "a" or "an" to fit the next word of direction."""
    text = re.sub(r"\b([Aa]) (?=(?:increase|improve|elevat|earl|ineffect|inhibit)\w*\b)", r"\1n ", text)
    return re.sub(
        r"\b([Aa])n (?=(?:decrease|reduc|lower|larger|higher|greater|small|later|fast|slow|wors)\w*\b)", r"\1 ", text
    )
