"""What the package's metadata says of where it lives, read off when it is built.

A package index shows the README without the files around it: its links have to be
absolute there, and its pictures have to come from somewhere. Both, and the project's
URLs, follow from the ``origin`` that the checkout was cloned from, so that a fork's
package points at the fork. Without one the README stays as it is.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# [text](target) and ![text](target), but for absolute targets and places in the page.
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)\s]+)\)")


class CustomMetadataHook(MetadataHookInterface):
    """Adds ``readme`` and ``urls`` to the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        if home := web_address(origin(self.root)):
            release = f"v{metadata['version']}"
            text = absolute(text, home, release)
            metadata["urls"] = {
                "Source": home,
                "Documentation": f"{home}/tree/{release}/docs",
                "Changelog": f"{home}/blob/{release}/CHANGELOG.md",
                "Issues": f"{home}/issues",
            }
        else:
            metadata["urls"] = {}
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def origin(folder: str) -> str:
    """Return the address of the checkout's ``origin``, ``""`` if there is none."""
    try:
        answer = subprocess.run(
            ["git", "-C", folder, "remote", "get-url", "origin"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git
        return ""
    return answer.stdout.strip()


def web_address(remote: str) -> str:
    """Return the page of a remote on a public forge, ``""`` for any other.

    >>> web_address("git@forge.example:team/profile-toolkit.git")
    'https://forge.example/team/profile-toolkit'
    >>> web_address("https://someone:secret@forge.example/team/profile-toolkit.git")
    'https://forge.example/team/profile-toolkit'
    >>> web_address("/home/someone/profile-toolkit")
    ''
    """
    match = re.fullmatch(
        r"(?:https?://(?:[^/@]*@)?|ssh://[^/@]*@|git@)([\w.-]+\.\w+)(?::\d+)?[:/](.+?)(?:\.git)?/?",
        remote,
    )
    return f"https://{match[1]}/{match[2]}" if match else ""


def absolute(text: str, home: str, release: str) -> str:
    """Return a page whose links into the repository are absolute.

    >>> absolute("![A chart](docs/a.png)", "https://forge.example/team/it", "v1")
    '![A chart](https://forge.example/team/it/raw/v1/docs/a.png)'
    >>> absolute("[rules](docs/rules.md#csv)", "https://forge.example/team/it", "v1")
    '[rules](https://forge.example/team/it/blob/v1/docs/rules.md#csv)'
    """
    return _LINK.sub(
        lambda link: (
            f"{link[1]}[{link[2]}]({home}/{'raw' if link[1] else 'blob'}/{release}/{link[3]})"
        ),
        text,
    )
