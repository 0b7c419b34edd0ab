"""Checks that what a release says of itself agrees: tag, changelog, citation, pages, and the built wheel.

Run by ``make release-check``, which builds the wheel first. On a commit without a tag, what only a release must say is
left out. Each problem is one line with the file and what to do.
"""

import email
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOT_PUBLISHED = "not on PyPI yet"
PAGES = ("README.md", "docs/install.md")


def tagged_version() -> str | None:
    """Return the version of the tag on this commit; None without one."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--tags", "--exact-match", "--match", "v*"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip().removeprefix("v") or None


def changelog_problems(text: str, version: str | None) -> Iterator[str]:
    """Yield what is wrong with the changelog.

    Args:
        text: of ``CHANGELOG.md``.
        version: that is released; None for none.
    """
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    headings = [section.partition("\n")[0] for section in sections]
    if not headings or headings[0] != "[Unreleased]":
        yield "CHANGELOG.md: the first section is not [Unreleased]: add it above the newest version."
        return
    unreleased = sections[0].partition("\n")[2].strip()
    if version is None:
        if not unreleased:
            yield "CHANGELOG.md: [Unreleased] is empty: write a line for each change that a user will notice."
        return
    if unreleased:
        yield f"CHANGELOG.md: [Unreleased] has entries: move them under '## [{version}] - DATE'."
    if len(headings) < 2 or not re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", headings[1]):
        yield f"CHANGELOG.md: the newest section is not '## [{version}] - YYYY-MM-DD', as the tag says: add it."


def citation_problems(text: str, project: Mapping[str, Any], version: str | None) -> Iterator[str]:
    """Yield where the citation disagrees with the project.

    Args:
        text: of ``CITATION.cff``.
        project: the table of ``pyproject.toml``.
        version: that is released; None for none.
    """
    known = dict(re.findall(r"^([\w-]+): *\"?([^\"\n]*)\"?$", text, re.MULTILINE))
    for key, wanted in (("title", project["name"]), ("license", project["license"])):
        if known.get(key) != wanted:
            yield f"CITATION.cff: {key} is {known.get(key)!r}, and pyproject.toml says {wanted!r}: make them one."
    if version is not None and known.get("version", version) != version:
        yield f"CITATION.cff: version is {known['version']!r}, and the tag says {version!r}: correct or remove it."


def page_problems(pages: Mapping[str, str], extras: set[str], version: str | None) -> Iterator[str]:
    """Yield extras that do not exist, and what is no longer true of a release.

    Args:
        pages: text by name.
        extras: names of the extras.
        version: that is released; None for none.
    """
    for name, text in pages.items():
        written = {part for group in re.findall(r'"[^"]*\[([a-z,]+)\]"', text) for part in group.split(",")}
        for extra in sorted(written - extras):
            yield f"{name}: there is no extra {extra!r}: choose one of {', '.join(sorted(extras))}."
        if version is not None and NOT_PUBLISHED in text:
            yield f"{name}: it says {NOT_PUBLISHED!r}: replace the installation from a clone by pip install."


def wheel_problems(wheel: Path, readme: str, project: Mapping[str, Any], version: str | None) -> Iterator[str]:
    """Yield where the metadata of the wheel disagree with the repository.

    Args:
        wheel: the built file.
        readme: text of ``README.md``.
        project: the table of ``pyproject.toml``.
        version: that is released; None for none.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        known = email.message_from_string(archive.read(metadata).decode())
    if version is not None and known["Version"] != version:
        yield f"{wheel.name}: its version is {known['Version']}, and the tag says {version}: build it from the tag."
    if str(known.get_payload()).strip() != readme.strip():
        yield f"{wheel.name}: its description is not README.md: build it again."
    missing = set(project["optional-dependencies"]) - set(known.get_all("Provides-Extra", ()))
    if missing:
        yield f"{wheel.name}: it lacks the extras {', '.join(sorted(missing))}: build it again."
    if not any(name.endswith("licenses/LICENSE") for name in names):
        yield f"{wheel.name}: it lacks LICENSE: name it under license-files in pyproject.toml."


def main() -> None:
    """Check the repository and the wheel in the folder that is given; exit with 1 where they disagree."""
    version = tagged_version()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in (*PAGES, "CHANGELOG.md", "CITATION.cff")}
    problems = [
        *changelog_problems(texts["CHANGELOG.md"], version),
        *citation_problems(texts["CITATION.cff"], project, version),
        *page_problems({name: texts[name] for name in PAGES}, set(project["optional-dependencies"]), version),
    ]
    [wheel] = Path(sys.argv[1]).glob("*.whl")
    problems += wheel_problems(wheel, texts["README.md"], project, version)
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    if problems:
        sys.exit(1)
    sys.stdout.write(f"{wheel.name} agrees with the repository; {f'tag v{version}' if version else 'no tag'}\n")


if __name__ == "__main__":
    main()
