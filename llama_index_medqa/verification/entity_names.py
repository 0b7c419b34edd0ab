"""Words of a text that name one particular drug, gene, disease, organism, procedure or device."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from llama_index_medqa.text.search_terms import GREEK_NAMES
from llama_index_medqa.text.term_weights import is_common

_GREEK = str.maketrans(GREEK_NAMES)
# Where a letter of the other alphabet is put for a Greek one: IL-1b, NF-kB, IFNg.
_LATIN = str.maketrans({letter: name[0] for letter, name in GREEK_NAMES.items()})
_TOKEN = re.compile(r"[^\W_]+(?:[-.:'’‐‑–][^\W_]+)*")
_JOINT = re.compile(r"[-.:‐‑–]|['’](?:s\b)?")
_SENTENCE_START = re.compile(r"(?:^|[.?!:;][\"”’)\]]*\s)[\"“‘(\[]*\Z")
# "3", "alpha" or "b" behind a symbol belongs to it: "GLP-1", "TNF-alpha", "HDL-C".
_SYMBOL_TAIL = re.compile(r"\d+[a-z]?|[A-Za-z]|[Α-Ωα-ω]|(?:alpha|beta|gamma|delta|kappa|omega)(?:\d*)")
_SYMBOL = re.compile(
    r"(?=.*[A-ZΑ-Ωα-ω])(?:"
    r"[A-Z]{2,}s?"  # COPD, RCTs
    r"|(?=.*\d)(?:[A-Z]?[a-zΑ-Ωα-ω]{0,3}|[A-Z]+)\d\w*"  # CD4, IL6, F508del
    r"|[A-Z]*[a-z]{1,3}[A-ZΑ-Ωα-ω][A-Za-zΑ-Ωα-ω]*\d*\w?"  # mTOR, HbA1c, siRNA
    r"|[A-Z]{2,}[a-zΑ-Ωα-ω]{1,3}\d*"  # TNFα, VEGFa
    r"|[α-ω][A-Z]\w?"  # κB
    r")|p\d{2,}[a-z]?"  # p53
)
# Roman numerals, statistics, units, the United States, journals and authorities.
_NOT_SYMBOL = re.compile(
    r"I{1,3}|IV|VI{0,3}|I?X|OR|HR|RR|CI|SD|SE|SEM|IQR|AND|NOT|VS|MG|ML|[a-z]?[mkµ]?[gmLl]\d?"
    r"|USA?|JAMA|BMJ|NEJM|PLOS|BMC|WHO|FDA|CDC|NIH"
)
# Journals and institutions: "the European Medicines Agency", "Annals of Internal Medicine", "Cochlear Limited".
_CAPITALISED = r"[A-Z][\w'’-]*"
_LINK = r"(?:(?:and|of|for|on|in|the|&) ){0,2}"
_INSTITUTION = re.compile(
    rf"\b(?:{_CAPITALISED},? {_LINK}){{0,6}}?"
    r"(?:Academy|Administration|Agency|Annals|Archives|Association|Bureau|Cent(?:er|re)|Clinic|College|Commission|"
    r"Committee|Company|Congress|Corporation|Council|Court|Department|Faculty|Federation|Foundation|GmbH|Hospital|Inc|"
    r"Institutes?|Journal|Lancet|Limited|Ltd|Ministry|Organi[sz]ation|Proceedings|Society|Trust|University)\b"
    rf"(?! {_CAPITALISED} (?:Index|Inventory|Questionnaire|Scale|Score|Test))(?:,? {_LINK}{_CAPITALISED})*"
)
# A word that is common otherwise is a name before these: "Down syndrome", "Still's disease".
_EPONYM_BEHIND = frozenset("syndrome disease disorder palsy sign phenomenon anomaly".split())
# Names by their endings. Drugs have the stems of the WHO list of international nonproprietary names ("-mab", "-pril")
# or the endings of older substances ("-ine", "-ol"); ordinary words with such endings stand in entity_names.txt.
_NAME_LIKE = re.compile(
    r"(?:cef|ceph)[a-z]{4,}|[a-z]{2,}(?:"
    # drugs, other substances
    r"mab|[^u]nib|zomib|ciclib|parib|lisib|degib|nersen|siran|leucel|platin|taxel|citabine|mustine|trexed|relin|relix|"
    r"cillin|penem|bactam|cycline|[^n]vir|virenz|azole|pril|prilat|sartan|dipine|fibrate|vaptan|sentan|ciguat|grel|"
    r"grelor|xaban|gatran|triptan|setron|pitant|pram|racetam|azepam|zolam|barbital|orphan|propion|fentan[iy]l|flurane|"
    r"curonium|tropium|lukast|phylline|profen|coxib|fenac|xicam|afil|finil|oxidil|phenidate|prost|norgest|gestodene|"
    r"ifene?|dronate|calcet|imus|imod|caftor|stim|(?:berc|nerc|tac|fac|nac)ept|..in|.ine|[^o]ol|..ide|..one|"
    # proteins
    r".ase|kine|"
    # diseases and signs
    r"itis|.osis|oma|emia|uria|pathy|plegia|paresis|phagia|..ia|rrhage|cele|iasis|ectasis|megaly|lepsy|pnea|trophy|"
    # organisms
    r"coccus|cocci|bacter|bacill[ui]s?|virus|ella|myces|monas|bacteri(?:um|a)|"
    # procedures
    r"ectomy|ostomy|otomy|plasty|scopy|pexy|desis|centesis|tripsy|graphy|therapy|lysis)"
)
# What makes a name of the word before it: tranexamic acid, sunflower oil.
_NAMED_BEFORE = {"acid": re.compile(r"[a-z]{2,}ic"), "oil": re.compile(r"[a-z]{4,}")}
# The second word of a species, behind "L." or "Lactobacillus".
_GENUS = re.compile(r"[A-Z]\.\s\Z|\b[A-Z]?[a-z]+(?:coccus|bacillus|bacter|bacterium|ella|monas|myces|ium|ia|ides)\s\Z")
# "hepatitis B", "vitamin D", "vitamin B12".
_LETTERED = frozenset({"hepatitis", "influenza", "vitamin"})
_LETTER = re.compile(r"[A-K]\d{0,2}")
_SPECIES = re.compile(r"[a-z]{2,}(?:us|um|is|ae|i|a|ens)")
# Endings of one name as an adjective and in the plural, and its ending as a noun.
_FORMS = (
    (re.compile(r"(?:itides|itic)$"), "itis"),
    (re.compile(r"(?:oses|otic)$"), "osis"),
    (re.compile(r"emic$"), "emia"),
    (re.compile(r"(?:pathic|pathies)$"), "pathy"),
    (re.compile(r"(?:omatous|omata)$"), "oma"),
    (re.compile(r"metasta(?:ses|tic)$"), "metastasis"),
    (re.compile(r"ptic$"), "psy"),
    (re.compile(r"(?:graph|gram|graphic|graphies)$"), "graphy"),
    (re.compile(r"(?:scopic|scopies|scope)$"), "scopy"),
    (re.compile(r"(?:cocci|coccal)$"), "coccus"),
)
# What else is left out of a name so that its forms are the same: asthma and asthmatic, obesity and obese.
_INFLECTION = re.compile(
    r"(?<=...)(?:i[sz]ations?|i[sz](?:ed|ing)|ically|atic|istic|ism|ists?|ical|ics?|ally?|ous|ed|es|ies|ia|ives?|ions?|"
    r"us|um|ity|is|y|i|a|e|)s?$"
)
_BRITISH = (
    (re.compile("ae|oe"), "e"),
    (re.compile("our"), "or"),
    (re.compile("sulph"), "sulf"),
    (re.compile("trophin"), "tropin"),
)


@dataclass(frozen=True)
class EntityMention:
    """A name in a text.

    Attributes:
        text: the name as it is written.
        key: what forms of the same name have in common, by `name_key` or `symbol_key`.
        kind: ``word`` (aspirin, asthma), ``symbol`` (TNF-α, COPD, F508del) or ``proper`` (Escherichia).
        position: which token of the text it is, from 0.
    """

    text: str
    key: str
    kind: Literal["word", "symbol", "proper"]
    position: int


@lru_cache(maxsize=50_000)
def name_key(word: str) -> str:
    """Return what the forms of a word have in common, such as British and American spelling, plural and adjective."""
    key = american(word)
    for form, noun in _FORMS:
        key, changed = form.subn(noun, key)
        if changed:
            break
    return _INFLECTION.sub("", key)


@lru_cache(maxsize=50_000)
def symbol_key(symbol: str) -> str:
    """A symbol without hyphens, case and the plural's *s*; Greek letters are spelt: TNF-α and TNFalpha are the same."""
    plain = re.sub(r"[\W_]", "", symbol)
    if re.fullmatch(r"[A-Z]{2,}s", plain):
        plain = plain[:-1]
    return plain.lower().translate(_GREEK)


