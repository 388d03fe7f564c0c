"""An edit before it is sent, as HTML: what is added, changed, removed; and the message."""

from __future__ import annotations

from typing import Any, Final

from toolkit.base import ABSENT, Html, display_name
from toolkit.forms.parts.json_text import json_text, laid_out
from toolkit.forms.parts.parts import hint_html
from toolkit.updates import Edit

_SIGNS: Final = {"added": "+", "changed": "~", "removed": "−"}
_SHOWN: Final = 200


def edit_table(edit: Edit) -> Html:
    """Return what an edit does, one row per property; each kind has a sign, a word and a colour."""
    if not edit.properties:
        said = (
            "Nothing has been entered; saved like this, it is an empty profile."
            if edit.creates
            else "Nothing has been changed."
        )
        return hint_html(said)
    row = Html(
        '<tr><td><span class="tk-sign">{}</span>{}</td><th scope="row">{}</th>'
        "<td>{}</td><td>{}</td><td>{}</td></tr>"
    )
    rows = Html().join(
        row.format(
            _SIGNS[each.kind],
            each.kind,
            display_name(each.name),
            _value(each.old, "removed"),
            _arrow(each),
            _value(each.new, each.kind),
        )
        for each in edit.properties
    )
    return Html(
        '<div class="tk-scroll" tabindex="0"><table class="tk-plain-table tk-edit-table"><tbody>'
        "{}</tbody></table></div>"
    ).format(rows)


def _arrow(each: Any) -> str:
    return "→" if each.kind == "changed" else ""


def _value(value: Any, kind: str) -> str:
    if value is ABSENT:
        return ""
    text = json_text(value)
    if len(text) > _SHOWN:
        text = text[: _SHOWN - 1] + "…"
    return Html('<span class="tk-{}">{}</span>').format(kind, text)


def message_text(message: dict[str, Any]) -> Html:
    """Return a message as JSON to be read, opened on request."""
    return Html(
        "<details><summary>The message that is sent</summary>"
        '<pre class="tk-json">{}</pre></details>'
    ).format(laid_out(message))
