"""Invented PubMed records, for tests that need many."""

import random
from datetime import date, timedelta

_WORDS = (
    *("heart", "failure", "insulin", "glucose", "kidney", "stroke", "aspirin", "cohort", "trial", "placebo"),
    *("survival", "biomarker", "infection", "vaccine", "antibody", "tumour", "lesion", "therapy", "dose"),
    *("relapse", "screening", "children", "adults", "blood", "pressure", "liver", "asthma"),
)

_ARTICLE = """<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{pmid}</PMID>\
<DateRevised><Year>{revised:%Y}</Year><Month>{revised:%m}</Month><Day>{revised:%d}</Day></DateRevised>\
<Article PubModel="Print"><Journal><JournalIssue CitedMedium="Print">\
<PubDate><Year>{published:%Y}</Year><Month>{published:%b}</Month><Day>{published:%d}</Day></PubDate>\
</JournalIssue><Title>Journal of Synthetic Medicine</Title></Journal>\
<ArticleTitle>Synthetic record {pmid}: <i>{title}</i>.</ArticleTitle><Abstract>\
<AbstractText Label="METHODS" NlmCategory="METHODS">{methods} in µmol H<sub>2</sub>O.</AbstractText>\
<AbstractText Label="RESULTS" NlmCategory="RESULTS">{results} (p &lt; 0.05).</AbstractText></Abstract>\
<Language>eng</Language><PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType>\
</PublicationTypeList></Article></MedlineCitation><PubmedData><History><PubMedPubDate PubStatus="entrez">\
<Year>{entered:%Y}</Year><Month>{entered:%m}</Month><Day>{entered:%d}</Day></PubMedPubDate></History>\
<ArticleIdList><ArticleId IdType="pubmed">{pmid}</ArticleId></ArticleIdList></PubmedData></PubmedArticle>"""


def synthetic_records(
    count: int,
    *,
    seed: int = 0,
    first_pmid: int = 10_000_001,
    first_day: date = date(2020, 1, 1),
    days: int = 365,
) -> dict[str, bytes]:
    """Make records with consecutive PMIDs, spread evenly over some days.

    Args:
        count: how many.
        seed: the same seed makes the same records.
        first_pmid: PMID of the first.
        first_day: the day on which the first was entered, published and revised.
        days: days over which publication and entry are spread; 1 puts all on one day.

    Returns:
        ``PubmedArticle`` elements by PMID, UTF-8.
    """
    source = random.Random(seed)  # noqa: S311 - no secret
    records = {}
    for number in range(count):
        pmid = str(first_pmid + number)
        day = first_day + timedelta(days=number * days // count)
        title, methods, results = (" ".join(source.choices(_WORDS, k=length)) for length in (6, 25, 40))
        records[pmid] = _ARTICLE.format(
            pmid=pmid, published=day, entered=day, revised=day, title=title, methods=methods, results=results
        ).encode()
    return records