def latin_symbol_key(symbol: str) -> str:
    """Return the key of a symbol whose Greek letters are written as Latin ones: IL-1β is IL-1b, NF-κB is NF-kB."""
    return symbol_key(symbol.translate(_LATIN))


def tokens(text: str) -> list[tuple[int, list[str]]]:
    """Return the tokens of a text, each with its first character and its parts: GLP-1-treated is GLP, 1 and treated."""
    return [(match.start(), [part for part in _JOINT.split(match.group()) if part]) for match in _TOKEN.finditer(text)]


@lru_cache(maxsize=50_000)
def is_symbol(part: str) -> bool:
    """Return whether a word is an abbreviation or code, by its capitals and digits."""
    return bool(_SYMBOL.fullmatch(part)) and not _NOT_SYMBOL.fullmatch(part)


def symbols(parts: list[str]) -> Iterator[str]:
    """Yield the symbols of a token, each with the numbers and letters that belong to it: FGF-19, TNF-alpha."""
    current: list[str] = []
    for part in [*parts, ""]:
        if is_symbol(part) or (current and _SYMBOL_TAIL.fullmatch(part)):
            current.append(part)
        elif current:
            yield "-".join(current)
            current = []


def entity_mentions(text: str) -> list[EntityMention]:
    """Return the names in a text, in order. Ordinary words, however rare, and words for people and organs are none."""
    found, split = [], tokens(text)
    title_case = sum(parts[0][:1].isupper() for _, parts in split) > max(3, len(split) / 2)
    institutions = [] if title_case else [match.span() for match in _INSTITUTION.finditer(text)]
    for position, (start, parts) in enumerate(split):
        codes = list(symbols(parts))
        found += [EntityMention(code, symbol_key(code), "symbol", position) for code in codes]
        coded = {part for code in codes for part in code.split("-")}
        following = split[position + 1][1][0] if position + 1 < len(split) else ""
        opens = title_case or bool(_SENTENCE_START.search(text, 0, start))
        in_institution = any(first <= start < end for first, end in institutions)
        for part in parts:
            if part in coded or not part.isalpha() or (in_institution and part[0].isupper()):
                continue
            capitalised = part[0].isupper() and part[1:].islower() and len(part) > 2 and not opens
            proper = capitalised and (following in _EPONYM_BEHIND or not _is_ordinary(part))
            named = is_name(part) or _is_named_by_neighbour(part, text[:start], following)
            if part is parts[-1] and _singular(part.lower()) in _LETTERED and _LETTER.fullmatch(following):
                found.append(
                    EntityMention(f"{part} {following}", f"{name_key(part)} {following.lower()}", "word", position)
                )
            elif named and not (proper and part.endswith("ia")):  # Australia
                found.append(EntityMention(part, name_key(part), "word", position))
            elif proper:
                found.append(EntityMention(part, name_key(part), "proper", position))
    return found


