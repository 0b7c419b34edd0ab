"""Twins that change scope: who was studied, what was shown, how surely."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from training.verifier.abstracts import Abstract
from training.verifier.rewording import without_lead
from training.verifier.twin import Label, Twin, TwinSource, capitalized, crossed, states_aim, uncapitalized

_PEOPLE = (
    "patients|women|men|children|subjects|those|participants|individuals|adults|infants|people|persons|girls|boys|"
    "females|males|adolescents|smokers|mice|rats|animals"
)
_RESTRICTION_FIRST = re.compile(
    rf"(?P<restriction>(?:In|Among|For) (?:the )?(?:[a-z-]+ ){{0,2}}(?:{_PEOPLE}|cells|subgroup)\b[^,;()]{{0,70}}), "
    r"(?P<finding>[^;]{20,}\.)"
)
_RESTRICTION_LAST = re.compile(
    rf"(?P<finding>[^;]{{25,200}}?) (?P<restriction>(?:in|among) (?:the )?(?:(?:[a-z-]+ ){{0,2}}(?:{_PEOPLE}) "
    r"(?:with|who|without|aged|receiving|treated|undergoing|under|over)\b[^,;()]{3,60}|"
    rf"(?!these|both|all|our|this|those|most)[a-z-]{{4,}} (?:{_PEOPLE})))\."
)
_CLAUSE = re.compile(
    r"(?P<lead>.{0,90}?\b(?:whether|(?:found|finds?|show(?:s|ed|n)?|demonstrate[sd]?|conclude[sd]?|indicate[sd]?|"
    r"suggest(?:s|ed)?|hypothesi[sz]ed?|hypothesis|reveal(?:s|ed)?|confirm(?:s|ed)?|observed|evidence|report(?:s|ed)?|"
    r"known) that)) (?P<clause>(?!there (?:is|are|was|were) )[^,;:()]{15,150})\."
)
_FINITE_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|reduces?|increases?|improves?|affects?|plays?|does|did|contributes?|differs?|"
    r"causes?|predicts?|leads?|induces?|inhibits?|prevents?|regulates?|decreases?)\b"
)
_HEDGE = re.compile(r"\b(?:would|could|may|might|any|should|can|possibly|probably|suggest\w*|likely)\b")
_POINTS_BACK = re.compile(
    r"^(?:is|are|was|were|has|have|had|can|does|did|which|to|traditionally|these|this|it|they|such|"
    r"the (?:latter|former)|both|he|she)\b",
    re.IGNORECASE,
)
_AIMS = (
    "We investigated whether {}.",
    "The aim of this study was to determine whether {}.",
    "It is not known whether {}.",
    "We hypothesised that {}.",
    "This study tested the hypothesis that {}.",
    "It has been suggested that {}, but evidence is lacking.",
    "The protocol was designed to assess whether {}.",
    "Some authors have proposed that {}.",
    "We sought to examine whether {}.",
    "Whether {} remains unclear.",
)
_FINDINGS = (
    "We found that {}.",
    "The results showed that {}.",
    "These data demonstrate that {}.",
    "In conclusion, {}.",
    "Our study shows that {}.",
    "It was observed that {}.",
    "Analysis of the data confirmed that {}.",
)
_REPORTS = re.compile(r"\b(?:suggest|show|found|find|conclu|report|indicat|demonstrat|hypothes|reveal|support)\w*\b")
_STUDY = re.compile(r"\b(?:we|study|trial|randomi[sz]ed|articles|literature|research)\b", re.IGNORECASE)
_METHODS = re.compile(
    r"\b(?:analy[sz]ed|measured|assessed|evaluated|assigned|randomi[sz]ed|enrolled|recruited|recorded|collected|allocated|"
    r"included|performed|conducted|followed|calculated)\b"
)
_CAUSES = (
    ("was associated with", "caused"),
    ("were associated with", "caused"),
    ("is associated with", "causes"),
    ("are associated with", "cause"),
    ("correlated with", "led to"),
    ("was related to", "resulted in"),
    ("were related to", "resulted in"),
    ("was linked to", "brought about"),
    ("associations with", "effects on"),
    ("predicted", "caused"),
)
_POPULATIONS = (
    "healthy volunteers|pregnant women|older adults|cell lines|rats|mice|rabbits|pigs|patients|women|men|children|"
    "infants|adults|dogs|adolescents|monkeys"
).split("|")
_POPULATION = re.compile(rf"\b(?:{'|'.join(_POPULATIONS)})\b")
_ANIMALS = frozenset("rats mice rabbits pigs dogs monkeys".split()) | {"cell lines"}
_BASE_VERBS = (
    "improve reduce increase cause contribute lead affect help play explain provide influence result prevent represent "
    "occur decrease enhance promote inhibit predict benefit protect require delay"
).split()
_HEDGED_VERB = re.compile(rf"\b(?:may|might) (?:(?P<be>be)\b|(?P<verb>{'|'.join(_BASE_VERBS)})\b)", re.IGNORECASE)
_NAMES = {
    "drug": re.compile(
        r"\b[A-Za-z][a-z]+(?:mab|nib|statin|pril|sartan|olol|azole|cillin|mycin|cycline|idine|apine|parin|vir|oxacin|"
        r"azepam|gliptin|formin|zumab|platin|taxel|rubicin)\b"
    ),
    "disease": re.compile(r"\b[a-z]{4,}(?:itis|emia|aemia|osis|oma|pathy|algia|uria|plegia)\b"),
    "gene": re.compile(r"\b[A-Z][A-Za-z]{1,5}-?\d{1,3}[A-Za-z]?\b"),
    "abbreviation": re.compile(r"\b[A-Z]{3,5}\b"),
}
_NO_NAMES = frozenset(
    "DNA RNA PCR AND THE FOR WITH ANOVA MRI USA BMI CI RCT RCTs SD SE OR RR HR diagnosis hypothesis prognosis basis "
    "analysis Table Type Phase Group Day Week II III VI VII".split()
)


def names_by_class(abstracts: Iterable[Abstract]) -> Mapping[str, Sequence[str]]:
    """Return the abstracts' names by class.

    Drugs, diseases, genes and abbreviations.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for abstract in abstracts:
        for sentence in abstract.sentences:
            for kind, name in _named(sentence):
                names[kind].add(name)
    return {kind: sorted(found) for kind, found in names.items()}


