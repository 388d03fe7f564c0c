"""The package: what it holds, what it says of itself, what it can be tested on."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONFIGURATION["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))


def git(*arguments: str, folder: Path = ROOT) -> str:
    """What a git command prints."""
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    ).stdout


def hatchling(*arguments: str, folder: Path) -> str:
    """What the build backend prints."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a build reads, in a repository of its own that was cloned from a forge."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "toolkit", folder / "toolkit")
    git("init", "--quiet", folder=folder)
    git("remote", "add", "origin", "git@forge.example:team/it.git", folder=folder)
    return folder


@pytest.mark.parametrize("built_from", ["the repository", "its source distribution"])
def test_a_package_index_shows_links_and_pictures_that_lead_to_the_repository(
    built_from: str, checkout: Path, tmp_path: Path
) -> None:
    pytest.importorskip("hatchling")
    folder = checkout
    if built_from != "the repository":
        hatchling("build", "-t", "sdist", "-d", str(tmp_path), folder=checkout)
        with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as files:
            files.extractall(tmp_path, filter="data")
        (folder,) = tmp_path.glob("profile_toolkit-*/")
    metadata = json.loads(hatchling("metadata", folder=folder))
    assert metadata["urls"]["Source"] == "https://forge.example/team/it"
    targets = re.findall(r"\]\(([^)\s]+)\)", metadata["readme"]["text"])
    release = f"v{PROJECT['version']}"
    inside = re.compile(rf"https://forge\.example/team/it/(blob|raw)/{re.escape(release)}/([^#]+)")
    places = [match for target in targets if (match := inside.match(target))]
    assert len(places) > 20
    for place in places:
        assert (ROOT / place[2]).exists(), place[0]
        assert (place[1] == "raw") == place[2].endswith((".png", ".svg")), place[0]
    relative = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert relative == []


def test_without_an_origin_the_README_stays_as_it_is(checkout: Path) -> None:
    pytest.importorskip("hatchling")
    git("remote", "remove", "origin", folder=checkout)
    metadata = json.loads(hatchling("metadata", folder=checkout))
    assert not metadata.get("urls")
    assert metadata["readme"]["text"] == (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_source_distribution_holds_everything_that_the_repository_does(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    hatchling("build", "-t", "sdist", "-d", str(tmp_path), folder=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert set(git("ls-files").splitlines()) <= names


def test_every_Python_that_is_named_is_tested_by_the_workflow() -> None:
    workflow = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    matrix = re.search(r"python: \[(.*)\]", workflow)
    assert matrix is not None
    assert re.findall(r"[\d.]+", matrix[1]) == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_no_module_of_one_system_is_needed_to_import_a_file() -> None:
    of_one_system = {"fcntl", "grp", "msvcrt", "pwd", "resource", "termios", "winreg"}
    for folder in ("toolkit", "tests", "data"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Import):
                    assert of_one_system.isdisjoint(name.name for name in node.names), path
                elif isinstance(node, ast.ImportFrom):
                    assert node.module not in of_one_system, path


def test_the_lock_file_holds_a_version_that_pyproject_allows_of_everything_it_names() -> None:
    pinned: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, flags=re.M):
        pinned.setdefault(name, []).append(version)  # several, where they depend on the system
    extras = PROJECT["optional-dependencies"]
    needed = [*PROJECT["dependencies"], *extras["dev"], *extras["lab"]]
    needed += [*extras["geo"], *extras["phone"]]
    for requirement in map(Requirement, needed):
        if requirement.name != PROJECT["name"]:
            for version in pinned[requirement.name]:
                assert requirement.specifier.contains(version), requirement


def test_uv_sync_installs_what_the_lock_file_holds_and_no_file_names_a_registry() -> None:
    locked = re.findall(r"^([\w.-]+==.*?)(?: \\)?\n    --hash=", LOCK, flags=re.M)
    assert len(locked) == len(re.findall("^[a-z]", LOCK, flags=re.M))  # each with hashes
    assert CONFIGURATION["tool"]["uv"] == {"constraint-dependencies": locked}
    assert "://" not in LOCK
    assert "uv.lock" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_a_type_checker_finds_the_installed_package_from_any_folder(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text("import toolkit as tk\n\nreveal_type(tk.ProfileTable().ids)\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert 'Revealed type is "' in done.stdout