def _is_named_by_neighbour(part: str, before: str, following: str) -> bool:
    substance = _NAMED_BEFORE.get(following.lower())
    if part.lower() in _listed().ordinary:
        return False
    return bool(
        (substance and substance.fullmatch(part.lower())) or (_SPECIES.fullmatch(part) and _GENUS.search(before[-25:]))
    )


@lru_cache(maxsize=50_000)
def _is_ordinary(word: str) -> bool:
    """Return whether a word with a capital names nothing: "Friday", "the United States", "Group A"."""
    lists = _listed()
    singular = _singular(american(word))
    return singular in lists.ordinary or (is_common(word) and singular not in lists.places)


@lru_cache(maxsize=50_000)
def is_name(word: str) -> bool:
    """Whether a word, without regard to capitals, names one particular thing, by its ending or because it is listed."""
    lists = _listed()
    singular = _singular(american(word))
    return singular in lists.names or (singular not in lists.ordinary and bool(_NAME_LIKE.fullmatch(singular)))


def american(word: str) -> str:
    """Return a word in small letters and American spelling, Greek letters spelt."""
    plain = word.lower().translate(_GREEK)
    for spelling, replacement in _BRITISH:
        plain = spelling.sub(replacement, plain)
    return plain


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith(("is", "us", "ss")) else word


class _Lists(NamedTuple):
    """The sections of entity_names.txt."""

    ordinary: frozenset[str]
    names: frozenset[str]
    places: frozenset[str]


@cache
def _listed() -> _Lists:
    """Return the words of entity_names.txt, in American spelling and the singular."""
    sections: dict[str, set[str]] = {}
    for line in (files(__package__) / "entity_names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), set())
        elif line and not line.startswith("#"):
            current.update(_singular(american(word)) for word in line.split())
    return _Lists(**{section: frozenset(words) for section, words in sections.items()})
