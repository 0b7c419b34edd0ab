"""Count what real PubMed files hold, with XPath alone: nothing of the package under test is imported.

Usage: ``python tests/golden/make_figures.py FOLDER > tests/golden/figures.json``

The figures and the hashes of the files are stored in the repository; the files are not.
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

from lxml import etree

ARTICLE = "//MedlineCitation"
RETRACTED = (
    f"{ARTICLE}[Article/PublicationTypeList/PublicationType='Retracted Publication' or "
    "CommentsCorrectionsList/CommentsCorrections[@RefType='RetractionIn' or @RefType='RetractedandRepublishedIn']]"
)
NOTICE = (
    f"{ARTICLE}[Article/PublicationTypeList/PublicationType='Retraction of Publication' or "
    "Article/PublicationTypeList/PublicationType='Retraction Notice' or "
    "CommentsCorrectionsList/CommentsCorrections[@RefType='RetractionOf' or @RefType='PartialRetractionOf']]"
)
COUNTS = {
    "records": "count(//MedlineCitation) + count(//BookDocument)",
    "deletions": "count(//DeleteCitation/PMID)",
    "retracted": f"count({RETRACTED})",
    "retraction notices": f"count({NOTICE})",
    "with abstract": f"count({ARTICLE}[Article/Abstract/AbstractText[normalize-space()]]) + "
    "count(//BookDocument[Abstract/AbstractText[normalize-space()]])",
    "other abstracts": f"count({ARTICLE}/OtherAbstract)",
    "authors": f"count({ARTICLE}/Article/AuthorList/Author) + count(//BookDocument/Book/AuthorList/Author)",
    "groups": f"count({ARTICLE}/Article/AuthorList/Author[CollectiveName]) + "
    "count(//BookDocument/Book/AuthorList/Author[CollectiveName])",
    "affiliations": f"count({ARTICLE}/Article/AuthorList/Author//Affiliation[normalize-space()]) + "
    "count(//BookDocument/Book/AuthorList/Author//Affiliation[normalize-space()])",
    "references": f"count(//PubmedData/ReferenceList//Reference) + "
    f"count({ARTICLE}/CommentsCorrectionsList/CommentsCorrections[@RefType='Cites'])",
    "links": f"count({ARTICLE}/CommentsCorrectionsList/CommentsCorrections[not(@RefType='Cites')])",
    "mesh headings": f"count({ARTICLE}/MeshHeadingList/MeshHeading)",
    "major topics": f"count({ARTICLE}/MeshHeadingList/MeshHeading/DescriptorName[@MajorTopicYN='Y'])",
    "qualifiers": f"count({ARTICLE}/MeshHeadingList/MeshHeading/QualifierName)",
    "keywords": f"count({ARTICLE}/KeywordList/Keyword[normalize-space()])",
    "languages": f"count({ARTICLE}/Article/Language) + count(//BookDocument/Language)",
    "publication types": f"count({ARTICLE}/Article/PublicationTypeList/PublicationType) + "
    "count(//BookDocument/PublicationType)",
    "versions above 1": f"count({ARTICLE}/PMID[1][@Version > 1])",
    "with PMC identifier": "count(//PubmedData/ArticleIdList[ArticleId[@IdType='pmc']])",
}


def figures(path: Path) -> dict[str, object]:
    """The hash and the counts of one file; only the hash of a file that is not PubMed's XML."""
    content = path.read_bytes()
    found: dict[str, object] = {"sha256": hashlib.sha256(content).hexdigest()}
    try:
        tree = etree.fromstring(gzip.decompress(content) if path.suffix == ".gz" else content)
    except etree.XMLSyntaxError:
        return found
    if tree.xpath("boolean(//MedlineCitation | //BookDocument)"):
        found |= {name: int(tree.xpath(expression)) for name, expression in COUNTS.items()}
    return found


def main() -> None:
    """Print the figures of all XML files below a folder."""
    folder = Path(sys.argv[1])
    files = sorted(path for path in folder.rglob("*") if path.name.endswith((".xml", ".xml.gz")))
    lines = (f'"{path.relative_to(folder)}": {json.dumps(figures(path))}' for path in files)
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
