"""A live view of what clients send."""

from __future__ import annotations

import asyncio
import weakref
from datetime import UTC, datetime
from typing import Any, Final

from traitlets import link

from toolkit.base import ArgumentError, Html
from toolkit.forms.live_state import LiveState, Source
from toolkit.forms.parts import parts
from toolkit.forms.parts.form import ASSETS, Form
from toolkit.sources import Arrival, Receiver

# Seconds between two looks.
_PACE: Final = 0.5
_STYLE: Final = (ASSETS / "live.css").read_text(encoding="utf-8")
_HEADINGS: Final = ("Time (UTC)", "From", "Who", "What", "Taken")


class LiveView(Form):
    """A view of the messages that arrive at a server or a consumer.

    The last messages with what each does, how many arrive a second, what was rejected
    with the reason, and what was taken but not used as it was sent. *Pause* lets the
    view pause, *Clear* empties it; what arrives is taken all the same.

    Parameters
    ----------
    source
        What :func:`toolkit.serve` or :func:`toolkit.consumer` returned.

    Attributes
    ----------
    state
        All of it without the page: :class:`~toolkit.forms.live_state.LiveState`.

    Examples
    --------
    >>> import toolkit as tk
    >>> profiles = tk.ProfileTable()
    >>> taker = tk.consumer(profiles)
    >>> view = LiveView(taker)
    >>> taker.send("people", '{"$distinct_id": "7", "$set": {"plan": "pro"}}')
    >>> view.state.refresh()
    >>> view.state.rows[0].what, view.state.updates
    ('$set plan', 1)
    """

    def __init__(self, source: Source) -> None:
        if not isinstance(getattr(source, "receiver", None), Receiver):
            raise ArgumentError(
                f"a live view is of what tk.serve or tk.consumer returned, not of "
                f"{type(source).__name__}"
            )
        self.state = LiveState(source)
        self._where = parts.block()
        self._counts = parts.block()
        self._notes = parts.Note()
        self._table = parts.block()
        self._pause = parts.button("Pause", self.state.pause, tooltip="Pause the view")
        self._clear = parts.button(
            "Clear", self.state.clear, tooltip="Clear the view; nothing is lost"
        )
        only = parts.checkbox("Only rejected")
        link((self.state, "only_rejected"), (only, "value"))
        super().__init__(
            "Live view",
            [
                parts.style(_STYLE),
                parts.heading("Live"),
                self._where,
                parts.row(self._pause, self._clear, only),
                self._counts,
                self._notes,
                self._table,
            ],
        )
        self.state.observe(self._draw)
        self._draw()
        self._begin()

    def _begin(self) -> None:
        """Look again and again, from the kernel's own loop: widgets are changed nowhere else."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a script: whoever wants to see more calls refresh
            return
        # Kept, or the loop would forget it; the view itself may go.
        self._ticking = loop.create_task(_tick(weakref.ref(self)))

    def close(self) -> None:
        """Take the view off the page and stop looking."""
        ticking = getattr(self, "_ticking", None)
        if ticking is not None:
            ticking.cancel()
        super().close()

    def _draw(self, _: object = None) -> None:
        state = self.state
        where = f"Listening at {state.where}" if state.running else "The server is stopped."
        if "://" not in state.where:
            where = f"From {state.where}"
        self._where.value = parts.hint_html(where)
        self._counts.value = Html('<div class="tk-live-counts" role="status">{}</div>').format(
            state.summary
        )
        self._notes.show(state.noted)
        self._pause.description = "Go on" if state.paused else "Pause"
        self._table.value = _table(state.rows, state.only_rejected)

    def __repr__(self) -> str:
        return f"<LiveView: {self.state.summary.partition(' · ')[0]}>"


async def _tick(reference: weakref.ref[LiveView]) -> None:
    while (view := reference()) is not None:
        with view.guard("Checking for what has arrived"):
            view.state.refresh()
        if not view.state.running:
            return
        del view  # or it would live as long as this does
        await asyncio.sleep(_PACE)


def _table(rows: list[Arrival], only_rejected: bool) -> Html:
    if not rows:
        words = "Nothing was rejected." if only_rejected else "Nothing has arrived yet."
        return parts.empty_html(words)
    head = Html().join(map(Html('<th scope="col">{}</th>').format, _HEADINGS))
    return Html(
        '<div class="tk-scroll" tabindex="0">'
        '<table class="tk-plain-table tk-live" aria-label="Messages">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(head, Html().join(map(_row, rows)))


def _row(arrival: Arrival) -> Html:
    moment: Any = datetime.fromtimestamp(arrival.time / 1_000_000, UTC)
    taken = Html('<span class="tk-live-taken">✓ taken</span>')
    if arrival.reason:
        taken = Html('<span class="tk-live-rejected">✗ {}</span>').format(arrival.reason)
    return Html(
        '<tr><td class="tk-live-time">{:%H:%M:%S}</td><td>{}</td>'
        '<td class="tk-live-who">{}</td><td>{}</td><td>{}</td></tr>'
    ).format(moment, arrival.source, arrival.distinct_id, arrival.what, taken)
