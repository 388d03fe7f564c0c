"""Profiles as the documented query API returns them: an ID and its properties."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike, fspath
from typing import Any, Final

import numpy as np
from tqdm.auto import tqdm

from toolkit.base import (
    LAST_SEEN,
    NO_TIME,
    ArgumentError,
    Json,
    MessageFileError,
    check_flag,
    dumps,
    iso,
    path_of_format,
)
from toolkit.profiles import ProfileTable, ProfileView, as_table
from toolkit.sources.files.jsonlines import Messages, read_messages
from toolkit.sources.files.whole_file import whole_file
from toolkit.updates import USERS

_PATIENCE: Final = 1.0
_AT_A_TIME: Final = 10_000


def write_people(
    profiles: ProfileTable | ProfileView, path: str | PathLike[str], *, progress: bool = True
) -> int:
    """Write every profile as ``{"$distinct_id": …, "$properties": {…}}``; return how many.

    The shape in which the documented query API returns profiles. Updated At is the
    property ``$last_seen`` there. :func:`read_people` gives all of it back.

    Parameters
    ----------
    profiles
        A table, or the profiles picked out by ``profiles.where``. The profiles of group
        keys are left out; ``profiles.groups(key)`` can be written to a file of its own.
    path
        The file to write, one profile per line; gzipped if it ends in ``.gz``, one JSON
        array if it ends in ``.json``. A file
        that is there is written over, once the new one is whole.
    progress
        Whether to show a progress bar if it takes more than a second.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> profiles = ProfileTable()
    >>> result = profiles.set("7", {"plan": "pro", "n": None}, time="2026-05-01")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     number = write_people(profiles, f"{folder}/people.jsonl")
    ...     print(pathlib.Path(f"{folder}/people.jsonl").read_text())
    {"$distinct_id":"7","$properties":{"plan":"pro","n":null,"$last_seen":"2026-05-01T00:00:00Z"}}
    <BLANKLINE>
    """
    as_table(profiles, views=True)
    check_flag("progress", progress, ArgumentError)
    is_array = str(path_of_format(path, "profiles as JSON")).removesuffix(".gz").endswith(".json")
    number = 0
    with whole_file(path) as out:
        people = _people(profiles)
        for each in tqdm(people, "Writing", delay=_PATIENCE, disable=not progress, leave=False):
            opening = ("[\n" if number == 0 else ",\n") if is_array else ""
            out.write(f"{opening}{dumps(each)}{'' if is_array else chr(10)}".encode())
            number += 1
        if is_array:
            out.write(b"\n]\n" if number else b"[]\n")
    return number


def _people(profiles: ProfileTable | ProfileView) -> Iterator[dict[str, Json]]:
    snapshot = profiles.snapshot()
    for start in range(0, len(snapshot), _AT_A_TIME):
        part = snapshot.take(np.arange(start, min(start + _AT_A_TIME, len(snapshot))))
        rows = part.rows(np.arange(len(part)))
        for key, properties, seen in zip(part, rows, part.last_seen.tolist(), strict=True):
            if seen != NO_TIME:
                properties[LAST_SEEN] = iso(seen)
            yield {"$distinct_id": key, "$properties": properties}


def read_people(
    path: str | PathLike[str], *, group_key: str | None = None, progress: bool = True
) -> Messages:
    """Return the profiles of a file as ``$set`` messages, for ``profiles.apply``.

    ``$last_seen`` becomes the time of the message; a profile without one leaves Updated
    At as it is.

    Parameters
    ----------
    path
        What :func:`write_people` wrote, or what was saved of the query API: an object a
        line, an array of them, or its pages with ``results``. Gzipped or not.
    group_key
        The group key they are profiles of; None for users.
    progress
        Whether to show a progress bar if it takes more than a second.

    Raises
    ------
    MessageFileError
        If something in it is not a profile. Nothing was read then.

    Examples
    --------
    ::

        profiles.apply(tk.read_people("people.jsonl"))
    """
    if group_key is not None and (not isinstance(group_key, str) or not group_key):
        raise ArgumentError(f"group_key={group_key!r}; text such as 'company' or None is needed")
    read = read_messages(path, progress=progress)
    profiles: list[dict[str, Any]] = []
    lines: list[int] = []
    for line, entry in zip(read.lines, read, strict=True):
        is_page = isinstance(entry.get("results"), list) and "$distinct_id" not in entry
        for each in entry["results"] if is_page else [entry]:
            profiles.append(_message(each, f"{fspath(path)}, line {line}", group_key or USERS))
            lines.append(line)
    return Messages(profiles, lines, [])


def _message(entry: Any, where: str, group_key: str) -> dict[str, Any]:
    if not isinstance(entry, dict) or "$distinct_id" not in entry:
        raise MessageFileError(
            f"{where}: no $distinct_id, so it is not a profile. Nothing was read; a profile is "
            '{"$distinct_id": …, "$properties": {…}}'
        )
    properties = entry.get("$properties")
    if not isinstance(properties, dict):
        raise MessageFileError(
            f"{where}: no $properties, so it is not a profile. Nothing was read; a file of "
            "messages is read with read_messages"
        )
    properties = dict(properties)
    seen = properties.pop(LAST_SEEN, None)
    key = entry["$distinct_id"]
    message: dict[str, Any] = {"$distinct_id": key}
    if group_key != USERS:
        message = {"$group_key": group_key, "$group_id": key}
    message["$set"] = properties
    return {**message, "$ignore_time": True} if seen is None else {**message, "$time": seen}
