"""Hard cases of PubMed XML, one sample each, written for these tests; expected values were read off by eye."""

import gzip
import logging
import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError, SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Pieces
from llama_index_medqa.pubmed.formats.xml import read_identities, read_xml
from llama_index_medqa.pubmed.record import Author, Deletion, Link, PubMedRecord, identity_of
from tests.unit.pubmed.formats.xml_samples import article, articles, document


def read(content):
    return list(read_xml(BytesIO(content)))


def read_one(*parts, **keywords):
    (record,) = read(document(article(*parts, **keywords)))
    return record


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Infection by <i>H. pylori</i> in adults", "Infection by H. pylori in adults"),
        ("<b><i>E. coli</i> O157</b> tail", "E. coli O157 tail"),
        ("CO<sub>2</sub> and Ca<sup>2+</sup>", "CO2 and Ca2+"),
        ("CD4<sup>+</sup> T cells, 2<sup>nd</sup> line, cm<sup>2</sup>", "CD4+ T cells, 2nd line, cm2"),
        ("150 x 10<sup>9</sup>/L", "150 x 10^9/L"),
        ("10<sup>-5</sup> and 10<sup>\u22125</sup>", "10^-5 and 10^\u22125"),
        ("2<sup>-\u0394\u0394Ct</sup>", "2^-\u0394\u0394Ct"),
        ("<i>10</i><sup>6</sup>", "10^6"),
        ("10<sup><i>6</i></sup>", "10^6"),
        ("10<sup>&#x2212;6</sup>", "10^\u22126"),
        ("two\n   lines\u2009&amp; more", "two lines & more"),
        ("before <!-- a remark -->after", "before after"),
        ("before <?remark x?>after", "before after"),
        ("<![CDATA[a < b]]> c", "a < b c"),
        ("unknown <new>markup</new> stays", "unknown markup stays"),
        (
            '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:msup><mml:mn>10</mml:mn>\n'
            "<mml:mn>5</mml:mn></mml:msup></mml:math> cells",
            "10^5 cells",
        ),
        (
            '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mfrac><mml:mn>1</mml:mn>'
            "<mml:mn>2</mml:mn></mml:mfrac><mml:mo>=</mml:mo><mml:mi>x</mml:mi></mml:math>.",
            "1/2=x.",
        ),
    ],
)
def test_no_text_is_lost(markup, text):
    assert read_one(title=f"<ArticleTitle>{markup}</ArticleTitle>").title == text
    abstract = f"<Abstract><AbstractText>{markup}</AbstractText></Abstract>"
    assert read_one(abstract=abstract).sections[0].text == text


def test_sections_keep_their_labels():
    abstract = (
        '<Abstract><AbstractText Label="AIMS" NlmCategory="OBJECTIVE">a</AbstractText>'
        '<AbstractText Label="UNLABELLED" NlmCategory="UNASSIGNED">b</AbstractText>'
        '<AbstractText Label="EMPTY"/><AbstractText>c</AbstractText>'
        "<CopyrightInformation>(c) us</CopyrightInformation></Abstract>"
    )
    record = read_one(abstract=abstract)
    assert [tuple(section) for section in record.sections] == [
        ("a", "AIMS", "OBJECTIVE"),
        ("b", None, None),
        ("c", None, None),
    ]
    assert record.text == "A title.\na\nb\nc"
    assert record.details.copyright == "(c) us"


@pytest.mark.parametrize(
    ("title", "vernacular", "expected"),
    [
        ("<ArticleTitle/>", "<VernacularTitle>Ein Titel.</VernacularTitle>", "Ein Titel."),
        ("<ArticleTitle>[Not Available].</ArticleTitle>", "<VernacularTitle>Un titre.</VernacularTitle>", "Un titre."),
        ("<ArticleTitle>[Not Available].</ArticleTitle>", "", "[Not Available]."),
        ("<ArticleTitle>[A title].</ArticleTitle>", "<VernacularTitle>Ein Titel.</VernacularTitle>", "[A title]."),
        ("", "", ""),
    ],
)
def test_titles_in_other_languages(title, vernacular, expected):
    record = read_one(title=title, vernacular=vernacular)
    assert record.title == expected
    assert record.details.languages == ("eng",)
    assert f"<VernacularTitle>{record.details.vernacular_title}</VernacularTitle>" == vernacular or not vernacular


OTHER = (
    '<OtherAbstract Type="Publisher" Language="ger"><AbstractText>Deutsch.</AbstractText></OtherAbstract>'
    '<OtherAbstract Type="plain-language-summary" Language="eng"><AbstractText Label="WHY">Plain.</AbstractText>'
    "<CopyrightInformation>theirs</CopyrightInformation></OtherAbstract>"
)


