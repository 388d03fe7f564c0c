"""Paths as they are given, checked before anything is opened."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Final

from toolkit.base.errors import ArgumentError, PathError
from toolkit.base.values import quoted


def as_path(path: object) -> Path:
    """Return the path of a file that may be there or not.

    Raises
    ------
    ArgumentError
        If it is not a path, or holds what no path may (NUL, half a surrogate pair).
    PathError
        If the system refuses to look there.

    Examples
    --------
    >>> as_path("people.jsonl").name
    'people.jsonl'
    """
    if not isinstance(path, str | PathLike):
        raise ArgumentError(f"path={quoted(path):.60}; the path of a file is needed")
    text = os.fsdecode(path)
    try:
        os.lstat(text)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise PathError(f"path={quoted(text):.60}: {error.strerror}") from error
    except ValueError as error:  # NUL, or half a surrogate pair
        what = "a NUL" if "\0" in text else "half a surrogate pair"
        raise ArgumentError(f"path={quoted(text):.60} holds {what}, which no path does") from error
    return Path(text)


#: What the end of a name says of the format; each may be gzipped, with ``.gz`` after it.
ENDINGS: Final = {
    "CSV": (".csv",),
    "messages": (".jsonl", ".json", ".ndjson"),
    "profiles as JSON": (".jsonl", ".json", ".ndjson"),
}
_WRITERS: Final = {
    ".csv": "toolkit.write_csv writes CSV",
    ".json": "toolkit.write_messages writes JSON",
    ".jsonl": "toolkit.write_messages writes JSON",
}


def path_of_format(path: object, format: str) -> Path:
    """Return a path to write to, whose end names no other format than the one written.

    A name without an end, such as ``/dev/stdout``, says nothing.

    Raises
    ------
    ArgumentError
        If its end names another format.

    Examples
    --------
    >>> path_of_format("shop.csv.gz", "CSV").name
    'shop.csv.gz'
    >>> path_of_format("shop.xlsx", "CSV")
    Traceback (most recent call last):
    ...
    toolkit.errors.ArgumentError: shop.xlsx: CSV is written, not .xlsx; end it in .csv or .csv.gz
    """
    target = as_path(path)
    end = Path(target.name.removesuffix(".gz")).suffix
    if not end or end in ENDINGS[format]:
        return target
    allowed = [f"{each}{zipped}" for zipped in ("", ".gz") for each in ENDINGS[format]]
    other = f". {_WRITERS[end]}" if end in _WRITERS else ""
    raise ArgumentError(
        f"{target.name}: {format} {'is' if format == 'CSV' else 'are'} written, not {end}; "
        f"end it in {', '.join(allowed[:-1])} or {allowed[-1]}{other}"
    )
