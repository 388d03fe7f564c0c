"""The Python client without HTTP: an object that takes what it would send."""

from __future__ import annotations

from typing import Final

import pandas as pd

from toolkit.base import MessageError, completed_by_dir, completions, listed
from toolkit.events import Events
from toolkit.profiles import ProfileTable
from toolkit.sources.live.receiver import ArrivalCounts, Received, Receiver
from toolkit.sources.live.wire import read_records
from toolkit.updates import Locator

#: The endpoints of the client, in its words.
_ENDPOINTS: Final = ("events", "people", "groups", "imports")


@completed_by_dir
class Consumer:
    """Takes what the ``mixpanel`` client would send; made by :func:`consumer`.

    Attributes
    ----------
    profiles
        The table that is written to.
    receiver
        What took the messages: what a live view looks at.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.profiles = receiver.profiles

    def send(
        self,
        endpoint: str,
        json_message: str,
        api_key: object = None,
        api_secret: object = None,
    ) -> None:
        """Take a message, or a list of them, as JSON text.

        Parameters
        ----------
        endpoint
            ``"people"``, ``"groups"``, ``"events"`` or ``"imports"``.
        json_message
            What the client wrote.
        api_key, api_secret
            Nobody checks them here.

        Raises
        ------
        MessageError
            If nothing of it was taken, or something was rejected: with the reason. What
            else there was in a list was taken.
        """
        if endpoint not in _ENDPOINTS:
            raise MessageError(f"endpoint={endpoint!r}; known are {listed(_ENDPOINTS)}")
        records = read_records(json_message.strip())
        source = f"client {endpoint}"
        outcome: Received
        if endpoint in ("people", "groups"):
            outcome = self.receiver.updates(records, source=source, groups=endpoint == "groups")
        else:
            outcome = self.receiver.events(records, source=source)
        if outcome.refusal is not None:
            raise MessageError(f"{outcome.accepted} of {outcome.received} taken; {outcome.refusal}")

    def flush(self) -> None:
        """Do nothing: what was sent is in the table already."""

    @property
    def events(self) -> Events:
        """The events so far; bounded as those of :func:`toolkit.serve` are."""
        return self.receiver.arrived

    @property
    def log(self) -> pd.DataFrame:
        """The last 500 messages, oldest first; columns as in ``server.log``."""
        return self.receiver.log()

    @property
    def tally(self) -> ArrivalCounts:
        """How much arrived so far: ``updates``, ``events``, ``rejected``."""
        return self.receiver.tally

    def __dir__(self) -> list[str]:
        return completions(self, ("receiver",))

    @property
    def notes(self) -> dict[str, int]:
        """What was taken, but not used, or not as it was sent: how often each (HTTP-5)."""
        return self.receiver.notes

    def __repr__(self) -> str:
        tally = self.tally
        return (
            f"<Consumer: {tally.updates:,} updates, {tally.events:,} events, "
            f"{tally.rejected:,} rejected>"
        )


def consumer(profiles: ProfileTable, *, geo: Locator | None = None) -> Consumer:
    """Return what the Python client takes as ``consumer=``: it writes to a table, without HTTP.

    Parameters
    ----------
    profiles
        The table that is written to.
    geo
        A :class:`toolkit.GeoDatabase`: locations are set from the messages' addresses (GEO-1).

    Examples
    --------
    ``Mixpanel("any token", consumer=tk.consumer(profiles))`` sends like this:

    >>> profiles = ProfileTable()
    >>> consumer(profiles).send("people", '{"$distinct_id": "7", "$set": {"plan": "pro"}}')
    >>> profiles["7"]
    {'plan': 'pro'}
    """
    return Consumer(Receiver(profiles, geo=geo))
