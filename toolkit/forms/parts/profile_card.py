"""The card of a profile: avatar or initials, title, distinct ID, Updated at."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import pandas as pd

from toolkit.base import Html, Json, title

# Dark enough for white letters, and told apart by those who see colours differently.
_COLOURS: Final = ("#0b5c94", "#8a4b00", "#00664f", "#8b2f6b", "#4f5560", "#5a4a9c")
_PICTURES: Final = (".gif", ".jpg", ".jpeg", ".png")


def initials(name: str) -> str:
    """Return one or two letters for a title.

    >>> initials("Alice van Doe"), initials("bob@example.com"), initials("1001")
    ('AD', 'B', '1')
    """
    words = re.findall(r"\w+", name.split("@")[0])
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words]
    return "".join(letters).upper() or "?"


def avatar_address(properties: Mapping[str, Json]) -> str | None:
    """Return the address of a profile's picture, None if it has none that may be shown."""
    value = properties.get("$avatar")
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    fits = parts.scheme in ("http", "https") and parts.path.lower().endswith(_PICTURES)
    return value.strip() if fits and parts.hostname else None


def profile_card(
    properties: Mapping[str, Json] | None,
    distinct_id: str,
    last_seen: pd.Timestamp | None = None,
    *,
    remote_images: bool = False,
) -> Html:
    """Return the card of a profile.

    Parameters
    ----------
    properties
        What the profile holds; None if there is none.
    distinct_id
        Whose it is.
    last_seen
        Updated At, in UTC.
    remote_images
        Whether ``$avatar`` may be loaded from its address. Otherwise there are initials,
        and nothing leaves the machine.
    """
    values = properties or {}
    name = title(values, distinct_id)
    address = avatar_address(values) if remote_images else None
    if address is not None:
        picture = Html(
            '<img class="tk-avatar" src="{}" alt="" referrerpolicy="no-referrer">'
        ).format(address)
    else:
        colour = _COLOURS[zlib.crc32(distinct_id.encode("utf-8", "replace")) % len(_COLOURS)]
        letters = initials(name) if name else "?"
        picture = Html(
            '<span class="tk-avatar" aria-hidden="true" style="background:{}">{}</span>'
        ).format(colour, letters)
    if properties is None:
        hint = "No profile yet" if distinct_id else "Give it an ID"
    elif last_seen is None:
        hint = "Never updated by an application"
    else:
        hint = f"Updated at {last_seen.strftime('%Y-%m-%d %H:%M:%S')} UTC"
    sub = Html('<span class="tk-card-id">{}</span> · ' if distinct_id else "").format(distinct_id)
    return Html(
        '<div class="tk-person">{}<div class="tk-person-text">'
        '<div class="tk-person-title">{}</div>'
        '<div class="tk-hint">{}{}</div></div></div>'
    ).format(picture, name or "New profile", sub, hint)
