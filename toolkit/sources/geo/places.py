"""The cities of a location database: which one is nearest to a point.

The database is made for addresses: a tree of their bits leads to records. For the
cities the tree is walked once, a level at a time, and each record is read once,
however many networks lead to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from os import PathLike
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

Address: TypeAlias = IPv4Address | IPv6Address
Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_EARTH_RADIUS: Final = 6371.0088  # km
# Degrees of latitude looked at on either side of a point, first and then.
_FIRST_BAND: Final = 0.25
_WIDER: Final = 4.0


class Tree(Protocol):
    """What is known of the tree of a database."""

    @property
    def node_count(self) -> int: ...

    @property
    def record_size(self) -> int: ...

    @property
    def ip_version(self) -> int: ...


def address_of_each_record(path: str | PathLike[str], tree: Tree) -> list[Address]:
    """Return for each record of a database an address that leads to it."""
    left, right = _children(path, tree)
    bits = 32 if tree.ip_version == 4 else 128
    visited = np.zeros(tree.node_count, np.bool_)
    nodes = np.zeros(1, np.int64)
    high = np.zeros(1, np.uint64)  # the first and the last 64 bits of each node's address
    low = np.zeros(1, np.uint64)
    seen = np.zeros(0, np.int64)
    addresses: list[Address] = []
    for depth in range(bits):
        bit = np.uint64(1 << ((bits - 1 - depth) % 64))
        is_high = bits - 1 - depth >= 64
        nodes = np.concatenate([left[nodes], right[nodes]])
        high = np.concatenate([high, high | bit if is_high else high])
        low = np.concatenate([low, low if is_high else low | bit])

        ends = np.flatnonzero(nodes > tree.node_count)  # the count itself leads nowhere
        records, first = np.unique(nodes[ends], return_index=True)
        is_new = ~np.isin(records, seen)
        seen = np.concatenate([seen, records[is_new]])
        for at in ends[first[is_new]].tolist():
            number = int(high[at]) << 64 | int(low[at])
            addresses.append(IPv4Address(number) if bits == 32 else IPv6Address(number))

        # Some networks are written as others: their part of the tree is there once.
        inner = np.flatnonzero(nodes < tree.node_count)
        inner = inner[~visited[nodes[inner]]]
        nodes, first = np.unique(nodes[inner], return_index=True)
        high, low = high[inner[first]], low[inner[first]]
        visited[nodes] = True
        if not len(nodes):
            break
    return addresses


def _children(path: str | PathLike[str], tree: Tree) -> tuple[Numbers, Numbers]:
    """Return what the bits 0 and 1 lead to from each node, as the file format has it."""
    width = tree.record_size // 4
    content = np.fromfile(path, np.uint8, tree.node_count * width)
    octets = content.reshape(-1, width).astype(np.int64)

    def number(*places: int) -> Numbers:
        total = np.zeros(len(octets), np.int64)
        for place in places:
            total = total << 8 | octets[:, place]
        return total

    if tree.record_size == 24:
        return number(0, 1, 2), number(3, 4, 5)
    if tree.record_size == 28:  # the middle octet has the first four bits of both
        middle = octets[:, 3]
        return number(0, 1, 2) | (middle >> 4) << 24, number(4, 5, 6) | (middle & 15) << 24
    return number(0, 1, 2, 3), number(4, 5, 6, 7)


@dataclass(frozen=True, eq=False)
class Places:
    """Places by latitude, with what is known of each."""

    latitudes: Numbers
    #: Points on the unit sphere, one row per place.
    points: Numbers
    locations: list[Mapping[str, str]]

    @classmethod
    def of(cls, places: Mapping[tuple[float, float, tuple[str, ...]], Mapping[str, str]]) -> Places:
        """Return places by (latitude, longitude, what distinguishes them)."""
        order = sorted(places)
        latitudes = np.array([each[0] for each in order], np.float64)
        longitudes = np.array([each[1] for each in order], np.float64)
        return cls(latitudes, _points(latitudes, longitudes), [places[each] for each in order])

    def __len__(self) -> int:
        return len(self.locations)

    def nearest(
        self, latitude: float, longitude: float, within: float
    ) -> tuple[Mapping[str, str], float] | None:
        """Return the nearest place and its distance in km, None if none is *within* so many."""
        if not self.locations:
            return None
        point = _points(np.array([latitude]), np.array([longitude]))[0]
        # No place is nearer than the difference in latitude.
        widest = np.degrees(min(within / _EARTH_RADIUS, np.pi))
        band = min(_FIRST_BAND, widest)
        while True:
            start, end = np.searchsorted(self.latitudes, [latitude - band, latitude + band])
            end = int(np.searchsorted(self.latitudes, latitude + band, "right"))
            if end > start:
                away = ((self.points[start:end] - point) ** 2).sum(axis=1)
                at = int(away.argmin())
                # From the chord to the arc, exact for small distances too.
                angle = 2.0 * np.arcsin(min(1.0, float(np.sqrt(away[at])) / 2.0))
                if np.degrees(angle) <= band or band >= widest:
                    distance = float(angle * _EARTH_RADIUS)
                    return (
                        None if distance > within else (self.locations[int(start) + at], distance)
                    )
                band = min(float(np.degrees(angle)), widest)
            elif band >= widest:
                return None
            else:
                band = min(band * _WIDER, widest)


def _points(latitudes: Numbers, longitudes: Numbers) -> Numbers:
    north, east = np.radians(latitudes), np.radians(longitudes)
    return np.stack(
        [np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1
    )


def places_of(
    path: str | PathLike[str],
    tree: Tree,
    record_at: Callable[[Address], Any],
    read: Callable[[Any], tuple[float, float, Mapping[str, str]] | None],
) -> Places:
    """Return the places of a database.

    Parameters
    ----------
    path, tree
        The file, and what is known of its tree.
    record_at
        Returns the record an address leads to.
    read
        Returns latitude, longitude and what is known of the place of a record, None if
        it tells of none.
    """
    places: dict[tuple[float, float, tuple[str, ...]], Mapping[str, str]] = {}
    for address in address_of_each_record(path, tree):
        place = read(record_at(address))
        if place is not None:
            latitude, longitude, location = place
            places.setdefault((latitude, longitude, tuple(location.values())), location)
    return Places.of(places)
