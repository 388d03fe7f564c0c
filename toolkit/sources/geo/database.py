"""Where users are: a location database that turns addresses and coordinates into properties."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from os import PathLike, fspath
from threading import Lock
from types import MappingProxyType
from typing import Any, Final, Self

import pyarrow as pa

from toolkit.base import (
    ArgumentError,
    GeoError,
    GeoFileNotFoundError,
    InvalidIdError,
    InvalidValueError,
    MissingExtraError,
    as_json,
    as_path,
    normalise_id,
    quoted,
    times,
)
from toolkit.profiles import ProfileTable
from toolkit.sources.geo.places import Places, places_of

#: What a location is made of.
LOCATION: Final = ("$city", "$region", "$country_code", "$timezone")
#: How a location was found, if not from an address.
GEO_SOURCE: Final = "$geo_source"
REVERSE: Final = "reverse_geocoding"

_WRITTEN: Final = (*LOCATION, GEO_SOURCE)
_WRITTEN_NAMES: Final = frozenset(_WRITTEN)
_WRITING: Final = ("$set", "$set_once")
_REMEMBERED: Final = 100_000
# So many profiles are looked up one by one, more in whole columns.
_FEW: Final = 100
_NOWHERE: Final[Mapping[str, str]] = MappingProxyType({})


class GeoDatabase:
    """A location database in the MMDB format, kept in a file of your own.

    Any database of cities will do: those of MaxMind, DB-IP or IPinfo, or one made for
    a network of your own. Nothing is downloaded, and no address leaves the machine.

    Parameters
    ----------
    path
        The ``.mmdb`` file.
    language
        Of the names of cities and regions, where the database has several; English
        where a name is not there in it.
    max_distance
        Coordinates further than so many km from every city of the database have no
        location (GEO-5).

    Raises
    ------
    MissingExtraError
        If the library that reads such files is not installed.
    GeoError
        If there is no such file, or it is not a location database.

    Examples
    --------
    ::

        geo = tk.GeoDatabase("cities.mmdb")
        profiles.apply(messages, geo=geo)
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        language: str = "en",
        max_distance: float = 100.0,
    ) -> None:
        if not isinstance(path, str | PathLike):
            raise ArgumentError(f"path={quoted(path)}; the path of an .mmdb file is needed")
        if not isinstance(language, str) or not language:
            raise ArgumentError(f"language={quoted(language)}; text such as 'en' is needed")
        if not _is_number(max_distance) or not max_distance >= 0:
            raise ArgumentError(f"max_distance={quoted(max_distance)}; a number of km is needed")
        try:
            import maxminddb
        except ImportError as error:
            raise MissingExtraError(
                "maxminddb, which reads location databases, is not installed. "
                "Install the extra: pip install 'profile-toolkit[geo]'"
            ) from error
        self.path = as_path(path)
        self.language = language
        self.max_distance = float(max_distance)
        if not self.path.is_file():
            raise GeoFileNotFoundError(f"there is no location database {fspath(path)!r}")
        self._damaged: type[Exception] = maxminddb.InvalidDatabaseError
        try:
            self._reader = maxminddb.open_database(self.path)
            self._metadata = self._reader.metadata()
        except (maxminddb.InvalidDatabaseError, OSError, ValueError) as error:
            raise GeoError(
                f"{fspath(path)} is not a location database: {error}. A file in the MMDB format "
                "is needed, unpacked"
            ) from error
        self._lock = Lock()
        self._places: Places | None = None
        # Applications send the same addresses over and over.
        self._at_address = lru_cache(_REMEMBERED)(self._look_up)
        self._at_point = lru_cache(_REMEMBERED)(self._nearest)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        built = times.iso(int(self._metadata.build_epoch) * 1_000_000)[:10]
        return f"<GeoDatabase: {self._metadata.database_type} of {built} in {self.path.name}>"

    def of_ip(self, ip: object) -> dict[str, str]:
        """Return the location of an address: nothing if it is not one, or is not known.

        The keys are those of ``$city``, ``$region``, ``$country_code`` and ``$timezone``
        that the database knows.
        """
        return dict(self._at_address(ip)) if isinstance(ip, str) else {}

    def of_point(self, latitude: object, longitude: object) -> dict[str, str]:
        """Return the location of the nearest city: nothing if none is near enough (GEO-5).

        The first call reads all cities of the database, which can take seconds.
        """
        point = _point(latitude, longitude)
        return {} if point is None else dict(self._at_point(*point))

    def locate(
        self,
        messages: Iterable[Mapping[str, Any]],
        ip: str | None = None,
        profiles: ProfileTable | None = None,
    ) -> list[Any]:
        """Return messages that set the location of their users, too.

        What ``profiles.apply(messages, geo=…)`` does first. Messages that are not
        located are returned as they are, none is changed.

        Parameters
        ----------
        messages
            Engage messages. Those with ``$set`` or ``$set_once`` are located (GEO-1),
            by their ``$latitude`` and ``$longitude``, else by their ``$ip``.
        ip
            The address of whoever sent them, for messages without an ``$ip`` of their
            own (GEO-2).
        profiles
            The table they are for, so that only what is stored is unset (GEO-4).
            Without it a message unsets whatever its location lacks.
        """
        located = [(message, self._location(message, ip)) for message in messages]
        ids = [_id(message) if location else None for message, location in located]
        stored = None if profiles is None else _stored(profiles, filter(None, ids))
        result: list[Any] = []
        for (message, location), distinct_id in zip(located, ids, strict=True):
            if distinct_id is not None:
                of_profile = None if stored is None else stored.setdefault(distinct_id, set())
                message = _located(message, location, of_profile)
            result.append(message)
        return result

    def _location(self, message: Any, ip: str | None) -> Mapping[str, str]:
        if not _is_writing(message):
            return _NOWHERE
        if "$latitude" in message:
            point = _point(message["$latitude"], message.get("$longitude"))
            location = _NOWHERE if point is None else self._at_point(*point)
            if location:
                return {**location, GEO_SOURCE: REVERSE}
        own = message.get("$ip")
        address = ip if own is None else own
        # "0" and 0 switch it off; neither is an address.
        return self._at_address(address) if isinstance(address, str) else _NOWHERE

    def _look_up(self, address: str) -> Mapping[str, str]:
        try:
            parsed = ip_address(address.strip())
        except ValueError:
            return _NOWHERE
        if parsed.version == 6:
            parsed = parsed.ipv4_mapped or parsed
            if parsed.version == 6 and self._metadata.ip_version == 4:
                return _NOWHERE
        return self._properties_of(self._record(parsed))

    def _record(self, address: Any) -> Any:
        try:
            return self._reader.get(address)
        except self._damaged as error:
            raise GeoError(f"{self.path} is damaged: {error}. Get it again") from error
        except ValueError as error:
            raise GeoError(f"{self.path} cannot be read: {error}") from error

    def _nearest(self, latitude: float, longitude: float) -> Mapping[str, str]:
        with self._lock:
            if self._places is None:
                self._places = places_of(self.path, self._metadata, self._record, self._place_of)
            places = self._places
        nearest = places.nearest(latitude, longitude, self.max_distance)
        return _NOWHERE if nearest is None else nearest[0]

    def _place_of(self, record: Any) -> tuple[float, float, Mapping[str, str]] | None:
        location = self._properties_of(record)
        if "$city" not in location:
            return None  # nobody lives at the centre of a country
        located = record.get("location")
        if isinstance(located, Mapping):
            point = _point(located.get("latitude"), located.get("longitude"))
        else:
            point = _point(record.get("lat", record.get("latitude")), record.get("lng"))
            if point is None and isinstance(record.get("loc"), str):
                point = _point(*[*record["loc"].split(","), None][:2])
        return None if point is None else (*point, location)

    def _properties_of(self, record: Any) -> Mapping[str, str]:
        """Return what a record says: as nested objects, or flat as some publishers have it."""
        if not isinstance(record, Mapping):
            return _NOWHERE
        located = record.get("location")
        regions = record.get("subdivisions")
        country = record.get("country")
        zone = located.get("time_zone") if isinstance(located, Mapping) else None
        properties = {
            "$city": self._name(record.get("city")),
            "$region": self._name(
                regions[0] if isinstance(regions, list) and regions else record.get("region")
            ),
            "$country_code": country.get("iso_code")
            if isinstance(country, Mapping)
            else record.get("country_code") or country,
            "$timezone": zone or record.get("timezone"),
        }
        return MappingProxyType(
            {name: each for name, each in properties.items() if isinstance(each, str) and each}
        )

    def _name(self, translations: Any) -> Any:
        if not isinstance(translations, Mapping):
            return translations
        names = translations.get("names")
        if not isinstance(names, Mapping):
            return None
        return names.get(self.language) or names.get("en")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _point(latitude: object, longitude: object) -> tuple[float, float] | None:
    """Return coordinates in degrees, None if they are not."""
    degrees = []
    for coordinate, most in ((latitude, 90.0), (longitude, 180.0)):
        if not _is_number(coordinate) and not isinstance(coordinate, str):
            return None
        try:
            number = float(coordinate)  # type: ignore[arg-type]
        except (ValueError, OverflowError):
            return None
        if not math.isfinite(number) or abs(number) > most:
            return None
        degrees.append(number)
    return degrees[0], degrees[1]