def restrictions(abstracts: Iterable[Abstract]) -> Sequence[str]:
    """Return the abstracts' restrictions to groups of people.

    "among women with ...".
    """
    sentences = (sentence for abstract in abstracts for sentence in abstract.sentences)
    return sorted({match["restriction"] for match in map(_restricted, sentences) if match})


def subgroup(source: TwinSource) -> Iterator[Twin]:
    """Drop or replace the restriction of a finding to some people."""
    match = _restricted(source.sentence)
    if match is None or states_aim(source.sentence):
        return
    restriction, finding = uncapitalized(match["restriction"]), uncapitalized(match["finding"].rstrip("."))
    others = [text for text in map(uncapitalized, source.restrictions) if text != restriction]
    if not others or _STUDY.search(finding):
        return
    other = source.random.choice(others)
    keep = (restriction, other)
    general = capitalized(finding) + "."
    restricted = _sentence_with_restriction(source, restriction, finding)
    yield source.twin(source.sentence, general, "neutral", keep)
    yield source.twin(general, general, "entailment", keep)
    yield source.twin(source.sentence, restricted, "entailment", keep)
    yield source.twin(_sentence_with_restriction(source, other, finding), restricted, "neutral", keep)


def aim(source: TwinSource) -> Iterator[Twin]:
    """State an aim as a finding.

    Where two clauses can be asked, ask one and state the other.
    """
    clause = _askable(source.sentence)
    if clause is None:
        return
    sentences = source.abstract.sentences
    others = [position for position, text in enumerate(sentences) if position != source.index and _askable(text)]
    if others:
        position = source.random.choice(others)
        other = _askable(sentences[position]) or ""
        # What stands before both seldom states what is asked here; what follows often does.
        yield from _asked_and_found(source, sentences[: min(position, source.index)], clause, other)
        return
    claim = capitalized(clause) + "."
    yield source.twin(source.random.choice(_AIMS).format(clause), claim, "neutral")
    yield source.twin(_found(source, clause), claim, "entailment")


def _asked_and_found(source: TwinSource, before: Sequence[str], clause: str, other: str) -> Iterator[Twin]:
    for asked, found in ((clause, other), (other, clause)):
        told = [source.random.choice(_AIMS).format(asked), _found(source, found)]
        source.random.shuffle(told)
        sentences = (*before, " ".join(told))
        yield Twin(sentences, len(before), capitalized(asked) + ".", "neutral", altered=True)
        yield Twin(sentences, len(before), capitalized(found) + ".", "entailment", altered=True)


def _found(source: TwinSource, clause: str) -> str:
    return capitalized(source.random.choice((*_FINDINGS, "{}.", "{}.")).format(clause))


def _askable(sentence: str) -> str | None:
    """Return what a sentence asks or says as a clause.

    It can follow "whether" and "that".
    """
    match = _CLAUSE.fullmatch(sentence)
    if match and re.search(r"\b(?:not|no)\b", match["lead"]):
        return None
    clause = match["clause"] if match else without_lead(sentence).rstrip(".")
    told_plainly = match is not None or (len(clause.split()) in range(7, 31) and not re.search(r"[\d,;:()]", clause))
    if not told_plainly or not _FINITE_VERB.search(clause) or _HEDGE.search(clause) or _POINTS_BACK.match(clause):
        return None
    unfit = states_aim(clause) or _METHODS.search(clause) or _REPORTS.search(clause) or _STUDY.search(clause)
    return None if unfit else uncapitalized(clause)