def test_other_abstracts_stand_beside_the_main_one():
    record = read_one(in_citation=OTHER)
    assert [section.text for section in record.sections] == ["A text."]
    german, plain = record.details.other_abstracts
    assert (german.kind, german.language, german.sections[0].text) == ("Publisher", "ger", "Deutsch.")
    assert (plain.kind, plain.language, plain.copyright) == ("plain-language-summary", "eng", "theirs")


def test_other_abstract_is_read_where_there_is_no_main_one():
    assert [tuple(section) for section in read_one(abstract="", in_citation=OTHER).sections] == [
        ("Plain.", "WHY", None)
    ]


def test_authors():
    authors = (
        '<AuthorList CompleteYN="Y"><Author ValidYN="Y"><LastName>King</LastName><ForeName>Martin L</ForeName>'
        '<Initials>ML</Initials><Suffix>Jr</Suffix><Identifier Source="ORCID">0000-0001</Identifier>'
        '<AffiliationInfo><Affiliation>Here.</Affiliation><Identifier Source="ORCID">not his</Identifier>'
        "</AffiliationInfo><AffiliationInfo><Affiliation>There &amp; away.</Affiliation></AffiliationInfo></Author>"
        '<Author ValidYN="Y"><CollectiveName>A Study Group</CollectiveName></Author>'
        "<Author><LastName>Old</LastName><Affiliation>Until 2014.</Affiliation></Author></AuthorList>"
    )
    assert read_one(in_article=authors).authors == (
        Author("King", "Martin L", "ML", "Jr", "", ("Here.", "There & away."), "0000-0001"),
        Author(collective_name="A Study Group"),
        Author("Old", affiliations=("Until 2014.",)),
    )


@pytest.mark.parametrize(
    ("date", "electronic", "expected"),
    [
        ("<Year>2001</Year><Month>Feb</Month><Day>3</Day>", "", 20010203),
        ("<Year>2001</Year><Season>Spring</Season>", "", 20010101),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "", 19981201),
        ("<MedlineDate>soon</MedlineDate>", "<Year>2020</Year><Month>05</Month><Day>01</Day>", 20200501),
        ("", "", None),
    ],
)
def test_dates(date, electronic, expected):
    electronic = electronic and f'<ArticleDate DateType="Electronic">{electronic}</ArticleDate>'
    record = read_one(date=date, vernacular=electronic)
    assert (record.date and record.date.ordinal) == expected
    assert record.details.printed_date in date


LISTED = '<PubmedData><ArticleIdList><ArticleId IdType="pubmed">1</ArticleId>{}</ArticleIdList></PubmedData>'


@pytest.mark.parametrize(
    ("locations", "listed", "doi"),
    [
        ('<ELocationID EIdType="doi" ValidYN="Y">10.1/a</ELocationID>', "", "10.1/a"),
        (
            '<ELocationID EIdType="pii" ValidYN="Y">p</ELocationID>',
            '<ArticleId IdType="doi">10.1/b</ArticleId>',
            "10.1/b",
        ),
        (
            '<ELocationID EIdType="doi" ValidYN="N">wrong</ELocationID>',
            '<ArticleId IdType="doi">10.1/b</ArticleId>',
            "10.1/b",
        ),
        ('<ELocationID EIdType="doi" ValidYN="N">wrong</ELocationID>', "", None),
        ("", '<ArticleId IdType="pii">p</ArticleId>', None),
    ],
)
def test_doi_from_both_places(locations, listed, doi):
    assert read_one(locations=locations, data=LISTED.format(listed)).doi == doi


def test_doi_of_a_reference_is_not_the_papers():
    references = (
        "<PubmedData><ReferenceList><Title>References</Title><Reference><Citation>Cited<sup>1</sup>.</Citation>"
        '<ArticleIdList><ArticleId IdType="doi">10.1/cited</ArticleId><ArticleId IdType="pubmed">77</ArticleId>'
        "</ArticleIdList></Reference><ReferenceList><Reference><Citation>Nested.</Citation></Reference></ReferenceList>"
        "</ReferenceList></PubmedData>"
    )
    record = read_one(data=references)
    assert record.doi is None
    assert [(reference.citation, reference.pmid) for reference in record.references] == [
        ("Cited1.", "77"),
        ("Nested.", None),
    ]


