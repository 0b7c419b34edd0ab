"""Questions about a person: for advice, or in an emergency."""

import re
from typing import Literal

PersonalQuestion = Literal["emergency", "advice"]

_RELATIVE = (
    r"(?:son|daughter|child|children|kids?|baby|toddler|infant|newborn|wife|husband|partner|spouse|girlfriend|"
    r"boyfriend|"
    r"mother|father|mum|mom|dad|parents?|grandm\w+|grandf\w+|grandpa|granny|sister|brother|aunt|uncle|friend|"
    r"neighbou?r|"
    r"colleague|patient)"
)
# "US", "ME" and "type I" are no persons, so upper and lower case matter here.
_PERSON = (
    r"(?:(?-i:\b(?:[Mm]e|[Mm]y|[Mm]yself|[Hh]e|[Ss]he|[Hh]im|[Ss]omeone|[Ss]omebody)\b"
    r"|\b[Ii](?=['’](?:m|ve|d)\b| (?:accidentally|am|ate|burn(?:ed|t)|can|cannot|cut|drank|feel|fell|got|had|have|hit|"
    r"just|keep|may|might|need|overdosed|swallowed|think|took|want|was)\b))"
    rf"|\b(?:my|our|his|her) {_RELATIVE}\b)"
)
_ADVICE = re.compile(
    # "Should I …", "Can my mother …", "Is it safe for me …", "What should we do"
    r"\b(?:should|shall|can|could|may|must|do|does|did|am|will|would|is|are|was|has|have)\s+"
    rf"(?:I|he|she|my\b|our {_RELATIVE})\b"
    r"|\b(?:for|of|to|on|in) (?-i:me|myself|my)\b"
    rf"|\b(?:my|our) (?:own )?(?:{_RELATIVE}|doctor|physician|GP|dentist|cardiologist|oncologist|surgeon|blood|heart|"
    rf"chest|"
    r"head|stomach|back|leg|arm|knee|skin|eyes?|kidneys?|liver|lungs?|pressure|cholesterol|sugar|medications?|"
    r"medicines?|"
    r"pills?|meds|dose|diagnosis|diabetes|asthma|cancer|depression|anxiety|pain|symptoms?|pregnancy|period|test|"
    r"results?|"
    r"scan|surgery|operation|treatment|warfarin|insulin|metformin|statins?|prescription|condition|disease|illness)\b"
    r"|\bI(?:['’]m| am| was|['’]ve| have| had| take| took| feel| got| need| want| keep| suffer| started| stopped|"
    r" use)\b",
    re.IGNORECASE,
)
# "ICU", "type I" and "class I" are no persons; "I" must be written large.
_FIRST_PERSON = re.compile(
    r"(?<!type )(?<!class )(?<!phase )(?<!grade )(?<!stage )(?<!group )\bI\b(?!\s*(?:and|or|/)\s*I)"
)
_LOWER_I = re.compile(
    r"\b(?:should|can|could|may|must|do|am|shall|will|if|when|that) i\b|\bi(?:['’]m|['’]ve| am| have)\b"
)
_DANGER = (
    r"(?:swallow(?:ed|ing)?|ingest(?:ed|ing)|drank|ate|took too (?:many|much)|taken too (?:many|much)|overdos\w+|"
    r"poison\w*|"
    r"chok(?:ed|es|ing)|can(?:['’]t|not| not| ?t) breathe?|(?:not|stopped|isn['’]t|difficulty|trouble|struggling to) "
    r"breath\w*|short of breath|unconscious|unresponsive|won['’]t wake|not waking|passed out|collapsed|faint(?:ed|ing)|"
    r"seizures?|convuls\w+|chest pain|crushing|heart attack|stroke|fac(?:e|ial) droop\w*|slurred|bleeding|"
    r"blood everywhere|"
    r"anaphyla\w+|throat (?:is )?(?:swelling|closing)|tongue (?:is )?swelling|burn(?:ed|t)|electrocut\w+|drown\w*|"
    r"bitten by|stung by|stabbed|shot|hit (?:his|her|my|the) head|suicid\w*|kill (?:myself|himself|herself)|"
    r"end (?:my|his|her) life|want to die|turn(?:ed|ing) blue|stiff neck|fell (?:from|down|off))"
)
_HAPPENING = re.compile(
    # Somebody, and what befell them, in the present or just now.
    rf"{_PERSON}[^?.!]{{0,60}}\b{_DANGER}\b"
    rf"|\b{_DANGER}\b[^?.!]{{0,40}}\b(?:right now|just now|what (?:do|should) (?:I|we)|help)\b"
    r"|\b(?:kill myself|end my life|want to die)\b",
    re.IGNORECASE,
)
# What was long ago, or might be, is asked about and not told of.
_NOT_NOW = re.compile(
    r"\b(?:years?|months?|weeks?) ago\b|\blast (?:year|month)\b|\bhistory of\b|\b(?:prevent|avoid|risk of|chance of|"
    r"likely|after (?:a|my|his|her)|since (?:a|my|his|her)|recover\w*|survived|had a (?:stroke|heart attack|"
    r"seizure) in)\b",
    re.IGNORECASE,
)


def personal_question(question: str) -> PersonalQuestion | None:
    """Return the kind of a personal question.

    None for a question about the literature.

    ``emergency``: somebody is in danger now, by what is told ("my child swallowed …"). ``advice``: what one person
    should do, or what one person has ("should I stop my warfarin?").
    """
    if _HAPPENING.search(question) and not _NOT_NOW.search(question):
        return "emergency"
    return "advice" if _speaks_of_a_person(question) and _ADVICE.search(question) else None


def _speaks_of_a_person(question: str) -> bool:
    others = re.search(
        rf"\b(?-i:[Mm]y|[Mm]e|[Mm]yself)\b|\bour {_RELATIVE}\b|"
        rf"\b(?:should|can|could|may|must|is|has|does) (?:he|she)\b|\b(?:his|her) {_RELATIVE}\b",
        question,
        re.IGNORECASE,
    )
    return bool(others or _FIRST_PERSON.search(question) or _LOWER_I.search(question))
