"""Paths as they are given, checked before anything is opened."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from toolkit.errors import ArgumentError, PathError
from toolkit.values import quoted


def as_path(path: object) -> Path:
    """Return the path of a file that may be there or not.

    Raises
    ------
    ArgumentError
        If it is no path, or holds what no path may (NUL, half a surrogate pair).
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