def test_identifiers_and_mesh():
    mesh = (
        "<ChemicalList><Chemical><RegistryNumber>0</RegistryNumber>"
        '<NameOfSubstance UI="D1">Tea</NameOfSubstance></Chemical></ChemicalList><MeshHeadingList><MeshHeading>'
        '<DescriptorName UI="D1" MajorTopicYN="N">Heart Diseases</DescriptorName>'
        '<QualifierName UI="Q1" MajorTopicYN="Y">drug therapy</QualifierName>'
        '<QualifierName UI="Q2" MajorTopicYN="N">genetics</QualifierName></MeshHeading><MeshHeading>'
        '<DescriptorName UI="D2" MajorTopicYN="Y">Tea &amp; Coffee</DescriptorName></MeshHeading></MeshHeadingList>'
        '<KeywordList Owner="NOTNLM"><Keyword MajorTopicYN="N">tea</Keyword></KeywordList>'
    )
    data = LISTED.format('<ArticleId IdType="pmc">PMC5</ArticleId><ArticleId IdType="mid">M6</ArticleId>')
    record = read_one(in_citation=mesh, data=data)
    assert record.mesh == ("Heart Diseases", "Tea & Coffee")
    heart, tea = record.details.mesh_headings
    assert (heart.major, [tuple(q) for q in heart.qualifiers]) == (False, [("drug therapy", True), ("genetics", False)])
    assert (tea.major, tea.qualifiers) == (True, ())
    assert record.details.pmcid == "PMC5"
    assert record.details.article_ids == (("pubmed", "1"), ("pmc", "PMC5"), ("mid", "M6"))
    assert (record.details.chemicals, record.details.keywords) == (("Tea",), ("tea",))
    assert (record.details.issn, record.details.volume) == ("0000-0000", "7")


def test_links_keep_retraction_notice_concern_and_erratum_apart():
    lines = (
        '<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><RefSource>J. 1</RefSource>'
        '<PMID Version="1">5</PMID></CommentsCorrections><CommentsCorrections RefType="RetractionIn">'
        '<RefSource>J. 2</RefSource></CommentsCorrections><CommentsCorrections RefType="ErratumIn">'
        '<RefSource>J. 3</RefSource><PMID Version="1"/></CommentsCorrections><CommentsCorrections RefType="Cites">'
        '<RefSource>Cited.</RefSource><PMID Version="1">9</PMID></CommentsCorrections></CommentsCorrectionsList>'
    )
    record = read_one(in_citation=lines)
    assert record.status == "retracted"
    assert record.links == (
        Link("RetractionIn", "5", "J. 1"),
        Link("RetractionIn", None, "J. 2"),
        Link("ErratumIn", None, "J. 3"),
    )
    assert [(reference.citation, reference.pmid) for reference in record.references] == [("Cited.", "9")]


BOOK = """<PubmedBookArticle><BookDocument><PMID Version="1">20</PMID>
<ArticleIdList><ArticleId IdType="bookaccession">NBK1</ArticleId></ArticleIdList>
<Book><BookTitle book="b">A Handbook</BookTitle><PubDate><Year>2009</Year><Month>02</Month></PubDate>
<AuthorList Type="editors"><Author><CollectiveName>Editors</CollectiveName></Author></AuthorList></Book>{}
<Language>eng</Language><PublicationType UI="D016454">Review</PublicationType>
<Abstract><AbstractText>About a drug.</AbstractText></Abstract></BookDocument><PubmedBookData><ArticleIdList>
<ArticleId IdType="doi">10.1/book</ArticleId></ArticleIdList></PubmedBookData></PubmedBookArticle>"""


def test_books_and_their_chapters():
    chapter = (
        "<ArticleTitle>A <i>chapter</i></ArticleTitle><AuthorList Type='authors'>"
        "<Author><LastName>One</LastName></Author></AuthorList>"
    )
    whole, part = read(document(BOOK.format(""), BOOK.format(chapter), root="PubmedBookArticleSet"))
    assert (whole.title, whole.journal, whole.date.ordinal) == ("A Handbook", "", 20090201)
    assert (whole.publication_types, whole.doi, whole.authors[0].name) == (("Review",), "10.1/book", "Editors")
    assert (part.title, part.journal, part.authors[0].name) == ("A chapter", "A Handbook", "One")
    assert part.details.book_title == "A Handbook"
    assert ("bookaccession", "NBK1") in part.details.article_ids


def test_roots_versions_and_deletions():
    old = article().replace("<PubmedArticle>", "").replace("</PubmedArticle>", "")
    deletions = '<DeleteCitation><PMID Version="1">3</PMID><PMID Version="2">4</PMID></DeleteCitation>'
    newer = article().replace('PMID Version="1"', 'PMID Version="12"')
    items = read(document(old, newer, deletions, root="MedlineCitationSet"))
    assert [(item.pmid, item.version) for item in items] == [("1", 1), ("1", 12), ("3", 1), ("4", 2)]
    assert [type(item) for item in items] == [PubMedRecord, PubMedRecord, Deletion, Deletion]
    assert read(article().encode()) == read(old.strip().encode()) == [items[0]]


