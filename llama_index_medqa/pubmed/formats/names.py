"""Names of authors as other programs write them."""

import re
from collections.abc import Mapping

from llama_index_medqa.pubmed.formats.json_values import is_missing, json_text, listed_texts
from llama_index_medqa.pubmed.record import Author

_INITIALS = re.compile(r"(\S.*) ((?:[A-Z]-?){1,4})(?: (Jr|Sr|2nd|3rd|II|III|IV))?")
_DOTTED_INITIALS = re.compile(r"(?:[A-Z]\.[ -]?){1,4}")
# As Scopus and Embase write names: King M.L.
_NAME_WITH_DOTS = re.compile(r"(\S.*) ((?:-?[A-Z]\.){1,4})")
_KEYS = {
    "last_name": ("lastname", "family", "familyname", "surname", "last"),
    "fore_name": ("forename", "given", "givenname", "firstname", "first"),
    "initials": ("initials",),
    "suffix": ("suffix",),
    "collective_name": ("collectivename", "literal", "name", "fullname", "group"),
    "orcid": ("orcid",),
    "affiliations": ("affiliations", "affiliation"),
}
_FIELDS = {alias: field for field, aliases in _KEYS.items() for alias in aliases}


def read_name(text: str) -> Author:
    """Parse the name of an author.

    ``King, Martin L``, ``King ML``, or anything else, which is kept as it is written.
    """
    text = text.strip().rstrip(";").strip()
    last_name, comma, rest = text.partition(",")
    if comma:
        fore_name, _, suffix = (part.strip() for part in rest.partition(","))
        is_initials = _DOTTED_INITIALS.fullmatch(fore_name) or re.fullmatch("[A-Z]{1,4}", fore_name)
        initials = re.sub(r"[. ]", "", fore_name) if is_initials else ""
        return Author(last_name.strip(), "" if initials else fore_name, initials, suffix)
    if found := _INITIALS.fullmatch(text.rstrip(".")):
        return Author(found[1], "", found[2], found[3] or "")
    if found := _NAME_WITH_DOTS.fullmatch(text):
        return Author(found[1], "", found[2].replace(".", ""))
    return Author(collective_name=text)


def read_authors(value: object, key: str) -> tuple[Author, ...]:
    """Parse authors.

    They may be a text, a list of texts, or a list of objects with their parts.

    A text is divided at semicolons, else at commas where each part is a name with initials (``King ML, Lovelace A``),
    else at ``and``.

    Raises:
        TypeError, ValueError: none of these.
    """
    if isinstance(value, str):
        names = listed_texts(value) or _divided(json_text(value, key))
        return tuple(read_name(name) for name in names if name.strip(" .;,"))
    if isinstance(value, Mapping):
        return (_author(value, key),)
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"'{key}' is a {type(value).__name__}, not a list of names")
    return tuple(_item(item, key) for item in value if not is_missing(item) and item != "")


def _divided(text: str) -> list[str]:
    if ";" in text:
        return text.split(";")
    parts = text.removesuffix(".").split(", ")
    if all(_INITIALS.fullmatch(part) for part in parts):
        return parts
    return text.split(" and ") if text.count(", ") != 1 or " and " in text else [text]


def _item(item: object, key: str) -> Author:
    if isinstance(item, Author):
        return item
    return _author(item, key) if isinstance(item, Mapping) else read_name(json_text(item, key))


def _author(values: Mapping[str, object], key: str) -> Author:
    parts: dict[str, object] = {}
    for name, value in values.items():
        field = _FIELDS.get(re.sub("[^a-z]", "", name.lower()))
        if field is not None and not is_missing(value):
            parts.setdefault(field, value)
    affiliations = parts.pop("affiliations", ())
    texts = {field: json_text(value, key) for field, value in parts.items()}
    if texts.get("last_name"):
        texts.pop("collective_name", None)
    listed = [affiliations] if isinstance(affiliations, str) else affiliations
    if not isinstance(listed, (list, tuple)):
        raise TypeError(f"the affiliations in '{key}' are a {type(listed).__name__}, not a list")
    author = Author(**{field: text for field, text in texts.items() if text})  # type: ignore[arg-type]
    return author._replace(affiliations=tuple(json_text(item, key) for item in listed))
