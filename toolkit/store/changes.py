"""What happened to a profile, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from toolkit.base import ABSENT, copied, count, did_you_mean, dumps, html, times
from toolkit.columns import Difference, cell_frame, objects
from toolkit.store.history import Update
from toolkit.updates import OPERATORS, Profile, apply

_SHOWN: Final = 60


class Effect(NamedTuple):
    """What one operator of an update did to one property."""

    update: Update
    operator: str
    argument: Any
    #: Of no property for ``$delete``, which has the whole profile before (ABSENT if there was
    #: none), and for ``$set`` of ``{}``.
    difference: Difference


def effects_of(updates: Sequence[Update]) -> list[Effect]:
    """Return what each update of one profile did, property by property."""
    effects: list[Effect] = []
    profile: Profile | None = None
    for update in updates:
        key = update.message.distinct_id
        for name, argument in update.message.operations:
            operator = OPERATORS[name]
            before = profile
            profile, _ = apply(profile, [(name, argument)])
            if operator.deletes or not argument:
                gone = dict(before) if operator.deletes and before is not None else ABSENT
                effects.append(Effect(update, name, argument, Difference(key, None, gone, ABSENT)))
                continue
            for each, value in operator.pairs(argument):
                old, new = ((state or {}).get(each, ABSENT) for state in (before, profile))
                effects.append(Effect(update, name, value, Difference(key, each, old, new)))
    return effects


def history_frame(effects: Sequence[Effect]) -> pd.DataFrame:
    """Return the effects of updates as a DataFrame, in the order given.

    Columns ``time`` (effective) and ``arrived`` (both ``datetime64[us, UTC]``),
    ``batch_id``, ``source``, ``operator``, ``property``, ``old`` and ``new``
    (``object``; NaN where there was nothing).
    """

    def shown(value: Any) -> Any:
        return np.nan if value is ABSENT else copied(value)

    def moments(values: list[int]) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(np.array(values, "M8[us]")).tz_localize("UTC")

    return cell_frame(
        {
            "time": moments([each.update.time for each in effects]),
            "arrived": moments([each.update.batch.time for each in effects]),
            "batch_id": np.array([each.update.batch.id for each in effects], np.int64),
            "source": objects([each.update.batch.source for each in effects]),
            "operator": objects([each.operator for each in effects]),
            "property": objects([each.difference.property for each in effects]),
            "old": objects([shown(each.difference.old) for each in effects]),
            "new": objects([shown(each.difference.new) for each in effects]),
        }
    )


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a property is what it is: the updates that made its value, in words.

    Attributes
    ----------
    distinct_id, property
        Whose, and which.
    sentences
        What it is, then one sentence per update, oldest first.
    steps
        The same as a DataFrame, in the form of ``profiles.history``.
    """

    distinct_id: str
    property: str
    sentences: list[str]
    steps: pd.DataFrame

    def __str__(self) -> str:
        first, *rest = self.sentences
        return "\n".join([first, *(f"  {sentence}" for sentence in rest)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        first, *rest = self.sentences
        return html.card(first, *(html.paragraph(sentence) for sentence in rest))


def explain(distinct_id: str, name: str, updates: Sequence[Update]) -> Explanation:
    """Return the chain of updates that made a property what it is."""
    effects = effects_of(updates)
    of_property = [
        each
        for each in effects
        if each.difference.property == name
        or (OPERATORS[each.operator].deletes and each.difference.old is not ABSENT)
    ]
    # What came before a value was written again made no difference to it.
    starts = [place for place, each in enumerate(of_property) if OPERATORS[each.operator].resets]
    chain = of_property[starts[-1] :] if starts else of_property
    value = chain[-1].difference.new if chain else ABSENT
    sentences = [_state(distinct_id, name, value)]
    if not updates:
        sentences.append("No update ever named this distinct ID.")
    elif not of_property:
        names = [each.difference.property for each in effects]
        hint = did_you_mean(name, [each for each in names if each is not None])
        sentences.append(f"No update ever wrote it.{hint}")
    if len(chain) < len(of_property):
        earlier = len(of_property) - len(chain)
        sentences.append(f"({count(earlier, 'earlier update')} of it no longer had any effect.)")
    sentences += [_sentence(each) for each in chain]
    return Explanation(distinct_id, name, sentences, history_frame(chain))


def _state(distinct_id: str, name: str, value: Any) -> str:
    if value is ABSENT:
        return f"{name!r} of {distinct_id!r} is not set."
    return f"{name!r} of {distinct_id!r} is {_text(value)}."


def _text(value: Any) -> str:
    text = dumps(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _sentence(effect: Effect) -> str:
    update, batch = effect.update, effect.update.batch
    origin = f"batch {batch.id}, {batch.source}"
    if update.time != batch.time:
        origin += f", arrived {times.iso(batch.time)}"
    return f"{times.iso(update.time)}: {_deed(effect)} ({origin})"


def _deed(effect: Effect) -> str:
    operator = OPERATORS[effect.operator]
    if operator.deletes:
        return "the profile was deleted"
    deed = effect.operator
    if operator.argument == "values":
        deed += f" {_text(effect.argument)}"
    old, new = effect.difference.old, effect.difference.new
    if new is ABSENT:
        if old is ABSENT:
            return f"{deed} had nothing to do"
        return f"{effect.operator} removed it; it was {_text(old)}"
    if old is ABSENT:
        return f"{deed} made it {_text(new)}"
    if new == old and type(new) is type(old):
        return f"{deed} left it {_text(new)}"
    return f"{deed} made {_text(old)} into {_text(new)}"
