"""What one message does to one profile, done as a table does it.

Nothing here knows what an operator does: the messages are parsed by
:mod:`toolkit.updates.messages` and applied by :mod:`toolkit.updates.by_message`, as in a
:class:`~toolkit.ProfileTable`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from toolkit.base import NO_TIME, InvalidIdError, dumps, normalise_id
from toolkit.updates import (
    USERS,
    Change,
    Profile,
    Rejection,
    Row,
    State,
    applied_rules,
    parse_message,
    plan,
)

#: Microseconds from the arrival of one message to that of the next.
MINUTE: Final = 60_000_000

#: The distinct ID of the first profile, where no message names one.
NOBODY: Final = "ann"

#: A group key (or ``""``) and an ID.
Address = tuple[str, str]


@dataclass(frozen=True)
class Trial:
    """One message, and the profile it is addressed to, before and after.

    Attributes
    ----------
    index
        The place of the message, from 0.
    message
        As it was sent.
    address
        Group key (``""`` for users) and ID. A message without a valid ID is shown
        next to the first profile.
    before, after
        The properties, None where there is no profile.
    seen_before, seen_after
        Updated At in microseconds since 1970 UTC; ``NO_TIME`` where there is none.
    arrival
        When the message arrived.
    rejections
        What of it was rejected.
    verdict
        ``"created"``, ``"updated"``, ``"deleted"``, ``"unchanged"`` or ``"rejected"``.
    was_deleted
        Whether an earlier message of the list deleted the profile.
    """

    index: int
    message: Any
    address: Address
    before: Profile | None
    after: Profile | None
    seen_before: int
    seen_after: int
    arrival: int
    rejections: tuple[Rejection, ...]
    verdict: str
    was_deleted: bool

    @cached_property
    def rules(self) -> list[str]:
        """The names of the rules that decided the result, the nearest first."""
        return applied_rules(
            self.before,
            self.message,
            self.after,
            self.rejections,
            was_deleted=self.was_deleted,
        )

    @property
    def question(self) -> str:
        """All that the result depends on, as text."""
        return dumps(
            [
                *self.address,
                None if self.before is None else dict(self.before),
                self.seen_before,
                self.arrival,
                repr(self.message),
            ]
        )


def address_of(message: object) -> Address | None:
    """Return the group key and ID a message is addressed to, None if it has no valid ID.

    >>> address_of({"$distinct_id": 12}), address_of({"$set": {}})
    (('', '12'), None)
    """
    if not isinstance(message, Mapping):
        return None
    key = message.get("$group_key", USERS)
    sent_id = message.get("$group_id" if key != USERS else "$distinct_id")
    try:
        return (key, normalise_id(sent_id)) if isinstance(key, str) else None
    except InvalidIdError:
        return None


def first_address(messages: Sequence[object]) -> Address:
    """Return the first valid address among *messages*."""
    return next(filter(None, map(address_of, messages)), (USERS, NOBODY))


def run(messages: Sequence[object], before: Profile | None, seen: int, arrival: int) -> list[Trial]:
    """Return what each of *messages*, in order, does (MSG-2).

    Parameters
    ----------
    messages
        As they were sent, valid or not.
    before, seen
        The profile of the first address, and its Updated At. There are no others.
    arrival
        When the first message arrives; each of the others arrives a minute later.
    """
    start = first_address(messages)
    states = {start[0]: State()}
    if before is not None:
        row = Row(before, seen, fresh=True)
        states[start[0]].install(Change(tuple(before), {start[1]: row}, born=frozenset([start[1]])))
    trials: list[Trial] = []
    deleted: set[Address] = set()
    for index, raw in enumerate(messages):
        address = address_of(raw) or start
        state = states.setdefault(address[0], State())
        trial = _trial(
            index, raw, address, state, arrival + index * MINUTE, was_deleted=address in deleted
        )
        if trial.verdict == "deleted":
            deleted.add(address)
        trials.append(trial)
    return trials


def _trial(
    index: int, raw: object, address: Address, state: State, arrival: int, *, was_deleted: bool
) -> Trial:
    was = state.row(address[1])
    rejected: list[Rejection] = []
    message = parse_message(raw, index, rejected)
    verdict = "rejected"
    if message is not None:
        planned = plan(state, [(index, message)], arrival)
        state.install(planned.change)
        rejected += planned.outcome.rejections
        effects = planned.outcome.effects
        verdict = next((name for name, number in effects.items() if number), "rejected")
    row = state.row(address[1])
    return Trial(
        index,
        raw,
        address,
        None if was is None else was.properties,
        None if row is None else row.properties,
        NO_TIME if was is None else was.last_seen,
        NO_TIME if row is None else row.last_seen,
        arrival,
        tuple(rejected),
        verdict,
        was_deleted,
    )
