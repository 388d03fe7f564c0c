"""A profile as a learner types it, and where a guess differs from what happened."""

from __future__ import annotations

from typing import Any, Final

from toolkit.base import HIDDEN, LAST_SEEN, InvalidValueError, as_json
from toolkit.forms.lab.difference import shown_differences
from toolkit.forms.lab.trial import Trial
from toolkit.forms.parts.json_text import json_text, read_json
from toolkit.updates import Profile

#: What a learner may expect of Updated At; "" leaves it out of the guess.
GUESSES_OF_SEEN: Final = ("", "moves", "stays")


def read_profile(text: str) -> Profile | None:
    """Return the profile that *text* is, None for null: no profile.

    Raises
    ------
    JsonTextError
        If it is not JSON.
    InvalidValueError
        If it is not a profile.

    Examples
    --------
    >>> read_profile('{"plan": "pro"}'), read_profile("null")
    ({'plan': 'pro'}, None)
    """
    profile = as_json(read_json(text))
    if not isinstance(profile, dict | None):
        raise InvalidValueError("a profile is an object {…}; null means that there is none")
    if profile is not None and LAST_SEEN in profile:
        raise InvalidValueError(f"{LAST_SEEN} is not part of it: Updated At has a field of its own")
    return profile


def shown_of(profile: Profile | None) -> dict[str, Any] | None:
    """Return a profile without what is never shown."""
    if profile is None:
        return None
    return {name: value for name, value in profile.items() if name not in HIDDEN}


def moved(trial: Trial) -> bool:
    """Return whether Updated At moved; a new profile's moves from nothing."""
    return trial.seen_after != trial.seen_before


def misses(expected: Profile | None, seen: str, trial: Trial) -> list[str]:
    """Return where a guess differs from the result, in sentences; nothing if it is right.

    Values are compared as JSON (EQUAL), and the order of properties does not matter.
    *seen* is one of :data:`GUESSES_OF_SEEN`.
    """
    guessed, result = shown_of(expected), shown_of(trial.after)
    if guessed is None and result is not None:
        return ["There is a profile."]
    if guessed is not None and result is None:
        return ["There is no profile: the answer is null."]
    misses = []
    for each in shown_differences(guessed, result):
        name = json_text(each.property)
        if each.change == "added":
            misses.append(f"{name} is missing: it is {json_text(each.new)}.")
        elif each.change == "removed":
            misses.append(f"{name} is not there.")
        elif each.change == "changed":
            misses.append(f"{name}: you wrote {json_text(each.old)}, it is {json_text(each.new)}.")
    if seen and result is not None and (seen == "moves") != moved(trial):
        misses.append(f"Updated At {'moves' if moved(trial) else 'stays'}.")
    return misses
