"""An edit before it is sent, as HTML: what is added, changed, removed; and the message."""

from __future__ import annotations

from typing import Any, Final

from toolkit.base import Html, display_name
from toolkit.forms.parts.json_text import SIGNS, cut_json, laid_out
from toolkit.forms.parts.parts import hint_html
from toolkit.updates import Edit

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
            SIGNS[each.change],
            each.change,
            display_name(str(each.property)),
            _value(each.old, "removed"),
            _arrow(each),
            _value(each.new, each.change),
        )
        for each in edit.properties
    )
    return Html(
        '<div class="tk-scroll" tabindex="0"><table class="tk-plain-table tk-edit-table"><tbody>'
        "{}</tbody></table></div>"
    ).format(rows)


def _arrow(each: Any) -> str:
    return "→" if each.change == "changed" else ""


def _value(value: Any, kind: str) -> str:
    text = cut_json(value, _SHOWN)
    return Html('<span class="tk-{}">{}</span>').format(kind, text) if text else ""


def message_text(message: dict[str, Any]) -> Html:
    """Return a message as JSON to be read, opened on request."""
    return Html(
        "<details><summary>The message that is sent</summary>"
        '<pre class="tk-json">{}</pre></details>'
    ).format(laid_out(message))
