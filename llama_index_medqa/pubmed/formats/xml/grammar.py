"""The shape of an ordinary ``PubmedArticle`` as a regular expression.

The expression spells out every tag that it steps over, in the order of NLM's DTD
(https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/190101/), with the attributes in the order in which NLM writes them.
So a record that matches is well-formed and holds no markup that is not named here. A record that does not match
is none the worse for it: it is read by :mod:`llama_index_medqa.pubmed.formats.xml.tree`.

All repetitions are possessive: a match never goes back, and takes time proportional to the record's length.
"""

import re
from collections.abc import Callable
from operator import methodcaller
from typing import Any

ANYTHING = "[^<]*+"
INLINE_TAGS = ("i", "b", "u", "sub", "sup")
_DEEPEST_INLINE = 2


def attributes(*names: str) -> str:
    """Return a pattern for optional attributes in order.

    Values that XML would rewrite do not match.
    """
    return "".join(f'(?: {name}="[^"<>&\\t\\n\\r]*+")?+' for name in names)


def element(name: str, content: str, *attribute_names: str) -> str:
    """Return a pattern for an element with this content."""
    return f"<{name}{attributes(*attribute_names)}>{content}</{name}>"


def leaf(name: str, *attribute_names: str) -> str:
    """Return a pattern for an element without elements."""
    return f"<{name}{attributes(*attribute_names)}(?:>{ANYTHING}</{name}>|/>)"


def sequence(*parts: str) -> str:
    """Return a pattern for parts in order.

    White space may stand around them.
    """
    return ANYTHING + "".join(part + ANYTHING for part in parts)


def optional(part: str) -> str:
    """Return a pattern for the part or nothing."""
    return f"(?:{part}{ANYTHING})?+"


def many(part: str) -> str:
    """Return a pattern for any number of the part."""
    return f"(?:{part}{ANYTHING})*+"


def named(name: str, part: str) -> str:
    """Return a pattern for the part as a named group."""
    return f"(?P<{name}>{part})"


def inline(depth: int = _DEEPEST_INLINE) -> str:
    """Return a pattern for text with inline markup.

    Italics, bold, underline, sub- and superscripts, nested no deeper than this.
    """
    if depth == 0:
        return ANYTHING
    tags = "|".join(f"{tag}>{inline(depth - 1)}</{tag}" for tag in INLINE_TAGS)
    return f"{ANYTHING}(?:<(?:{tags})>{ANYTHING})*+"


def _date(name: str, *attribute_names: str) -> str:
    parts = (optional(leaf(part)) for part in ("Year", "Month", "Day", "Hour", "Minute"))
    return element(name, ANYTHING + "".join(parts), *attribute_names)


