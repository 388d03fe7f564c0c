"""What a message did, as HTML: the profile with its differences, and the rules in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from toolkit.base import ABSENT, NO_TIME, Html, times
from toolkit.columns import Difference
from toolkit.forms.lab.difference import elements, hidden_in, shown_differences
from toolkit.forms.lab.guess import moved, shown_of
from toolkit.forms.lab.trial import Trial
from toolkit.forms.parts.json_text import SIGNS, cut_json, json_text, laid_out, sayable
from toolkit.forms.parts.parts import hint_html
from toolkit.updates import RULES, Profile, Rejection, headline

# Of a run of unchanged elements this many are shown at either end.
_RUN_ENDS: Final = 3
_VALUE_LENGTH: Final = 2_000

VERDICTS: Final = {
    "created": "A profile was created.",
    "updated": "Written.",
    "deleted": "The profile was deleted.",
    "unchanged": "Accepted, and nothing had to be written.",
    "rejected": "Rejected: nothing was written.",
}

#: The same in a word.
SHORT_VERDICTS: Final = {
    "created": "created",
    "updated": "written",
    "deleted": "deleted",
    "unchanged": "no effect",
    "rejected": "rejected",
    "unreadable": "cannot be read",
}


def result(trial: Trial) -> Html:
    """Return the whole result: verdict, profile, Updated At, rejections, rules."""
    return (
        verdict(trial)
        + profile_after(trial)
        + updated_at(trial)
        + rejections(trial.rejections)
        + rules(trial.rules)
    )


def verdict(trial: Trial) -> Html:
    """Return in a sentence what became of the message."""
    words = VERDICTS[trial.verdict]
    if trial.verdict == "updated":
        changes = {each.change for each in shown_differences(trial.before, trial.after)}
        if changes <= {"kept"} and not hidden_in(trial.after):
            words = "Written, with values equal to the old ones."
    if trial.rejections and trial.verdict != "rejected":
        words += " A part was rejected."
    return Html('<p class="tk-lab-verdict"><strong>{}</strong></p>').format(words)


def profile_before(profile: Profile | None) -> Html:
    """Return a profile as it was."""
    if profile is None:
        return _empty("There is no profile.")
    return Html('<pre class="tk-json">{}</pre>').format(laid_out(shown_of(profile)))


def profile_after(trial: Trial) -> Html:
    """Return the profile, each property with a sign and a colour for what became of it."""
    if trial.before is None and trial.after is None:
        return _empty("There is no profile.")
    lines = shown_differences(trial.before, trial.after)
    parts: list[Html] = []
    if trial.after is None:
        parts.append(_empty("The profile no longer exists."))
    elif not shown_of(trial.after):
        parts.append(_empty("An empty profile: {}"))
    if lines:
        signs = {each.change for each in lines}
        marked = Html().join(map(_line, lines))
        parts.append(Html('<pre class="tk-json tk-lab-lines">{}</pre>').format(marked))
        parts.append(_legend(signs))
    if hidden_in(trial.before, trial.after):
        parts.append(hint_html("A property that is never shown is stored too."))
    return Html().join(parts)


def _empty(words: str) -> Html:
    return Html('<div class="tk-empty tk-lab-none">{}</div>').format(words)


def _legend(signs: set[str]) -> Html:
    words = {
        "added": "added",
        "changed": "changed",
        "rewritten": "equal, written differently",
        "removed": "removed",
    }
    said = ", ".join(f"{SIGNS[sign]} {word}" for sign, word in words.items() if sign in signs)
    return hint_html(said or "No property differs.")


def _line(each: Difference) -> Html:
    name = f"{json_text(each.property)}: "
    kind = "changed" if each.change == "rewritten" else each.change
    if each.change in ("added", "kept"):
        value = cut_json(each.new, _VALUE_LENGTH)
    elif each.change == "removed":
        value = cut_json(each.old, _VALUE_LENGTH)
    elif parts := _parts(each):
        value = _elements(parts)
    else:
        values = (cut_json(value, _VALUE_LENGTH) for value in (each.old, each.new))
        value = Html("<del>{}</del> → <ins>{}</ins>").format(*values)
    # Hearing people read the sign; others get a word.
    label = "" if kind == "kept" else Html('<span class="tk-lab-told">{}: </span>').format(kind)
    look = "" if kind == "kept" else f" tk-{kind}"
    # The line break is not seen in the form; a saved notebook has no styles for lines.
    return Html(
        '<span class="tk-lab-line{}"><span class="tk-sign" aria-hidden="true">'
        "{}</span>{}"
        '<span class="tk-lab-what">{}{}</span>\n</span>'
    ).format(look, SIGNS[each.change], label, name, value)


def _parts(each: Difference) -> list[Difference]:
    both = isinstance(each.old, list) and isinstance(each.new, list)
    return list(elements(each.old, each.new)) if both and each.change == "changed" else []


def _elements(parts: Sequence[Difference]) -> Html:
    """Return a list with its elements marked, long runs of unchanged ones cut short."""
    shown: list[str] = []  # finished HTML, or text
    for change, run in groupby(parts, key=lambda part: part.change):
        texts = [
            cut_json(part.old if part.new is ABSENT else part.new, _VALUE_LENGTH) for part in run
        ]
        if len(texts) > 2 * _RUN_ENDS + 1:
            more = f"… {len(texts) - 2 * _RUN_ENDS:,} more …"
            texts = [*texts[:_RUN_ENDS], more, *texts[-_RUN_ENDS:]]
        tag = {"added": "ins", "removed": "del"}.get(change)
        marked = Html("<{0}>{1}</{0}>" if tag else "{1}")
        shown += [marked.format(tag, text) for text in texts]
    return Html("[{}]").format(Html(", ").join(shown))


def updated_at(trial: Trial) -> Html:
    """Return what became of Updated At."""
    if trial.after is None:
        return Html("")
    before, after = (moment(each) for each in (trial.seen_before, trial.seen_after))
    if not moved(trial):
        words = Html("stays {}").format(after)
    elif trial.before is None:
        words = Html("begins at <ins>{}</ins>").format(after)
    else:
        words = Html("moves from {} to <ins>{}</ins>").format(before, after)
    return Html('<p class="tk-lab-seen">Updated at {}</p>').format(words)


def moment(microseconds: int) -> str:
    """Return a time as people read it, in UTC.

    >>> moment(0), moment(1_500_000)
    ('1970-01-01 00:00', '1970-01-01 00:00:01.500000')
    """
    if microseconds == NO_TIME:
        return "never"
    return times.iso(microseconds).removesuffix("Z").replace("T", " ").removesuffix(":00")


def rejections(rejected: Iterable[Rejection]) -> Html:
    """Return what was rejected, and why."""
    items = []
    for each in rejected:
        parts = [each.operator or "", "" if each.property is None else json_text(each.property)]
        where = " ".join(filter(None, parts))
        text = f"{where}: {each.reason}" if where else _labelled(each.reason)
        items.append(Html("<li>{}</li>").format(sayable(text)))
    if not items:
        return Html()
    return Html(
        '<div class="tk-note tk-warning tk-lab-rejected"><strong>Rejected</strong><ul>{}</ul></div>'
    ).format(Html().join(items))


# What the form calls the fields of a message that have a field of their own there.
_LABELS: Final = {"$distinct_id": "Distinct ID", "$group_id": "Group ID"}


def _labelled(reason: str) -> str:
    """Return a reason with the labels of the form before the names in a message.

    >>> _labelled("no $distinct_id")
    'no Distinct ID ($distinct_id)'
    """
    for name, label in _LABELS.items():
        reason = re.sub(rf"{re.escape(name)}\b", f"{label} ({name})", reason)
    return reason


def rules(names: Iterable[str]) -> Html:
    """Return rules in words: the nearest whole, of the others the first sentence.

    The rest of those shows when they are opened.
    """
    shown = (_rule(name, whole=place == 0) for place, name in enumerate(names))
    return Html('<div class="tk-lab-rules">{}</div>').format(Html().join(shown))


def _rule(name: str, *, whole: bool) -> Html:
    first = headline(name)
    rest = RULES[name][len(first) :].strip()
    head = Html("<strong>{}</strong> {}").format(name, code(first))
    if not rest:
        return Html('<div class="tk-lab-rule">{}</div>').format(head)
    return Html('<details class="tk-lab-rule"{}><summary>{}</summary><p>{}</p></details>').format(
        " open" if whole else "", head, code(rest)
    )


def code(text: str) -> Html:
    """Return plain text as HTML, with `code` for what is in backticks.

    >>> code("`$set` & more")
    Html('<code>$set</code> &amp; more')
    """
    # Every second piece is between backticks.
    pieces = re.split(r"`([^`]+)`", text)
    return Html().join(
        Html("<code>{}</code>").format(piece) if place % 2 else piece
        for place, piece in enumerate(pieces)
    )
