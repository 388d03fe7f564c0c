"""docs/command-line.md says what the command line takes, and prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests import command_line
from toolkit.cli import main

PAGE = command_line.PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"(?ms)^### (\S+)\n(.*?)(?=^##|\Z)", PAGE))
COMMANDS = command_line.commands()
BLOCKS = re.findall(r"(?ms)^```\n(\$ .*?)^```", PAGE)


def test_the_page_has_each_command_and_no_other() -> None:
    assert set(SECTIONS) == set(COMMANDS)
    assert re.findall(r"<!-- options of (\S+) -->", PAGE) == list(SECTIONS)


def test_the_readme_names_each_command_and_no_other() -> None:
    readme = command_line.PAGE.parent.parent.joinpath("README.md").read_text(encoding="utf-8")
    row = re.search(r"(?m)^\| command line: .*? \| (.*) \|$", readme)
    assert row and set(re.findall(r"`(\w+)`", row[1])) == set(COMMANDS)


def test_documents_give_the_command_that_a_folder_of_ones_own_does_not_shadow() -> None:
    root = command_line.PAGE.parent.parent
    documents = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("notebooks/*.ipynb")]
    assert len(documents) > 30
    named = {
        path.name: line.strip()
        for path in documents
        for line in path.read_text(encoding="utf-8").splitlines()
        if "python -m toolkit" in line and path.name != "CHANGELOG.md"
    }
    assert named.pop("README.md").startswith("__main__.py")  # the map of rooms
    assert list(named) == ["command-line.md"]  # which says when it is not the same


def test_the_page_has_each_option_and_default_as_the_parser() -> None:
    assert command_line.written(PAGE) == PAGE, "python -m tests.command_line writes the tables"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_names_no_option_that_is_not_there_and_all_have_words(command: str) -> None:
    parser = COMMANDS[command]
    flags = {flag for each in parser._actions for flag in each.option_strings}
    words = re.sub(r"(?ms)^```.*?^```", "", SECTIONS[command])  # examples are run
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", words)) <= flags
    assert all(each.help for each in command_line.options(parser))


def same(text: str) -> str:
    """Return output without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "TIME", text)
    text = re.sub(r"\(\d+\.\d s\)", "(SECONDS)", text)
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def test_the_examples_of_the_page_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, ran = 0, 0
    for block in BLOCKS:
        for given, printed in re.findall(r"(?ms)^\$ (.*?[^\\])\n(.*?)(?=^\$ |\Z)", block):
            words = shlex.split(given.replace("\\\n", ""))
            if words[0] == "cat":
                Path(words[1]).write_text(printed, encoding="utf-8")
            elif words == ["echo", "$?"]:
                assert status == int(printed), block
            elif words[1] != "serve":
                assert words[0] == "profile-toolkit"
                status = main(words[1:])
                said = capsys.readouterr()
                assert same(said.err + said.out) == same(printed), given
                ran += 1
    assert ran >= 9
