"""Where users are: from their address, else from their coordinates."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import maxminddb
import numpy as np
import pytest
import requests
from hypothesis import given, settings, strategies as st
from mmdb_writer import MMDBWriter, TreeWriter
from netaddr import IPSet

import toolkit as tk
from tests.effort import examples
from tests.test_table_reference import state_of
from toolkit.sources.geo.places import Places, _children, address_of_each_record


def city(
    name: str, region: str, country: str, zone: str, latitude: float, longitude: float
) -> dict[str, Any]:
    return {
        "city": {"names": {"en": name, "de": f"{name} (de)"}},
        "subdivisions": [{"names": {"en": region}, "iso_code": "X"}],
        "country": {"iso_code": country, "names": {"en": "…"}},
        "location": {"latitude": latitude, "longitude": longitude, "time_zone": zone},
    }


OSLO = city("Oslo", "Oslo County", "NO", "Europe/Oslo", 59.91, 10.75)
BERGEN = city("Bergen", "Vestland", "NO", "Europe/Oslo", 60.39, 5.32)
SUVA = city("Suva", "Central", "FJ", "Pacific/Fiji", -18.14, 178.44)
NORWAY = {"country": {"iso_code": "NO"}, "location": {"latitude": 62.0, "longitude": 10.0}}
FLAT = {
    "city": "Lyon",
    "region": "Auvergne-Rhône-Alpes",
    "country": "FR",
    "timezone": "Europe/Paris",
    "loc": "45.75,4.85",
}
NETWORKS = {
    "1.0.0.0/24": OSLO,
    "1.0.9.0/24": OSLO,
    "1.0.1.0/25": BERGEN,
    "1.0.2.0/24": SUVA,
    "1.0.3.0/24": NORWAY,
    "1.0.4.0/24": FLAT,
    "2001:db8::/32": BERGEN,
}
IN_OSLO = {
    "$city": "Oslo",
    "$region": "Oslo County",
    "$country_code": "NO",
    "$timezone": "Europe/Oslo",
}
NEAR_BERGEN = {"$latitude": 60.5, "$longitude": 5.2}


def written(path: Path, networks: dict[str, Any], **options: Any) -> Path:
    writer = MMDBWriter(database_type="Test-City", languages=["en"], **options)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="session")
def cities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("geo") / "cities.mmdb"
    return written(path, NETWORKS, ip_version=6, ipv4_compatible=True, float_type="f64")


@pytest.fixture
def geo(cities: Path) -> Iterator[tk.GeoDatabase]:
    with tk.GeoDatabase(cities) as database:
        yield database


@pytest.fixture
def profiles() -> tk.ProfileTable:
    return tk.ProfileTable()


def to(distinct_id: str, ip: object = "1.0.0.7", /, **properties: Any) -> dict[str, Any]:
    return {"$distinct_id": distinct_id, "$ip": ip, "$set": properties}


# -- GEO-1: what is located -----------------------------------------------------------------


def test_GEO_1_set_and_set_once_write_the_location_and_the_address_is_not_kept(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    once = {"$distinct_id": "2", "$ip": "1.0.0.9", "$set_once": {"plan": "free"}}
    profiles.apply([to("1", plan="pro"), once], geo=geo)
    assert profiles["1"] == {"plan": "pro", **IN_OSLO}
    assert profiles["2"] == {"plan": "free", **IN_OSLO}
    assert "1.0.0" not in repr(profiles.history("1").to_dict())


@pytest.mark.parametrize(
    "operation",
    [
        {"$add": {"n": 1}},
        {"$append": {"n": 1}},
        {"$union": {"n": [1]}},
        {"$unset": ["plan"]},
        {"$remove": {"n": 1}},
        {"$delete": ""},
    ],
)
def test_GEO_1_other_operators_are_not_located(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase, operation: dict[str, Any]
) -> None:
    message = {"$distinct_id": "1", "$ip": "1.0.0.1", **operation}
    assert geo.locate([message]) == [message]
    profiles.set("1", {"plan": "pro"})
    profiles.apply([message], geo=geo)
    assert "$city" not in profiles.get("1", {})


def test_GEO_1_groups_have_no_location(geo: tk.GeoDatabase) -> None:
    message = {"$group_key": "company", "$group_id": "a", "$ip": "1.0.0.1", "$set": {"n": 1}}
    assert geo.locate([message]) == [message]


def test_GEO_1_what_is_rejected_whole_makes_no_profile(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    messages = [to("1", n=float("nan")), to("", n=1), {**to("2", n=1), "nonsense": 1}, 3]
    result = profiles.apply(messages, geo=geo)  # type: ignore[arg-type]
    assert len(result.rejected) == 4
    assert len(profiles) == 0


def test_an_empty_set_is_located_too(profiles: tk.ProfileTable, geo: tk.GeoDatabase) -> None:
    profiles.apply([to("1")], geo=geo)
    assert profiles["1"] == IN_OSLO


def test_messages_are_not_changed(geo: tk.GeoDatabase) -> None:
    message = to("1", plan="pro")
    [located] = geo.locate([message])
    assert message == to("1", plan="pro")
    assert located["$set"] == {"plan": "pro", **IN_OSLO}


# -- GEO-2: which address ------------------------------------------------------------------


@pytest.mark.parametrize("off", ["0", 0, False, "", "nonsense", "1.0.0.300", ["1.0.0.1"], 1.5])
def test_GEO_2_an_ip_of_0_or_one_that_is_no_address_switches_it_off(
    geo: tk.GeoDatabase, off: object
) -> None:
    message = to("1", off, plan="pro")
    assert geo.locate([message], "1.0.0.1") == [message]


@pytest.mark.parametrize("message", [{}, {"$ip": None}])
def test_GEO_2_the_sender_counts_for_messages_without_an_ip(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase, message: dict[str, Any]
) -> None:
    message = {"$distinct_id": "1", "$set": {"plan": "pro"}, **message}
    assert geo.locate([message]) == [message]
    profiles.apply([message], geo=geo, ip="1.0.0.200")
    assert profiles["1"]["$city"] == "Oslo"
    profiles.apply([to("1", "1.0.2.1")], geo=geo, ip="1.0.0.200")
    assert profiles["1"]["$city"] == "Suva"


@pytest.mark.parametrize("ip", ["2001:db8::5", " 1.0.1.5 ", "::ffff:1.0.1.5"])
def test_GEO_2_addresses_of_both_kinds_are_read(geo: tk.GeoDatabase, ip: str) -> None:
    assert geo.of_ip(ip)["$city"] == "Bergen"


def test_GEO_2_an_unknown_address_leaves_what_is_stored(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    profiles.apply([to("1", plan="pro"), to("1", "127.0.0.1", plan="free")], geo=geo)
    assert profiles["1"] == {"plan": "free", **IN_OSLO}


# -- GEO-3: what wins ----------------------------------------------------------------------


def test_GEO_3_it_is_overwritten_each_time_and_a_value_in_the_message_wins(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    profiles.set("1", {"$city": "Atlantis"})
    profiles.apply([to("1")], geo=geo)
    assert profiles["1"] == IN_OSLO
    profiles.apply([to("1", "1.0.2.1", **{"$city": "Nadi"})], geo=geo)
    assert profiles["1"]["$city"] == "Nadi"
    assert profiles["1"]["$country_code"] == "FJ"
    once = {"$distinct_id": "2", "$ip": "1.0.0.1", "$set_once": {"$city": None}}
    unset = {"$distinct_id": "3", "$ip": "1.0.0.1", "$set": {}, "$unset": "$city"}
    profiles.apply([once, unset], geo=geo)
    assert profiles["2"]["$city"] is None
    assert "$city" not in profiles["3"]


# -- GEO-4: a location is written whole ------------------------------------------------------


def test_GEO_4_what_the_new_location_lacks_is_unset(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    profiles.apply([to("1", plan="pro"), to("1", "1.0.3.1")], geo=geo)
    assert profiles["1"] == {"plan": "pro", "$country_code": "NO"}


def test_GEO_4_nothing_is_unset_that_is_not_there(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    [located] = geo.locate([to("1", "1.0.3.1")], None, profiles)
    assert "$unset" not in located
    [located] = geo.locate([to("1", "1.0.3.1")])
    assert located["$unset"] == ["$city", "$region", "$timezone", "$geo_source"]


@pytest.mark.parametrize("number", [2, 300])
def test_GEO_4_messages_see_those_before_them(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase, number: int
) -> None:
    ids = [str(each) for each in range(number)]
    profiles.apply([{**to(each, None), **NEAR_BERGEN} for each in ids[::2]], geo=geo)
    later = [{**to(each, None), **NEAR_BERGEN} for each in ids[1::2]]
    profiles.apply([*later, *(to(each) for each in ids)], geo=geo)
    assert all(profiles[each] == IN_OSLO for each in ids)


# -- GEO-5: coordinates ----------------------------------------------------------------------


def test_GEO_5_coordinates_come_before_the_address_and_say_so(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    profiles.apply([{**to("1"), **NEAR_BERGEN}], geo=geo)
    expected = {"$city": "Bergen", "$region": "Vestland", "$geo_source": "reverse_geocoding"}
    assert profiles["1"] == {**IN_OSLO, **expected}
    profiles.apply([to("1")], geo=geo)
    assert profiles["1"] == IN_OSLO


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(0, 0), (None, 5.3), ("x", 5.3), (True, 5.3), (91, 5.3), (60.4, 181), (float("nan"), 5.3)],
)
def test_GEO_5_without_a_city_near_or_without_coordinates_the_address_counts(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase, latitude: object, longitude: object
) -> None:
    coordinates = {"$latitude": latitude, "$longitude": longitude}
    profiles.apply([{**to("1"), **coordinates}], geo=geo)
    assert profiles["1"] == IN_OSLO


def test_GEO_5_how_far_is_near_can_be_said(cities: Path) -> None:
    for distance, found in ((10, {}), (15, {"$city": "Bergen"})):
        with tk.GeoDatabase(cities, max_distance=distance) as database:  # it is 13.9 km away
            assert database.of_point(60.5, 5.2).get("$city") == found.get("$city")


def test_GEO_5_the_date_line_is_no_border(geo: tk.GeoDatabase, cities: Path) -> None:
    with tk.GeoDatabase(cities, max_distance=300) as database:
        assert database.of_point(-18.1, -179.5)["$city"] == "Suva"
    assert geo.of_point("45.7", "4.8")["$city"] == "Lyon"


def test_the_middle_of_a_country_is_no_city(geo: tk.GeoDatabase) -> None:
    assert geo.of_point(62.0, 10.0) == {}


points = st.tuples(
    st.floats(-90, 90) | st.sampled_from([-90.0, 0.0, 90.0]),
    st.floats(-180, 180) | st.sampled_from([-180.0, 0.0, 180.0]),
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(points, max_size=12), points, st.sampled_from([0.0, 5.0, 100.0, 3000.0, 30000.0]))
def test_the_nearest_place_is_the_one_a_look_at_all_would_find(
    places: list[tuple[float, float]], point: tuple[float, float], within: float
) -> None:
    named = {(*each, (str(at),)): {"n": str(at)} for at, each in enumerate(places)}
    found = Places.of(named).nearest(*point, within)

    def away(other: tuple[float, float]) -> float:  # the haversine formula
        (north, east), (north_2, east_2) = np.radians(point), np.radians(other)
        half = np.sin((north_2 - north) / 2) ** 2
        half += np.cos(north) * np.cos(north_2) * np.sin((east_2 - east) / 2) ** 2
        return float(2 * 6371.0088 * np.arcsin(np.sqrt(min(1.0, half))))

    least = min(map(away, places), default=np.inf)
    if found is None:
        assert least > within - 1e-3
    else:
        assert found[1] == pytest.approx(least, abs=1e-3)
        assert away(places[int(found[0]["n"])]) == pytest.approx(least, abs=1e-3)
        assert least <= within + 1e-3


@pytest.mark.parametrize("record_size", [24, 28, 32])
@pytest.mark.parametrize("version", [4, 6])
def test_every_record_of_a_database_is_found_once(
    tmp_path: Path, record_size: int, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def adjust(writer: TreeWriter) -> None:  # it would take the smallest
        writer.record_size = record_size
        writer.data_offset = record_size * 2 // 8 * writer._node_counter

    monkeypatch.setattr(TreeWriter, "_adjust_record_size", adjust)
    networks = {
        (f"{10 + at % 7}.{at % 251}.{at % 13}.0/24" if version == 4 else f"2001:{at:x}::/40"): city(
            f"City {at}", "", "NO", "UTC", at / 10, 0
        )
        for at in range(300)
    }
    path = written(tmp_path / "x.mmdb", networks, ip_version=version)
    with maxminddb.open_database(path) as reader:
        assert reader.metadata().record_size == record_size
        every = {repr(record) for _, record in reader}
        found = [repr(reader.get(each)) for each in address_of_each_record(path, reader.metadata())]
    assert len(found) == len(every) >= 300
    assert set(found) == every


def test_numbers_of_28_bits_share_their_middle_octet(tmp_path: Path) -> None:
    # Two nodes: 0 leads to the record 0xABCDEF1, and to node 1, which leads nowhere and to
    # the record 0x1234567.
    octets = bytes.fromhex("bcdef1 a0 000001" + "000002 01 234567")
    (tmp_path / "tree").write_bytes(octets)
    tree = SimpleNamespace(node_count=2, record_size=28, ip_version=4)
    left, right = _children(tmp_path / "tree", tree)
    assert [left.tolist(), right.tolist()] == [[0xABCDEF1, 2], [1, 0x1234567]]
    assert [str(each) for each in address_of_each_record(tmp_path / "tree", tree)] == [
        "0.0.0.0",
        "192.0.0.0",
    ]


# -- the file --------------------------------------------------------------------------------


def test_names_come_in_a_language_where_they_are_there(cities: Path) -> None:
    with tk.GeoDatabase(cities, language="de") as database:
        location = database.of_ip("1.0.0.1")
    assert (location["$city"], location["$region"]) == ("Oslo (de)", "Oslo County")


def test_flat_records_are_read_too(geo: tk.GeoDatabase) -> None:
    assert geo.of_ip("1.0.4.1") == {
        "$city": "Lyon",
        "$region": "Auvergne-Rhône-Alpes",
        "$country_code": "FR",
        "$timezone": "Europe/Paris",
    }


def test_a_database_of_old_addresses_knows_no_new_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "four.mmdb", {"1.0.0.0/24": OSLO}, ip_version=4)
    with tk.GeoDatabase(path) as database:
        assert database.of_ip("2001:db8::1") == {}
        assert database.of_ip("::ffff:1.0.0.1")["$city"] == "Oslo"


def test_what_is_no_database_is_refused_in_words(tmp_path: Path, cities: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no location database .*x\.mmdb"):
        tk.GeoDatabase(tmp_path / "x.mmdb")
    (tmp_path / "text.mmdb").write_text("city,country\n")
    with pytest.raises(tk.ToolkitError, match="not a location database"):
        tk.GeoDatabase(tmp_path / "text.mmdb")
    with pytest.raises(tk.ToolkitError, match="max_distance"):
        tk.GeoDatabase(cities, max_distance=-1)


def test_a_damaged_database_is_an_error_in_words_and_nothing_is_written(
    tmp_path: Path, cities: Path, profiles: tk.ProfileTable
) -> None:
    content = bytearray(cities.read_bytes())
    start = content.find(b"\xab\xcd\xefMaxMind.com")
    tree = content.find(b"\0" * 16)  # what lies between tree and data
    content[tree + 16 : start] = b"\xff" * (start - tree - 16)
    path = tmp_path / "damaged.mmdb"
    path.write_bytes(content)
    with tk.GeoDatabase(path) as database, pytest.raises(tk.ToolkitError, match="damaged"):
        profiles.apply([to("1", plan="pro")], geo=database)
    assert len(profiles) == 0


def test_without_the_library_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, cities: Path
) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(ImportError, match=r"profile-toolkit\[geo\]"):
        tk.GeoDatabase(cities)


def test_the_repr_says_what_it_is(geo: tk.GeoDatabase) -> None:
    assert repr(geo).startswith("<GeoDatabase: Test-City of 20")


def test_the_same_as_messages_that_say_where(
    profiles: tk.ProfileTable, geo: tk.GeoDatabase
) -> None:
    messages = [to(str(at % 50), f"1.0.{at % 6}.1", n=at) for at in range(400)]
    profiles.apply(geo.locate(messages), ignore_time=True)
    other = tk.ProfileTable()
    for at in range(0, 400, 7):
        other.apply(messages[at : at + 7], geo=geo, ignore_time=True)
    assert state_of(profiles) == state_of(other)


def test_a_server_locates_what_clients_send(profiles: tk.ProfileTable, geo: tk.GeoDatabase) -> None:
    with tk.serve(profiles, geo=geo) as server:
        message = {"$token": "", "$distinct_id": "1", "$ip": "1.0.0.1", "$set": {"plan": "pro"}}
        answer = requests.post(f"{server.url}/engage?verbose=1", json=[message], timeout=30)

    assert answer.json()["status"] == 1
    assert profiles["1"] == {"plan": "pro", **IN_OSLO}
