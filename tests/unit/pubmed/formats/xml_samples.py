"""PubMed XML for tests, written by us: no record of PubMed."""

from hypothesis import strategies as st


def article(
    title="<ArticleTitle>A title.</ArticleTitle>",
    abstract="<Abstract><AbstractText>A text.</AbstractText></Abstract>",
    date="<Year>2001</Year><Month>Feb</Month><Day>3</Day>",
    pmid="1",
    in_article="",
    in_citation="",
    data="",
    locations="",
    vernacular="",
):
    """A PubmedArticle; every argument is a piece of XML."""
    return f"""<PubmedArticle>
  <MedlineCitation Status="MEDLINE" Owner="NLM">
    <PMID Version="1">{pmid}</PMID>
    <Article PubModel="Print">
      <Journal>
        <ISSN IssnType="Print">0000-0000</ISSN>
        <JournalIssue CitedMedium="Print">
          <Volume>7</Volume>
          <PubDate>{date}</PubDate>
        </JournalIssue>
        <Title>Journal of Examples</Title>
      </Journal>
      {title}
      {locations}{abstract}{in_article}
      <Language>eng</Language>
      <PublicationTypeList>
        <PublicationType UI="D016428">Journal Article</PublicationType>
      </PublicationTypeList>{vernacular}
    </Article>
    {in_citation}
  </MedlineCitation>
  {data}
</PubmedArticle>"""


def document(*parts, root="PubmedArticleSet", prolog='<?xml version="1.0" encoding="utf-8"?>\n'):
    """A set of records as bytes."""
    return f"{prolog}<{root}>\n{''.join(parts)}\n</{root}>\n".encode()


