"""Checks the prose of the pages: words that newcomers must look up, long sentences, and links inside the repository.

Run by ``make docs``. Each problem is one line with file, line number and what to write in its place.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "README.zh-CN.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "docs/*.md",
    "examples/README.md",
)
MOST_WORDS = 45
# What a newcomer cannot know or must read twice, and what to write in its place.
WORDS = {
    r"the seed's?\b(?! (?:of|for|and|is set))": "name what is meant: the first version, or a random seed",
    r"our machines?\b": "say which machine: 2 cores without a GPU, an H200",
    r"(?:is|are|was|were|be) told\b": "say who shows what: shown, reported, named",
    r"told apart\b": "distinguished",
    r"tells? apart\b": "distinguishes",
    r"anew\b": "again",
    r"likewise\b": "also",
    r"hereby|herein|thereof|therein\b": "a plain word",
    r"whosoever|whoever\b": "anyone who, or the person who",
    r"so that it be\b": "so that it is",
    r"utili[sz]es?\b": "use",
    r"in order to\b": "to",
    r"leverag(?:e|es|ing)\b": "use",
    r"e\.g\.|i\.e\.": "such as, that is",
    r"simply|obviously|of course\b": "leave it out",
    r"blazing|state-of-the-art|revolutionary|seamless(?:ly)?\b": "a measured figure",
    r"colors?\b|behaviors?\b|organiz(?:e|ation)|recogniz(?:e|ed)\b": "British spelling: colour, organise, recognise",
}
_WORDS = re.compile("|".join(rf"(?P<w{number}>\b(?:{word}))" for number, word in enumerate(WORDS)), re.IGNORECASE)
_QUOTE = re.compile(r'"[^"]{1,60}"|“[^”]{1,60}”')
_INLINE_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
_SENTENCE_END = re.compile(r"(?<=[.!?:;])[\"”’)*_]*\s+(?=[\"“‘(*_`\[]*[A-Z0-9`\[])")
_HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)


def problems_of(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield the problems of a page, each as one line.

    Args:
        path: of a Markdown file.
        root: folder of the repository, from which paths are shown.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    name = path.relative_to(root)
    for number, text in paragraphs(lines):
        shown = _INLINE_CODE.sub("CODE", _LINK.sub(r"\1", text))
        for found in _WORDS.finditer(_QUOTE.sub("QUOTE", shown)):
            advice = list(WORDS.values())[int(str(found.lastgroup)[1:])]
            yield f"{name}:{number}: {found.group()!r}: {advice}."
        for sentence in _SENTENCE_END.split(shown):
            if len(sentence.split()) > MOST_WORDS:
                yield f"{name}:{number}: a sentence of {len(sentence.split())} words, {MOST_WORDS} at most: split it."
    for number, target in _links(lines):
        if not _is_there(path, target, root):
            yield f"{name}:{number}: the link {target!r} leads nowhere: correct the path or the heading after #."


def paragraphs(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the paragraphs, items and table rows outside code, each with the number of its first line."""
    text, first, in_code = "", 0, False
    for number, line in enumerate([*lines, ""], start=1):
        bare = line.strip()
        if bare.startswith(("```", "~~~")):
            in_code = not in_code
        is_code = in_code or bare.startswith(("```", "~~~"))
        starts_new = not bare or is_code or bare.startswith(("#", "- ", "* ", "|", "!!!", "<", ">")) or bare[:2] == "1."
        if starts_new and text:
            yield first, text
            text = ""
        if bare and not is_code:
            first = first if text else number
            if bare.startswith("#"):
                yield number, bare
            elif bare.startswith("|"):
                yield from ((number, cell.strip()) for cell in bare.strip("|").split("|"))
            else:
                text = f"{text} {bare}".strip()


def _links(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    in_code = False
    for number, line in enumerate(lines, start=1):
        if line.strip().startswith("```"):
            in_code = not in_code
        if not in_code:
            yield from ((number, found.group(2)) for found in _LINK.finditer(_INLINE_CODE.sub("", line)))


def _is_there(page: Path, target: str, root: Path) -> bool:
    if re.match(r"[a-z][a-z+]*:", target):
        return True
    path, _, anchor = target.partition("#")
    linked = (page.parent / path).resolve() if path else page
    # These pages are written when the site is built.
    if not linked.exists():
        return linked.parent == root / "docs" and linked.name in {"changelog.md", "architecture.md", "reference.md"}
    return not anchor or linked.suffix != ".md" or anchor in _anchors(linked)


def _anchors(page: Path) -> set[str]:
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading)).strip().lower().replace(" ", "-") for heading in headings
    }


def main() -> None:
    """Check all pages; exit with 1 where there are problems."""
    pages = sorted({page for pattern in PAGES for page in ROOT.glob(pattern)})
    problems = [problem for page in pages for problem in problems_of(page)]
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
