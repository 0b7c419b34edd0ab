"""README.zh-CN.md says the same as README.md: headings, commands, code, tables, links and figures are held together."""

import re

from tests.conftest import REPOSITORY

ENGLISH = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CHINESE = (REPOSITORY / "README.zh-CN.md").read_text(encoding="utf-8")
OWN = {"README.md", "README.zh-CN.md"}


def code(text: str) -> list[list[str]]:
    """The lines of all fenced blocks, without comments."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [[kind, *(re.sub(r"\s+#.*", "", line) for line in block.splitlines())] for kind, block in blocks]


def sections(text: str) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.split(r"^(?=#+ )", prose, flags=re.MULTILINE)


def test_the_headings_have_the_same_order_and_depth():
    depths = [[section.split(" ")[0] for section in sections(text)[1:]] for text in (ENGLISH, CHINESE)]
    assert depths[0] == depths[1]


def test_the_code_is_the_same():
    assert code(CHINESE) == code(ENGLISH)


def test_each_section_has_the_same_tables_links_and_names():
    for english, chinese in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        heading = english.splitlines()[:1]
        assert rows(chinese) == rows(english), heading
        assert links(chinese) == links(english), heading
        assert names(chinese) == names(english), heading


def rows(text: str) -> list[int]:
    """Cells of each row of its tables."""
    return [line.count("|") for line in text.splitlines() if line.startswith("|")]


def links(text: str) -> set[str]:
    return set(re.findall(r"\]\(([^)]+)\)", text)) - OWN


def names(text: str) -> set[str]:
    """What stands between backticks, wherever a line ends."""
    return {re.sub(r"\s+", " ", name) for name in re.findall(r"`([^`]+)`", text)}


def test_each_section_has_the_same_figures():
    for english, chinese in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        assert figures(chinese) == figures(english), english.splitlines()[:1]


def figures(text: str) -> set[str]:
    """Numbers with a decimal point or a thousands separator; others may be written as words."""
    return set(re.findall(r"(?<![\w.])(?:\d{1,3},\d{3}|\d*\.\d+)(?![\w.])", text)) - {"23.9", "2,390"}