# Text as XML writes it: entities, inline markup, white space, other alphabets.
words = st.sampled_from(
    [
        "10",
        "H. pylori",
        " ",
        "  ",
        "\n",
        "\t",
        "&amp;",
        "&lt;5",
        "&#x3b2;",
        "&#160;",
        "\u2009",
        "β",
        "²",
        "x]",
        "'",
        "]]",
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn"), exclude_characters="<&>"), max_size=8)
plain = st.lists(words, max_size=5).map("".join)


def _element(content):
    return st.builds(
        lambda tag, text: f"<{tag}>{text}</{tag}>", st.sampled_from(["i", "b", "u", "sup", "sup", "sub"]), content
    )


marked_up = st.recursive(plain, lambda inner: st.lists(_element(inner) | inner, max_size=4).map("".join), max_leaves=6)


def maybe(strategy):
    """The XML or nothing."""
    return st.just("") | strategy


def leaf(name, content=plain, attributes=""):
    """An element with this content."""
    return content.map(lambda text: f"<{name}{attributes}>{text}</{name}>")


def listing(name, item, attributes="", most=3):
    """An element that holds a list."""
    return st.lists(item, max_size=most).map(lambda items: f"<{name}{attributes}>\n {' '.join(items)}</{name}>")


paragraphs = st.builds(
    lambda label, category, text: f"<AbstractText{label}{category}>{text}</AbstractText>",
    maybe(
        st.sampled_from(["METHODS", "A &amp; B", "UNLABELLED", "x > y", " two  words "]).map(lambda v: f' Label="{v}"')
    ),
    maybe(st.sampled_from(["METHODS", "UNASSIGNED"]).map(lambda v: f' NlmCategory="{v}"')),
    marked_up,
) | st.just('<AbstractText Label="EMPTY"/>')
people = st.builds(
    lambda parts: f'<Author ValidYN="Y">{"".join(parts)}</Author>',
    st.tuples(
        maybe(leaf("LastName")),
        maybe(leaf("ForeName") | st.just("<ForeName/>")),
        maybe(leaf("Initials")),
        maybe(leaf("Suffix")),
        maybe(leaf("CollectiveName")),
        maybe(leaf("Identifier", plain, ' Source="ISNI"')),
        maybe(leaf("Identifier", plain, ' Source="ORCID"') | st.just('<Identifier Source="ORCID"/>')),
        maybe(leaf("Identifier", plain, ' Source="ORCID"')),
        maybe(listing("AffiliationInfo", leaf("Affiliation"), most=2)),
        maybe(leaf("AffiliationInfo", leaf("Affiliation").map('{}<Identifier Source="GRID">g</Identifier>'.format))),
    ),
)
headings = st.builds(
    lambda name, qualifiers: (
        f'<MeshHeading>\n<DescriptorName UI="D1" MajorTopicYN="N"{name}'
        + "".join(f'<QualifierName UI="Q1" MajorTopicYN="Y">{q}</QualifierName>' for q in qualifiers)
        + "</MeshHeading>"
    ),
    leaf("DescriptorName").map(lambda name: name.removeprefix("<DescriptorName"))
    | leaf("DescriptorName", attributes=' Type="Geographic"').map(lambda name: name.removeprefix("<DescriptorName"))
    | st.just("/>"),
    st.lists(plain, max_size=2),
)
ids = listing(
    "ArticleIdList",
    st.builds(
        lambda kind, text: f'<ArticleId IdType="{kind}">{text}</ArticleId>',
        st.sampled_from(["doi", "pubmed", "pmc", "pii", ""]),
        plain | st.sampled_from(["10.1002/x", "1"]),
    ),
)
references = listing(
    "ReferenceList",
    st.builds(
        lambda citation, found: f"<Reference>{citation}{found}</Reference>",
        maybe(leaf("Citation", marked_up)),
        maybe(ids),
    ),
)
comments = listing(
    "CommentsCorrectionsList",
    st.builds(
        lambda kind, source, pmid: f'<CommentsCorrections RefType="{kind}">{source}{pmid}</CommentsCorrections>',
        st.sampled_from(["Cites", "CommentIn", "RetractionIn", "ErratumIn"]),
        leaf("RefSource"),
        maybe(st.sampled_from(['<PMID Version="1">5</PMID>', '<PMID Version="1"/>'])),
    ),
)
keywords = leaf("Keyword", plain, ' MajorTopicYN="N"') | st.just('<Keyword MajorTopicYN="N"/>')
other_abstracts = st.builds(
    lambda kind, language, contents: f'<OtherAbstract Type="{kind}" Language="{language}">{contents}</OtherAbstract>',
    st.sampled_from(["Publisher", "plain-language-summary"]),
    st.sampled_from(["eng", "ger"]),
    st.builds("{}{}".format, st.lists(paragraphs, max_size=2).map("".join), maybe(leaf("CopyrightInformation"))),
)
articles = st.builds(
    article,
    title=leaf("ArticleTitle", marked_up) | st.just("<ArticleTitle/>"),
    abstract=maybe(listing("Abstract", paragraphs)),
    date=st.sampled_from(
        [
            "<Year>2001</Year><Month>Feb</Month>",
            "<MedlineDate>1998 Dec-1999 Jan</MedlineDate>",
            "<Year>2001</Year><Season>Spring</Season>",
            "",
        ]
    ),
    pmid=st.integers(1, 10**8).map(str),
    in_article=maybe(listing("AuthorList", people, ' CompleteYN="Y"')),
    in_citation=st.tuples(
        maybe(comments),
        maybe(listing("MeshHeadingList", headings)),
        st.lists(other_abstracts, max_size=2).map("".join),
        maybe(listing("KeywordList", keywords, ' Owner="NOTNLM"')),
        maybe(leaf("CoiStatement", marked_up)),
    ).map("".join),
    data=maybe(
        st.builds(lambda found, cited: f"<PubmedData>{found}{cited}</PubmedData>", maybe(ids), maybe(references))
    ),
    locations=maybe(leaf("ELocationID", plain, ' EIdType="doi" ValidYN="Y"')),
    vernacular=maybe(leaf("VernacularTitle", marked_up)),
)