_PUBLICATION_DATE = element(
    "PubDate",
    ANYTHING
    + optional(f"<Year>{named('year', ANYTHING)}</Year>")
    + optional(f"<Month>{named('month', ANYTHING)}</Month>")
    + optional(f"<Day>{named('day', ANYTHING)}</Day>")
    + optional(leaf("Season"))
    + optional(f"<MedlineDate>{named('free_date', ANYTHING)}</MedlineDate>"),
)
_JOURNAL = element(
    "Journal",
    ANYTHING
    + optional(leaf("ISSN", "IssnType"))
    + element(
        "JournalIssue",
        ANYTHING + optional(leaf("Volume")) + optional(leaf("Issue")) + _PUBLICATION_DATE + ANYTHING,
        "CitedMedium",
    )
    + ANYTHING
    + optional(f"<Title>{named('journal', ANYTHING)}</Title>")
    + optional(leaf("ISOAbbreviation")),
)
_PAGES = element(
    "Pagination",
    ANYTHING + optional(leaf("StartPage")) + optional(leaf("EndPage")) + optional(leaf("MedlinePgn")),
)
_PARAGRAPH = f'<AbstractText(?: Label="[^"<]*+")?+{attributes("NlmCategory")}(?:>{inline()}</AbstractText>|/>)'
_ABSTRACT = element(
    "Abstract", ANYTHING + many(_PARAGRAPH) + optional(named("copyright", leaf("CopyrightInformation")))
)
_OTHER_ABSTRACT = element(
    "OtherAbstract", ANYTHING + many(_PARAGRAPH) + optional(leaf("CopyrightInformation")), "Type", "Language"
)
_PERSON = (
    optional(leaf("LastName"))
    + optional(leaf("ForeName"))
    + optional(leaf("Initials"))
    + optional(leaf("Suffix"))
    + optional(leaf("CollectiveName"))
    + many(leaf("Identifier", "Source"))
    + many(element("AffiliationInfo", ANYTHING + many(leaf("Affiliation")) + many(leaf("Identifier", "Source"))))
)
_AUTHORS = element(
    "AuthorList",
    ANYTHING + many(element("Author", ANYTHING + _PERSON, "ValidYN", "EqualContrib")),
    "CompleteYN",
)
_DATA_BANK = element(
    "DataBank",
    sequence(leaf("DataBankName"), element("AccessionNumberList", ANYTHING + many(leaf("AccessionNumber")))),
)
_GRANT = element(
    "Grant",
    ANYTHING + "".join(optional(leaf(name)) for name in ("GrantID", "Acronym", "Agency", "Country")),
)
_ARTICLE = element(
    "Article",
    ANYTHING
    + sequence(named("journal_element", _JOURNAL), f"<ArticleTitle(?:>{named('title', inline())}</ArticleTitle>|/>)")
    + named("pages", optional(_PAGES))
    + named("locations", many(leaf("ELocationID", "EIdType", "ValidYN")))
    + optional(named("abstract", _ABSTRACT))
    + optional(named("authors", _AUTHORS))
    + named("languages", many(leaf("Language")))
    + optional(element("DataBankList", ANYTHING + many(_DATA_BANK), "CompleteYN"))
    + optional(element("GrantList", ANYTHING + many(_GRANT), "CompleteYN"))
    + optional(element("PublicationTypeList", named("types", ANYTHING + many(leaf("PublicationType", "UI")))))
    + optional(f"<VernacularTitle>{named('vernacular_title', ANYTHING)}</VernacularTitle>")
    + named("article_date", many(_date("ArticleDate", "DateType"))),
    "PubModel",
)
_JOURNAL_INFORMATION = element(
    "MedlineJournalInfo",
    ANYTHING + "".join(optional(leaf(name)) for name in ("Country", "MedlineTA", "NlmUniqueID", "ISSNLinking")),
)
_CHEMICALS = element(
    "ChemicalList",
    ANYTHING + many(element("Chemical", sequence(leaf("RegistryNumber"), leaf("NameOfSubstance", "UI")))),
)
_COMMENT = element(
    "CommentsCorrections",
    ANYTHING + optional(leaf("RefSource")) + optional(leaf("PMID", "Version")) + optional(leaf("Note")),
    "RefType",
)
_HEADING = element(
    "MeshHeading",
    sequence(leaf("DescriptorName", "UI", "MajorTopicYN", "Type")) + many(leaf("QualifierName", "UI", "MajorTopicYN")),
)
# NLM's files and its E-utilities disagree on the order of the last two attributes.
_CITATION = (
    f"<MedlineCitation{attributes('Status', 'VersionID', 'VersionDate')}"
    f"(?:{attributes('IndexingMethod', 'Owner')}>|{attributes('Owner', 'IndexingMethod')}>)"
    + ANYTHING
    + f'<PMID Version="{named("version", "[1-9][0-9]?")}">{named("pmid", "[0-9]++")}</PMID>'
    + ANYTHING
    + optional(_date("DateCreated"))
    + optional(_date("DateCompleted"))
    + optional(named("revised", _date("DateRevised")))
    + _ARTICLE
    + ANYTHING
    + named("journal_information", optional(_JOURNAL_INFORMATION))
    + optional(named("chemicals", _CHEMICALS))
    + optional(element("SupplMeshList", ANYTHING + many(leaf("SupplMeshName", "Type", "UI"))))
    + many(leaf("CitationSubset"))
    + optional(named("comments", element("CommentsCorrectionsList", ANYTHING + many(_COMMENT))))
    + optional(element("GeneSymbolList", ANYTHING + many(leaf("GeneSymbol"))))
    + optional(element("MeshHeadingList", ANYTHING + named("mesh", many(_HEADING))))
    + optional(leaf("NumberOfReferences"))
    + optional(element("PersonalNameSubjectList", ANYTHING + many(element("PersonalNameSubject", ANYTHING + _PERSON))))
    + many(leaf("OtherID", "Source"))
    + named("other_abstracts", many(_OTHER_ABSTRACT))
    + named("keywords", many(element("KeywordList", ANYTHING + many(leaf("Keyword", "MajorTopicYN")), "Owner")))
    + optional(f"<CoiStatement>{named('conflict', ANYTHING)}</CoiStatement>")
    + many(leaf("SpaceFlightMission"))
    + optional(element("InvestigatorList", ANYTHING + many(element("Investigator", ANYTHING + _PERSON, "ValidYN"))))
    + many(leaf("GeneralNote", "Owner"))
    + "</MedlineCitation>"
)
_IDS = element("ArticleIdList", ANYTHING + many(leaf("ArticleId", "IdType")))
_CITED = f"<Citation(?:>{inline(1)}</Citation>|/>)"
_REFERENCE = element("Reference", ANYTHING + optional(_CITED) + optional(_IDS))
_REFERENCES = element("ReferenceList", ANYTHING + optional(leaf("Title")) + many(_REFERENCE))
# A remark of NLM's on where the author's manuscript came from.
_ORIGIN = r"<\?(?:pmcsd|nihms) \?>"
_PUBMED_DATA = element(
    "PubmedData",
    ANYTHING
    + optional(element("History", ANYTHING + many(_date("PubMedPubDate", "PubStatus"))))
    + optional(leaf("PublicationStatus"))
    + optional(named("ids", _IDS))
    + many(_ORIGIN)
    + named("references", many(_REFERENCES)),
)

RECORD = re.compile(element("PubmedArticle", sequence(_CITATION) + optional(_PUBMED_DATA)).encode())
"""Matches the whole of an ordinary record; its groups are the parts that are read further."""


def groups(*names: str) -> Callable[[re.Match[bytes]], tuple[Any, ...]]:
    """Return a getter of groups of a match of :data:`RECORD`.

    By number and all at once, which is the fastest way.
    """
    return methodcaller("group", *(RECORD.groupindex[name] for name in names))
