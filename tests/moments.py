"""Times of tests: seconds after one midnight, for a number is a time from 1980 on (TIME-1)."""

from __future__ import annotations

from typing import Any

#: 2026-01-01 in UTC, in unix seconds.
START = 1_767_225_600


def later(seconds: Any) -> Any:
    """Return the unix seconds so long after START; what is no small number stays.

    Parameters
    ----------
    seconds
        A number of seconds, or anything else that is a time by itself.
    """
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return seconds + START if is_number and abs(seconds) < 100_000_000 else seconds