def cause(source: TwinSource) -> Iterator[Twin]:
    """State an association as a cause, and a question as an answer."""
    sentence = source.sentence
    if states_aim(sentence) or re.search(r"\bnot?\b|\b[Aa]s predicted|\bpredicted (?:that|to|by)", sentence):
        return
    for linked, caused in _CAUSES:
        if sentence.count(linked) == 1:
            causal = sentence.replace(linked, caused)
            keep = (linked, caused)
            asked = _asked(source, keep)
            if asked is None:
                return
            yield source.twin(sentence, causal, "neutral", keep)
            yield source.twin(causal, causal, "entailment", keep)
            yield source.twin(sentence, sentence, "entailment", keep)
            yield asked
            return


def population(source: TwinSource) -> Iterator[Twin]:
    """State a result in rats as one in patients, or in women as in men."""
    groups = set(_POPULATION.findall(source.sentence))
    if len(groups) != 1:
        return
    old = groups.pop()
    humans = [name for name in _POPULATIONS if name not in _ANIMALS]
    others = humans if old in _ANIMALS else [*humans, *sorted(_ANIMALS), *sorted(_ANIMALS)]
    new = source.random.choice([name for name in others if name not in old and old not in name])
    yield from _renamed(source, old, new)


def entity(source: TwinSource) -> Iterator[Twin]:
    """Replace a name by another of the same class.

    A drug, a disease, a gene or an abbreviation.
    """
    found = list(_named(source.sentence))
    if not found:
        return
    kind, old = source.random.choice(found)
    near = [name for text in source.abstract.sentences for k, name in _named(text) if k == kind and name != old]
    new = source.random.choice(
        near
        if near and source.random.random() < 0.6
        else [name for name in source.names.get(kind, ()) if name != old] or [old]
    )
    if new != old and not _holds(source.sentence, new):
        yield from _renamed(source, old, new)


def certainty(source: TwinSource) -> Iterator[Twin]:
    """State *may reduce* as *reduces*, and an asked possibility as a fact."""
    sentence = source.sentence
    matches = list(_HEDGED_VERB.finditer(sentence))
    if len(matches) != 1 or states_aim(sentence):
        return
    match = matches[0]
    plural = _is_plural(sentence[: match.start()])
    if plural is None:
        return
    sure = ("are" if plural else "is") if match["be"] else match["verb"] + ("" if plural else "s")
    stated = sentence[: match.start()] + sure + sentence[match.end() :]
    keep = (match[0], sure)
    asked = _asked(source, keep)
    if asked is None:
        return
    yield source.twin(sentence, stated, "neutral", keep)
    yield source.twin(stated, stated, "entailment", keep)
    yield source.twin(sentence, sentence, "entailment", keep)
    yield asked


def _asked(source: TwinSource, keep: tuple[str, ...]) -> Twin | None:
    """Return the twin in which the abstract asks what the sentence states.

    None where that cannot be asked.
    """
    stated = without_lead(source.sentence)
    if _REPORTS.search(stated) or _POINTS_BACK.match(stated) or ";" in stated:
        return None
    asked = source.random.choice(_AIMS).format(uncapitalized(stated.rstrip(".")))
    return source.twin(asked, source.sentence, "neutral", keep)


def _is_plural(text: str) -> bool | None:
    """Return whether the subject at the end of a text looks plural.

    None where it is "which" or the like.
    """
    subject = re.split(r"[,;:]|\b(?:that|which|and|but|because)\b", text)[-1]
    words = re.split(r"\b(?:of|in|for|with|from|to|on|among|between|by|at)\b", subject)[0].split()
    if not words:
        return None
    head = words[-1]
    return head.lower() in {"we", "they", "these", "people", "children", "women", "men", "mice"} or bool(
        re.search(r"[^sui]s$", head)
    )


def _restricted(sentence: str) -> re.Match[str] | None:
    return _RESTRICTION_FIRST.fullmatch(sentence) or _RESTRICTION_LAST.fullmatch(sentence)


def _sentence_with_restriction(source: TwinSource, restriction: str, finding: str) -> str:
    if source.random.random() < 0.5:
        return f"{capitalized(restriction)}, {finding}."
    return f"{capitalized(finding)} {restriction}."


def _renamed(source: TwinSource, old: str, new: str) -> Iterator[Twin]:
    """Yield the twins of a renaming in the whole abstract."""
    renamed = tuple(re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", new, text) for text in source.abstract.sentences)
    if renamed[source.index] == source.sentence:
        return
    if any(_holds(text, new) for text in source.abstract.sentences):
        # The other name is told of in the abstract too: only the sentence itself may change.
        yield from crossed(source, renamed[source.index], "neutral", (old, new))
        return
    forms = (source.abstract.sentences, renamed)
    for told in forms:
        for claimed in forms:
            label: Label = "entailment" if told is claimed else "neutral"
            claim = claimed[source.index]
            yield Twin(told, source.index, claim, label, altered=told is renamed, keep=(old, new))


def _holds(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def _named(sentence: str) -> Iterator[tuple[str, str]]:
    for kind, pattern in _NAMES.items():
        for match in pattern.finditer(sentence):
            if match[0] not in _NO_NAMES:
                yield kind, match[0]
