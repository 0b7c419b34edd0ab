"""What `make release-check` and `make docs` object to, each with the file and the fix."""

import importlib.util
import tomllib
import zipfile

import pytest

from tests.conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RELEASED = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-30\n### Added\n- A thing.\n"
UNRELEASED = "# Changelog\n\n## [Unreleased]\n### Added\n- A thing.\n"


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK = module_of(REPOSITORY / ".ci/check_release.py")
PROSE = module_of(REPOSITORY / "docs/check_prose.py")


@pytest.mark.parametrize(
    ("text", "version", "found"),
    [
        (RELEASED, "0.2.0", []),
        (UNRELEASED, None, []),
        (RELEASED, None, ["[Unreleased] is empty"]),
        (UNRELEASED, "0.2.0", ["has entries: move them", "newest section is not '## [0.2.0] - YYYY-MM-DD'"]),
        (RELEASED, "0.3.0", ["newest section is not '## [0.3.0] - YYYY-MM-DD'"]),
        (RELEASED.replace(" - 2026-11-30", ""), "0.2.0", ["newest section is not"]),
        ("# Changelog\n", None, ["the first section is not [Unreleased]"]),
    ],
)
def test_the_changelog_agrees_with_the_tag(text, version, found):
    problems = list(CHECK.changelog_problems(text, version))
    assert len(problems) == len(found)
    assert all(part in problem for part, problem in zip(found, problems, strict=True))


def test_the_citation_agrees_with_the_project():
    text = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert list(CHECK.citation_problems(text, PROJECT, "9.9.9")) == []
    other = text.replace("license: MIT", "license: GPL-3.0-only") + "version: 0.1.0\n"
    first, second = CHECK.citation_problems(other, PROJECT, "0.2.0")
    assert "'GPL-3.0-only', and pyproject.toml says 'MIT'" in first
    assert "'0.1.0', and the tag says '0.2.0'" in second


def test_pages_name_extras_that_exist_and_no_state_of_before_the_release():
    pages = {"README.md": 'pip install ".[local,magic]"\nIt is not on PyPI yet.'}
    assert [problem[:37] for problem in CHECK.page_problems(pages, {"local"}, None)] == [
        "README.md: there is no extra 'magic':"
    ]
    assert sum("not on PyPI yet" in problem for problem in CHECK.page_problems(pages, {"local"}, "0.2.0")) == 1


def test_a_wheel_holds_what_the_repository_says(tmp_path):
    def wheel(version="0.2.0", description="# Title", extras=PROJECT["optional-dependencies"], licence=True):
        path = tmp_path / f"llama_index_medqa-{version}-py3-none-any.whl"
        lines = ["Metadata-Version: 2.4", f"Version: {version}", *(f"Provides-Extra: {name}" for name in extras)]
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("one.dist-info/METADATA", "\n".join([*lines, "", description]))
            if licence:
                archive.writestr("one.dist-info/licenses/LICENSE", "MIT")
        return path

    assert list(CHECK.wheel_problems(wheel(), "# Title\n", PROJECT, "0.2.0")) == []
    for changes, part in (
        ({"version": "0.1.0"}, "its version is 0.1.0, and the tag says 0.2.0"),
        ({"description": "# Other"}, "its description is not README.md"),
        ({"extras": ["local"]}, "it lacks the extras adapter, chat"),
        ({"licence": False}, "it lacks LICENSE"),
    ):
        [problem] = CHECK.wheel_problems(wheel(**changes), "# Title\n", PROJECT, "0.2.0")
        assert part in problem


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Plain words. [A page](other.md#a-heading) and `utilise` in code.", []),
        ("It is utilised.\n\nIt utilises more.", ["page.md:3: 'utilises': use."]),
        ('Full stops, not at "e.g." as quoted.', []),
        ("```\nutilize\n```\n\nSee [there](missing.md).", ["page.md:5: the link 'missing.md' leads nowhere"]),
        ("See [there](other.md#b-heading).", ["page.md:1: the link 'other.md#b-heading' leads nowhere"]),
        ("one " * 46 + "end.", ["page.md:1: a sentence of 47 words, 45 at most"]),
        ("# " + "one " * 30 + "\n" + "two " * 30, []),
        ("| " + "one " * 30 + "| " + "two " * 30 + "|", []),
    ],
)
def test_prose_is_checked_by_line(tmp_path, text, found):
    (tmp_path / "other.md").write_text("# A heading\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    problems = list(PROSE.problems_of(page, tmp_path))
    assert len(problems) == len(found)
    assert all(problem.startswith(part) for part, problem in zip(found, problems, strict=True))


def test_the_pages_pass():
    pages = sorted({page for pattern in PROSE.PAGES for page in REPOSITORY.glob(pattern)})
    assert len(pages) > 30
    assert [problem for page in pages for problem in PROSE.problems_of(page)] == []
