"""What the documentation says can be typed, followed and found."""

import ast
import importlib
import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from typer.main import get_command

from tests.conftest import REPOSITORY

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "examples/*.md", "benchmarks/*.md", "training/LOG.md")
    for path in REPOSITORY.glob(pattern)
)
NAMES = [path.relative_to(REPOSITORY).as_posix() for path in PAGES]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    "medqa": ("llama_index_medqa.cli.command", "app"),
    "python -m data_tools": ("data_tools.__main__", "app"),
    "python -m training": ("training.__main__", "app"),
}
ENDS = {"||", "&&", "|", ">", ";", "&"}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    return FENCE.sub("", text_of(page))


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (name, block)
        for name, page in zip(NAMES, PAGES, strict=True)
        for kind, block in FENCE.findall(text_of(page))
        if kind == language
    ]


def anchors(page: Path) -> set[str]:
    """As GitHub and mkdocs make them of headings."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading)).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = REPOSITORY / name
    prose = re.sub(r"`[^`]*`", "", prose_of(page))
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"\w+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{name}: {link}"
        if anchor:
            assert anchor in anchors(file), f"{name}: {link}"


@pytest.mark.parametrize(("name", "block"), blocks("python"))
def test_python_is_valid_and_imports_what_is_there(name, block):
    tree = compile(block, name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.module.startswith("my_"):
            module = importlib.import_module(node.module)
            for item in node.names:
                assert hasattr(module, item.name), f"{name}: {node.module}.{item.name}"


def commands() -> list[tuple[str, str, list[str]]]:
    """Every line of a shell that starts one of our programs, wherever it stands in the line."""
    found = []
    for name, block in blocks("bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for program in PROGRAMS:
                start = re.search(rf"(?:^|\W){re.escape(program)} ", f"{line} ")
                if start and not line.startswith(("#", "cp ")) and "pip " not in line:
                    found.append((name, program, line[start.end() :] if start.end() < len(line) else ""))
    return [(name, program, words(rest)) for name, program, rest in found]


def words(line: str) -> list[str]:
    taken = []
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    for word in lexer:
        if word in ENDS:
            break
        taken.append(word)
    return taken


@pytest.mark.parametrize(("name", "program", "arguments"), commands())
def test_the_command_takes_what_is_written(name, program, arguments):
    module, attribute = PROGRAMS[program]
    command = get_command(getattr(importlib.import_module(module), attribute))
    context = command.make_context(program, list(arguments))
    while hasattr(command, "resolve_command"):
        _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(command.name, rest, parent=context)


def test_inline_options_exist():
    """Of commands between backticks, which are often cut short, the options are looked up."""
    app = get_command(importlib.import_module("llama_index_medqa.cli.command").app)
    for name, page in zip(NAMES, PAGES, strict=True):
        for line in re.findall(r"`medqa ([a-z]+)((?: [^`]*)?)`", prose_of(page)):
            assert line[0] in app.commands, f"{name}: medqa {line[0]}"
            command = app.commands[line[0]]
            options = {option for parameter in command.params for option in parameter.opts}
            assert set(re.findall(r"--[a-z][a-z-]+", line[1])) <= options or hasattr(command, "commands"), (name, line)


def test_every_page_is_in_the_navigation():
    text = re.sub(r"!!\S+", "", (REPOSITORY / "mkdocs.yml").read_text())
    nav = yaml.safe_load(text)["nav"]
    listed = set(re.findall(r"[\w/.-]+\.md", str(nav)))
    assert {path.name for path in (REPOSITORY / "docs").glob("*.md")} <= listed
    assert all((REPOSITORY / "docs" / item).exists() or (REPOSITORY / item).exists() for item in listed)


def module_of(name: str):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_commands_is_up_to_date():
    page = module_of("make_reference").page()
    assert page == text_of(REPOSITORY / "docs/commands.md"), "run: python docs/make_reference.py"


def test_the_licence_of_every_direct_dependency_is_listed():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(item for name in extras if name != "dev" for item in extras[name])]
    listed = dict(re.findall(r"^\| (\S+) \| ([^|]+) \|", text_of(REPOSITORY / "docs/licences.md"), re.MULTILINE))
    for requirement in map(Requirement, wanted):
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name == "llama-index-medqa" or listed[name] not in ("not told", "not installed here"), (
            f"{name}: run docs/make_licences.py"
        )


@pytest.mark.parametrize(
    ("licence", "fields", "expected"),
    [
        ("expression", {"License-Expression": "MIT", "License": "see file"}, "MIT"),
        ("classifier", {"Classifier": "License :: OSI Approved :: BSD License"}, "BSD License"),
        ("first line", {"License": "Apache 2.0\nlong text"}, "Apache 2.0"),
        ("nothing", {"Classifier": "License :: OSI Approved"}, "not told"),
    ],
)
def test_where_a_licence_is_told(tmp_path, licence, fields, expected):
    folder = tmp_path / "one-1.0.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.4", "Name: one", "Version: 1.0"]
    lines += [f"{key}: {value}".replace("\n", "\n        ") for key, value in fields.items()]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")
    make = module_of("make_licences")
    assert make.licence(make.installed([str(tmp_path)])["one"]) == expected


def test_the_tested_versions_are_those_that_are_allowed():
    """A changed bound is tested before the page says so."""
    make = module_of("make_versions")
    shown = re.findall(
        r"^\| ([\w-]+) \| ([^|]+) \| (\S+) \| (\S+) \|", text_of(REPOSITORY / "docs/versions.md"), re.MULTILINE
    )
    required = {name: requirement for name, (requirement, _) in make.requirements().items()}
    assert {name: allowed for name, allowed, _, _ in shown} == {
        name: make.allowed(requirement) for name, requirement in required.items()
    }, "run: make test-versions"
    for name, _, lowest, newest in shown:
        assert required[name].specifier.contains(lowest)
        assert required[name].specifier.contains(newest)


def test_the_release_checks_what_it_publishes():
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text())["jobs"]
    commands = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert commands[-1] == ".ci/check-wheel dist"
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert set(commands[0].split()[1:]) <= targets
    assert jobs["publish"]["needs"] == "build"


def test_pictures_are_small_and_are_shown():
    readme = text_of(REPOSITORY / "README.md")
    pages = "".join(text_of(path) for path in (REPOSITORY / "docs").glob("*.md"))
    pictures = list((REPOSITORY / "docs/pictures").iterdir())
    assert {path.name for path in pictures} == {
        *("terminal.svg", "answer.png", "gate.png"),
        *("page.png", "page-dark.png", "page-phone.png", "page-phone-dark.png"),
    }
    assert re.findall(r"\]\(docs/pictures/([^)]+)\)", readme) == ["page.png"]
    for path in pictures:
        assert path.stat().st_size < 200_000
        assert f"](pictures/{path.name})" in pages
    assert "@font-face" not in text_of(REPOSITORY / "docs/pictures/terminal.svg")


@pytest.mark.parametrize("name", [name for name in NAMES if "pictures/" in text_of(REPOSITORY / name)])
def test_pictures_of_invented_papers_are_said_to_be(name):
    """The pictures are made of papers that were written for this repository."""
    assert re.search(r"invented|虚构", text_of(REPOSITORY / name)), name
