"""The parts forms are made of: labelled fields, buttons, messages, rows, progress.

Text given to them is plain text, whatever it holds: what becomes HTML is escaped
here. Finished HTML (:class:`toolkit.base.html.Html`) goes through :func:`block`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, Literal

from traitlets import Bool, Unicode

from toolkit.base import NO_MATHS, Html
from toolkit.forms.parts import guarded
from toolkit.forms.parts.guarded import Widget
from toolkit.forms.parts.job import Job

Kind = Literal["info", "success", "warning", "error"]
#: What a field has: a label beside it, above it, or only for those who hear the page.
LabelPlace = Literal["beside", "hidden"]

_LABEL_WIDTH: Final = "110px"
# What MathJax may take for a formula.
_MATHS: Final = re.compile(r"\$.*\$|\\[(\[a-z$]", flags=re.DOTALL)


def label_html(label: str, _: object = None) -> Html:
    """Return the label of a field as it travels to the page, which typesets labels.

    >>> label_html("Value of <b>")
    Html('Value of &lt;b&gt;')
    >>> label_html("From $5 to $10")
    Html('<span class="mathjax_ignore tex2jax_ignore">From $5 to $10</span>')
    """
    template = Html('<span class="{1}">{0}</span>' if _MATHS.search(label) else "{0}")
    return template.format(label, " ".join(NO_MATHS))


@cache
def labelled(widget: Any) -> Any:
    """Return a kind of field whose label is plain text, whatever it holds, and never maths."""
    traits = {
        "description": Unicode("").tag(sync=True, to_json=label_html),
        "description_allow_html": Bool(True).tag(sync=True),
    }
    return type(widget.__name__, (widget,), traits)


def _field(widget: Any, label: str, place: LabelPlace, width: str | None, **options: Any) -> Any:
    field = labelled(widget)(
        description=label, style={"description_width": _LABEL_WIDTH}, tooltip=label, **options
    )
    if place == "hidden":
        field.style.description_width = "0px"
        field.add_class("tk-hide-label")
    field.layout.width = width or "auto"
    field.layout.max_width = "100%"
    field.layout.min_width = "0"
    return field


def text(
    label: str,
    value: str = "",
    *,
    place: LabelPlace = "beside",
    placeholder: str = "",
    width: str | None = "360px",
) -> guarded.Text:
    """Return a line of text with its label."""
    return _field(guarded.Text, label, place, width, value=value, placeholder=placeholder)


def combobox(
    label: str,
    options: Sequence[str] = (),
    value: str = "",
    *,
    place: LabelPlace = "beside",
    placeholder: str = "",
    width: str | None = "360px",
) -> guarded.Combobox:
    """Return a line of text that proposes options and takes any text."""
    return _field(
        guarded.Combobox,
        label,
        place,
        width,
        value=value,
        options=tuple(options),
        placeholder=placeholder,
        ensure_option=False,
    )


def long_text(
    label: str,
    value: str = "",
    *,
    place: LabelPlace = "beside",
    placeholder: str = "",
    rows: int = 6,
    width: str | None = "100%",
    mono: bool = True,
) -> guarded.Textarea:
    """Return a text of several lines with its label, in a code font by default."""
    field = _field(
        guarded.Textarea, label, place, width, value=value, placeholder=placeholder, rows=rows
    )
    if mono:
        field.add_class("tk-mono")
    return field


def dropdown(
    label: str,
    options: Sequence[Any],
    value: Any = None,
    *,
    place: LabelPlace = "beside",
    width: str | None = "220px",
) -> guarded.Dropdown:
    """Return a choice; *options* are texts, or pairs of a text and a value."""
    return _field(guarded.Dropdown, label, place, width, options=list(options), value=value)


def offer(field: guarded.Dropdown, options: Sequence[tuple[str, Any]], value: Any) -> None:
    """Give a dropdown other options, and one of their values.

    One after the other: with its notifications held back, a dropdown looks for the value
    among the options it had before.
    """
    if field.options != tuple(options):
        field.options = tuple(options)
    if field.value != value:
        field.value = value


def date(
    label: str, *, place: LabelPlace = "beside", width: str | None = "360px"
) -> guarded.DatePicker:
    """Return a day to type or to choose from a calendar; its ``value`` is a date or None."""
    return _field(guarded.DatePicker, label, place, width)


def checkbox(label: str, value: bool = False) -> guarded.Checkbox:
    """Return a tick with its label behind it."""
    return labelled(guarded.Checkbox)(
        value=value, description=label, indent=False, layout={"width": "auto"}
    )


def button(
    label: str,
    action: Callable[[], None],
    *,
    kind: Literal["normal", "primary", "danger", "plain"] = "normal",
    tooltip: str = "",
) -> guarded.Button:
    """Return a button that calls *action*."""
    made = guarded.Button(description=label, tooltip=tooltip or label)
    if kind != "normal":
        made.add_class(f"tk-{kind}")
    made.on_click(lambda _: action())
    return made


def row(*parts: Widget, top: bool = False) -> guarded.Box:
    """Return parts side by side, which wrap where there is no room."""
    made = guarded.Box(list(parts))
    made.add_class("tk-row")
    if top:
        made.add_class("tk-top")
    return made


def column(*parts: Widget) -> guarded.Box:
    """Return parts one below the other."""
    made = guarded.Box(list(parts))
    made.add_class("tk-column")
    return made


def block(content: str = "") -> guarded.HTML:
    """Return finished HTML as a part, or text, which is escaped; its ``value`` may be replaced."""
    return guarded.HTML(content)


def style(css: str) -> guarded.HTML:
    """Return a part that is not seen: how others look, which is written in the code."""
    made = block(Html("<style>{}</style>").format(Html(css)))
    made.add_class("tk-style")
    return made


def heading(words: str) -> guarded.HTML:
    """Return the title of a form."""
    return block(
        Html('<div class="tk-heading" role="heading" aria-level="2">{}</div>').format(words)
    )


def subheading_html(words: str) -> Html:
    """Return the title of a part of a form, for a block whose words change."""
    return Html('<div class="tk-subheading" role="heading" aria-level="3">{}</div>').format(words)


def subheading(words: str) -> guarded.HTML:
    """Return the title of a part of a form."""
    return block(subheading_html(words))


def hint_html(words: str) -> Html:
    """Return a sentence in small print, for a block whose words change; nothing for none."""
    return Html('<p class="tk-hint">{}</p>' if words else "").format(words)


def empty_html(words: str) -> Html:
    """Return what to say where there is nothing to show, for a block; nothing for no words."""
    return Html('<div class="tk-empty">{}</div>' if words else "").format(words)


def hint(words: str) -> guarded.HTML:
    """Return a sentence in small print."""
    return block(hint_html(words))


class Note(guarded.HTML):
    """A message of a form; nothing is there while it is empty."""

    def __init__(self) -> None:
        super().__init__("")
        self.layout.display = "none"

    def show(self, words: str, kind: Kind = "info") -> None:
        """Say something; empty words take the message away."""
        role = "alert" if kind == "error" else "status"
        note = Html('<div class="tk-note tk-{}" role="{}">{}</div>' if words else "")
        self.value = note.format(kind, role, words)
        self.layout.display = "" if words else "none"


class FieldError(guarded.HTML):
    """What is wrong with a field, next to it; nothing is there while all is well.

    Parameters
    ----------
    field
        The field it is about, which is marked too.
    """

    def __init__(self, field: guarded.Widget | None = None) -> None:
        super().__init__("")
        self.layout.display = "none"
        self._field = field

    def show(self, words: str, *, is_asked: bool = False) -> None:
        """Say what is wrong, or what is asked for; empty words take it away."""
        kind, role = ("tk-field-asks", "status") if is_asked else ("tk-field-error", "alert")
        self.value = Html('<span class="{}" role="{}">{}</span>').format(kind, role, words)
        self.layout.display = "" if words else "none"
        if self._field is not None:
            is_wrong = words and not is_asked
            (self._field.add_class if is_wrong else self._field.remove_class)("tk-invalid")


class ProgressBar(guarded.Box):
    """How far a job is, with a button that stops it; there only while the job runs.

    Parameters
    ----------
    job
        The job.
    can_stop
        Whether there is a button.
    """

    def __init__(self, job: Job, *, can_stop: bool = True) -> None:
        self._job = job
        self._picture = block()
        self.stop = button("Cancel", job.cancel, tooltip="Stop, and change nothing")
        super().__init__([self._picture, *([self.stop] if can_stop else [])])
        self.add_class("tk-row")
        self.add_class("tk-progress")
        job.observe(self._draw, ["running", "stage", "fraction", "detail"])
        job.observe(self._show_failure, "failure")
        self._draw()

    def _show_failure(self, change: Any) -> None:
        if change["new"] is not None:
            self.fail(change["new"])

    def _draw(self, _: object = None) -> None:
        job = self._job
        self.layout.display = "" if job.running else "none"
        if not job.running:
            return
        if job.fraction < 0:
            bar = Html('<div class="tk-bar tk-unknown" role="progressbar"><div></div></div>')
        else:
            percent = round(job.fraction * 100)
            bar = Html(
                '<div class="tk-bar" role="progressbar" aria-valuenow="{0}">'
                '<div style="width:{0}%"></div></div>'
            ).format(percent)
        words = " · ".join(filter(None, [job.stage, job.detail])) or "Working"
        self._picture.value = Html('{}<div class="tk-hint">{}</div>').format(bar, words)