def _is_writing(message: Any) -> bool:
    """Whether a message sets something of a user (GEO-1)."""
    if not isinstance(message, Mapping) or "$group_key" in message or "$delete" in message:
        return False
    arguments = [message[operator] for operator in _WRITING if operator in message]
    if not arguments or not all(isinstance(argument, Mapping) for argument in arguments):
        return False
    # MSG-5: what is rejected whole makes no profile, wherever its user is.
    return any(not argument or any(map(_is_valid, argument.values())) for argument in arguments)


def _is_valid(value: object) -> bool:
    try:
        as_json(value)
    except InvalidValueError:
        return False
    return True


def _id(message: Mapping[str, Any]) -> str | None:
    try:
        return normalise_id(message.get("$distinct_id"))
    except InvalidIdError:
        return None


def _stored(profiles: ProfileTable, ids: Iterable[str]) -> dict[str, set[str]]:
    """Return which parts of a location each profile has."""
    keys = list(dict.fromkeys(ids))
    if len(keys) <= _FEW:
        return {key: {n for n in _WRITTEN if n in (profiles.get(key) or {})} for key in keys}
    snapshot = profiles.snapshot()
    positions = snapshot.positions(pa.array(keys, pa.large_string()))
    stored: dict[str, set[str]] = {key: set() for key in keys}
    for name in _WRITTEN:
        present = snapshot.column(name).take(positions).is_present
        for at in present.nonzero()[0].tolist():
            stored[keys[at]].add(name)
    return stored


