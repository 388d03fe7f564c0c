"""Columns of times written as text that is not ISO 8601: how pandas reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pandas as pd

from toolkit.base import times
from toolkit.base.values import glimpse, printable
from toolkit.base.wording import count

#: So many cells are looked at to find out how a column is written.
_LOOKED_AT: Final = 1_000

# Unix seconds of 1980 and 2100 (TIME-1).
_FIRST: Final = 315_532_800
_END: Final = 4_102_444_800

_DATES: Final = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
)
_CLOCKS: Final = (
    *("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", ", %H:%M", ", %H:%M:%S"),
    *(" %I:%M %p", " %I:%M:%S %p", ", %I:%M %p", ", %I:%M:%S %p"),
)


def unreadable(texts: pd.Series, column: str | None) -> str:
    """Return what a column of text holds in place of times, and the call that reads it.

    Parameters
    ----------
    texts
        The cells that are neither missing nor empty, of which none is a time.
    column
        Where they are, in Python; None for a reader who writes none.

    Examples
    --------
    >>> print(unreadable(pd.Series(["01.02.2024 10:00"]), 'df["time"]'))
    the 1 time cannot be read (the first: '01.02.2024 10:00'); \
give pd.to_datetime(df["time"], format="%d.%m.%Y %H:%M")
    """
    first = str(texts.iloc[0])
    said = "the 1 time" if len(texts) == 1 else f"none of the {count(len(texts), 'time')}"
    said += " cannot be read" if len(texts) == 1 else " can be read"
    sample = texts.iloc[:_LOOKED_AT].map(lambda cell: printable(str(cell).strip()))
    if column is None:
        return (
            f'{said} (the first: {glimpse(first)!r}); write them as "{times.EXAMPLE}" in the file'
        )
    calls = [f"pd.to_datetime({how})" for how in _ways(sample, column)]
    how = f"give {' or, where the month comes first, '.join(calls)}"
    if not calls:
        how = f'give datetimes or ISO 8601 text such as "{times.EXAMPLE}", with pd.to_datetime'
    return f"{said} (the first: {glimpse(first)!r}); {how}"


def _ways(sample: pd.Series, column: str) -> Iterator[str]:
    """Yield the arguments with which pandas reads all of some texts."""
    if sample.str.fullmatch(r"\d{1,20}(\.\d+)?").all():
        yield _of_digits(float(sample.iloc[0]), f"pd.to_numeric({column})")
        return
    forms = (date + clock for date in _DATES for clock in _CLOCKS)
    fitting = [form for form in forms if _reads(sample, form)]
    if fitting:
        yield f'{column}, format="{fitting[0]}"'
        yield from (f'{column}, format="{form}"' for form in fitting[1:] if form[:2] == "%m")
    elif _reads(sample, "mixed", dayfirst=True):
        yield f'{column}, format="mixed", dayfirst=True'
        yield f'{column}, format="mixed"'


def _of_digits(number: float, numbers: str) -> str:
    for unit, factor in (("s", 1), ("ms", 1_000), ("us", 10**6), ("ns", 10**9)):
        if _FIRST <= number / factor < _END:
            return f'{numbers}, unit="{unit}", utc=True'
    meant = re.search(r"pd\.to_datetime\((.*)\)$", times.no_time(number, numbers))
    return numbers if meant is None else meant[1]


def _reads(sample: pd.Series, form: str, dayfirst: bool = False) -> bool:
    try:
        pd.to_datetime(sample, format=form, dayfirst=dayfirst, utc=True)
    except (ValueError, OverflowError, TypeError):
        return False
    return True