def test_identities_are_those_of_the_records():
    content = document(
        article(), article(pmid="<!-- 8 -->9"), BOOK.format(""), article(pmid=""), root="PubmedArticleSet"
    )
    assert list(read_identities(BytesIO(content))) == [identity_of(item) for item in read(content)]


def test_unknown_elements_are_told(caplog):
    with caplog.at_level(logging.WARNING):
        assert len(read(document("<NewThing><a/></NewThing>", article(), "<NewThing/>"))) == 1
    assert caplog.text.count("<NewThing>") == 1


@settings(max_examples=60)
@given(st.lists(articles, max_size=4), st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_pieces_may_end_anywhere(texts, sizes):
    content = document(*texts)
    expected = read(content)
    pieces, position, turn = [], 0, 0
    while position < len(content):
        size = sizes[turn % len(sizes)]
        pieces.append(content[position : position + size])
        position, turn = position + size, turn + 1
    assert list(read_xml(Pieces("pieces", iter(pieces)))) == expected


@pytest.mark.parametrize(
    "strange",
    [
        article(title="<ArticleTitle>x <!-- </PubmedArticle> --> y</ArticleTitle>"),
        article(title="<ArticleTitle>x <![CDATA[</PubmedArticle>]]> y</ArticleTitle>"),
    ],
)
def test_end_tags_in_remarks_end_nothing(strange):
    first, second = read(document("<!-- <PubmedArticle> -->", strange, "<?x <PubmedArticle>?>", article(pmid="2")))
    assert first.title.startswith("x ")
    assert second.pmid == "2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(encoding):
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    text = document(article(title="<ArticleTitle>Caf\xe9</ArticleTitle>")).decode().replace('"utf-8"', f'"{declared}"')
    (record,) = read(text.encode(encoding))
    assert record.title == "Caf\xe9"


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<PubmedArticleSet>&b;</PubmedArticleSet>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>
<PubmedArticleSet>&a;</PubmedArticleSet>"""
RECORD = article()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "declares the XML entity 'a'"),
        (EXTERNAL, "declares the XML entity 'a'"),
        ("<html><p>no</p></html>", "root element is <html>"),
        ("<eFetchResult><ERROR>Unable to obtain query #1</ERROR></eFetchResult>", "said: Unable to obtain query #1"),
        ("plain text", "is not XML"),
        ("", "is empty"),
        ("<PubmedArticleSet", "is not XML: unclosed token at line 1"),
        (document(RECORD).decode()[:-20], "without </PubmedArticleSet>"),
        (document(RECORD).decode()[:-40], "no </PubmedArticle> after byte 58"),
        (document(RECORD, "lost text").decode(), "'lost text"),
        (document(RECORD).decode() + "<more/>", "has more after its root element"),
        (
            document("<PubmedArticle><a></b></PubmedArticle>").decode(),
            "malformed XML in the <PubmedArticle> at byte 58",
        ),
        (document(RECORD.replace("A title.", "A &nbsp; title.")).decode(), "Entity 'nbsp' not defined"),
        (document("<PubmedArticle></PubmedArticle >", RECORD).decode(), "end tag has white space"),
        (document(RECORD).decode().replace("utf-8", "klingon"), "unknown encoding 'klingon'"),
    ],
)
def test_bad_input_is_named(content, message):
    with pytest.raises(SourceFormatError) as caught:
        read(content.encode())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_records_before_a_break_come_with_a_warning_not_to_trust_them():
    found = []
    with pytest.raises(SourceFormatError, match="Before that point, 2 records could be read"):
        found.extend(read_xml(BytesIO(document(RECORD, RECORD)[:-10])))
    reader = read_xml(BytesIO(document(RECORD, RECORD)[:-10]))
    assert [next(reader).pmid, next(reader).pmid] == ["1", "1"]


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: data[:-4] + b"0000"])
def test_damaged_gzip_is_named(tmp_path, damage):
    path = tmp_path / "a.xml.gz"
    path.write_bytes(damage(gzip.compress(document(*[RECORD] * 2000))))
    with pytest.raises(SourceFormatError, match=r"a\.xml\.gz (ends in the middle of|has damaged) .*compressed data"):
        list(read_xml(path))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        list(read_xml(tmp_path / "missing.xml"))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_xml(Path(tmp_path)))


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "large.xml.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"<PubmedArticleSet>" + RECORD.encode() * 30_000 + b"</PubmedArticleSet>")
    tracemalloc.start()
    assert sum(1 for _ in read_xml(path)) == 30_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