def _located(
    message: Mapping[str, Any], location: Mapping[str, str], stored: set[str] | None
) -> dict[str, Any]:
    """Return a message that sets a location, too; *stored* becomes what is stored then."""
    own = _named(message)
    added = {name: value for name, value in location.items() if name not in own}
    left = _WRITTEN if stored is None else stored
    gone = [name for name in _WRITTEN if name in left and name not in location and name not in own]
    result = {**message, "$set": {**message.get("$set", {}), **added}}
    if not result["$set"] and "$set" not in message:
        del result["$set"]
    if gone:
        names = message.get("$unset", [])
        names = [names] if isinstance(names, str) else names
        if isinstance(names, Sequence):
            result["$unset"] = [*names, *gone]
    if stored is not None:
        stored.difference_update(gone)
        stored.update(name for name in _WRITTEN if name in added or name in own)
    return result


def _named(message: Mapping[str, Any]) -> set[str]:
    """Return the properties of a location that the operators of a message name."""
    named: set[str] = set()
    for operator, argument in message.items():
        if type(argument) is dict:  # nearly all are
            named |= argument.keys() & _WRITTEN_NAMES
        elif isinstance(argument, Mapping | list | tuple):
            named.update(name for name in _WRITTEN if name in argument)
        elif operator == "$unset" and isinstance(argument, str):
            named.add(argument)
    return named
