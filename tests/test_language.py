"""What people read is plain English: no word of the list in docs/style.md."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
MONTHS: Final = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
)
THINGS: Final = (
    "property|user|event|group|row|column|message|line|request|cohort|segment|customer|room|claim|"
    "profile|file|batch|cell|second"
)

#: The word list of docs/style.md, as patterns.
WORDS: Final = {
    "is no": (
        r"(?<!there )(?<!There )\b(?:is|are|was|were) no (?!(?:longer|more|less|earlier|later)\b)"
    ),
    "is none": r"(?<!there )(?<!There )\b(?:is|are|was|were) none\b(?! of\b)",
    "stands": r"\b(?:stands?|stood|standing)\b(?! (?:in )?for\b)(?! in the way\b)",
    "told": r"\b[Tt]old\b(?! apart)",
    "beside": r"\b[Bb]eside\b",
    "anew": r"\banew\b",
    "mend": r"\b[Mm]end(?:s|ed|ing)?\b",
    "hears": r"\bhears\b",
    "but for": r"\b[Bb]ut for\b(?! (?:the|all|every) (?:first|same|other))",
    "shall": r"\bshall\b",
    "a row a user": rf"\b(?:an?|one) (?:{THINGS}) an? (?:{THINGS})\b(?! (?:holds?|has|is|was)\b)",
    "refused is": r"\bRefused,? (?:is|are|too)\b",
    "in silence": r"\bin silence\b",
    "passed over": r"\b[Pp]assed over\b",
    "under way": r"\b[Uu]nder way\b",
    "found out": r"\bfound out\b",
    "made up": r"(?<!are )\bmade up\b(?! of)(?!\*\*)",
    "for it is": r", for (?:it|they|there|nobody|he|she) (?:is|are|was|were|may|ha[ds]|can)\b",
    "29.4 %": r"\d %(?![\w(])",
    "the 1st of May": rf"\b(?:first|\d(?:st|nd|rd|th)) of (?:{MONTHS})\b",
}

#: Where a word may be: a part of the place, the text around the word, and why.
ALLOWED: Final = (
    ("docs/style.md", "", "the page shows what not to write"),
    ("toolkit/", "tk-lab-told", "a name of a class in CSS"),
)


def markdown() -> Iterator[tuple[str, str]]:
    """Yield each page and each Markdown cell of a notebook, without its code."""
    for path in (
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *sorted(ROOT.glob("docs/**/*.md")),
        *sorted(ROOT.glob("data/*.md")),
        *sorted(ROOT.glob("benchmarks/*.md")),
    ):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        for place, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "markdown":
                yield f"notebooks/{path.name}[{place}]", "".join(cell["source"])


def literals() -> Iterator[tuple[str, str]]:
    """Yield each docstring and each text in the code of the toolkit."""
    for path in sorted(ROOT.glob("toolkit/**/*.py")):
        name = str(path.relative_to(ROOT))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts: set[int] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts.update(map(id, node.values))
                texts = (
                    each.value if isinstance(each, ast.Constant) else "…" for each in node.values
                )
                yield f"{name}:{node.lineno}", "".join(map(str, texts))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in parts
                and " " in node.value.strip()
            ):
                yield f"{name}:{node.lineno}", node.value


def prose(text: str) -> str:
    """Return a text on one line, without code: fences, spans and the lines of examples."""
    text = re.sub(r"```.*?```", " … ", text, flags=re.S)
    text = re.sub(r"^\s*(?:>>>|\.\.\.) .*$", " … ", text, flags=re.M)
    return " ".join(re.sub(r"``.*?``|`[^`\n]*`", "…", text).split())


def faults(place: str, text: str) -> list[str]:
    """Return each use of a word on the list."""
    text = prose(text)
    found = []
    for word, pattern in WORDS.items():
        for match in re.finditer(pattern, text):
            around = text[max(0, match.start() - 40) : match.end() + 40]
            if not any(where in place and what in around for where, what, _ in ALLOWED):
                found.append(f"{place}: {word!r} in …{around}…")
    return found


@pytest.mark.parametrize("texts", [markdown, literals])
def test_no_word_of_the_list_is_in_what_people_read(texts: object) -> None:
    assert callable(texts)
    found = [fault for place, text in texts() for fault in faults(place, text)]
    assert not found, "\n".join(["write these as docs/style.md says:", *found])


@pytest.mark.parametrize("what", [markdown, literals])
def test_the_texts_are_read(what: object) -> None:
    assert callable(what)
    assert len(list(what())) > 50


def test_every_word_of_the_list_is_found() -> None:
    wrong = (
        "1083 is none. It is no list. A file stands there. It is told beside it. Write it anew. "
        "Mend it. It mends. It hears. All but for one. It shall. A row a user. Refused is it. "
        "Lost in silence. It is passed over. Work under way. It is found out. It is made up. "
        "Gone, for it is old. 29.4 % of them. The first of May."
    )
    missing = {word for word in WORDS if not re.search(WORDS[word], wrong, flags=re.I)}
    assert missing == set()


@pytest.mark.parametrize(
    "right",
    [
        "there is no profile",
        "one of them is none of these",
        "it is no longer there",
        "`x` stands for the elements",
        "they can be told apart",
        "29.4% of them",
    ],
)
def test_plain_English_is_no_fault(right: str) -> None:
    assert faults("here", right) == []


def test_every_exception_is_needed_and_has_a_reason() -> None:
    every = [(place, prose(text)) for texts in (markdown, literals) for place, text in texts()]
    for where, what, why in ALLOWED:
        assert why
        assert any(where in place and what in text for place, text in every)
