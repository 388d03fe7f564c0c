"""The sample data is the same every time, and holds the stories that its README tells.

The stories are computed with pandas from the files alone. Each test writes its numbers
as the lines of ``data/README.md``, so that the README cannot say anything else.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.optional import of_unix
from toolkit.base.errors import WriteError
from toolkit.sources import sample
from toolkit.sources.sample import make_sample, sample_files

DATA = Path(__file__).parent.parent / "data"
SHA256 = {
    "profiles_no_header.csv": "0c6902c76126986ca2f5ebe886aba429955088d3d8064c0141b0bb24fabee8bf",
    "profiles.csv": "5c1082feefa676c34a95ef49fa1752ab5f023fb54d792212c95d2a5d77d26205",
    "events.csv": "eda3b5cc4d9c4d518b691f41628b974bcc8679908ea1a084d665f28a6e32537b",
    "updates.jsonl": "7149fe9ac16083657e944bacafbf9703b95bd19f19ba05e878c39f159eb96e5b",
    "updates_broken.jsonl": "45eda079eb85d786e29151c6689899430744ba808d624209e82e1279b33e8149",
}
OPERATORS = ["set", "set_once", "add", "union", "append", "remove", "unset", "delete"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_updates() -> list[dict[str, Any]]:
    text = (DATA / "updates.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def assert_told(*lines: str) -> None:
    """Assert that each of the lines stands in the README as it is."""
    told = (DATA / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line not in told] == []


def percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}"


def rows(table: pd.DataFrame) -> list[str]:
    """Return the rows of a table, its index first, as the README writes them."""
    shown = table.map(lambda cell: cell if isinstance(cell, str) else f"{cell:,}")
    return [f"| {' | '.join(row)} |" for row in shown.itertuples()]


def count_true(outcomes: pd.Series, by: pd.Series) -> pd.DataFrame:
    """Return for each group how many there are, how many are true, and the share."""
    table = outcomes.groupby(by).agg(["size", "sum"])
    return table.assign(share=[percent(true, size) for size, true in table.to_numpy()])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def profiles() -> pd.DataFrame:
    text = {"distinct_id": "str", "postal_code": "str"}
    return pd.read_csv(DATA / "profiles.csv", dtype=text)


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return pd.read_parquet(DATA / "events.parquet")


@pytest.fixture(scope="module")
def joined(events: pd.DataFrame, profiles: pd.DataFrame) -> pd.DataFrame:
    return events.merge(profiles, on="distinct_id", how="left", validate="m:1")


# The files


def test_two_runs_write_the_same_bytes(made: dict[str, Path], tmp_path: Path) -> None:
    again = make_sample(tmp_path / "new" / "folder")

    assert list(again) == list(made)
    for name in set(made) - {"events"}:
        assert again[name].read_bytes() == made[name].read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(again["events"]), pd.read_parquet(made["events"]))


def test_hash_order_time_zone_and_locale_change_nothing(tmp_path: Path) -> None:
    surroundings = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONUTF8": "0"}
    code = f"from toolkit.sources.sample import make_sample; make_sample({str(tmp_path)!r})"

    subprocess.run([sys.executable, "-c", code], env=os.environ | surroundings, check=True)

    assert {name: sha256(tmp_path / name) for name in SHA256} == SHA256


def test_the_bytes_are_the_recorded_ones(made: dict[str, Path]) -> None:
    texts = [path for path in made.values() if path.suffix != ".parquet"]

    assert {path.name: sha256(path) for path in texts} == SHA256


def test_the_committed_files_are_what_the_script_makes(made: dict[str, Path]) -> None:
    for path in made.values():
        committed = DATA / path.name
        if path.suffix == ".parquet":
            pd.testing.assert_frame_equal(pd.read_parquet(committed), pd.read_parquet(path))
        else:
            assert committed.read_bytes() == path.read_bytes()


def test_csv_and_parquet_hold_the_same_events(events: pd.DataFrame) -> None:
    from_csv = pd.read_csv(DATA / "events.csv", dtype={"distinct_id": "str"})
    from_csv["time"] = pd.to_datetime(from_csv["time"], utc=True).dt.as_unit("us")
    lists = from_csv.pop("products").dropna().map(json.loads)

    pd.testing.assert_frame_equal(events.drop(columns="products"), from_csv)
    assert events["products"].dropna().map(list).to_dict() == lists.to_dict()


def test_parquet_has_times_in_utc_and_lists_of_text() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")

    schema = parquet.read_schema(DATA / "events.parquet")

    assert str(schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("products").type) == "list<element: string>"


def test_the_headerless_profiles_are_the_others_without_their_header() -> None:
    header, rest = (DATA / "profiles.csv").read_bytes().split(b"\n", 1)

    assert header.decode() == (
        "distinct_id,email,name,plan,country,city,created,age,newsletter,interests,postal_code"
    )
    assert rest == (DATA / "profiles_no_header.csv").read_bytes()


def test_profiles_have_distinct_ids_and_addresses_of_nobody(profiles: pd.DataFrame) -> None:
    assert profiles["distinct_id"].is_unique
    assert profiles["email"].dropna().str.fullmatch(r"[a-z.0-9-]+@example\.(com|org)").all()


def test_events_are_sorted_and_within_the_half_year(events: pd.DataFrame) -> None:
    assert events["time"].is_monotonic_increasing
    assert events["time"].min() >= pd.Timestamp("2026-01-01", tz="UTC")
    assert events["time"].max() < pd.Timestamp("2026-07-01", tz="UTC")


def test_only_purchases_have_an_amount_and_products(events: pd.DataFrame) -> None:
    purchase = events["event"] == "Purchase"

    assert (events["amount"].notna() == purchase).all()
    assert (events["products"].notna() == purchase).all()
    assert (events.loc[purchase, "products"].str[0] == events.loc[purchase, "item"]).all()


def test_sign_up_is_the_moment_the_profile_was_created(joined: pd.DataFrame) -> None:
    sign_ups = joined[joined["event"] == "Sign Up"]

    assert (pd.to_datetime(sign_ups["created"]) == sign_ups["time"]).all()


def test_two_lines_of_the_broken_updates_are_no_json() -> None:
    broken = []
    lines = (DATA / "updates_broken.jsonl").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            json.loads(line)
        except ValueError:
            broken.append(number)

    assert len(lines) == 12
    assert broken == [4, 9]


def test_the_readme_tells_the_size_of_each_file(
    events: pd.DataFrame, profiles: pd.DataFrame
) -> None:
    assert_told(
        f"## `profiles.csv`: {len(profiles):,} profiles",
        f"## `events.parquet` and `events.csv`: {len(events):,} events",
        f"## `updates.jsonl`: {len(read_updates()):,} updates",
    )


# The stories


def test_story_plans_convert_differently(joined: pd.DataFrame) -> None:
    carts = joined[joined["event"] == "Add to Cart"].drop_duplicates("distinct_id")
    purchases = joined.loc[joined["event"] == "Purchase", ["distinct_id", "time"]]
    pairs = carts.merge(purchases, on="distinct_id", suffixes=("", "_bought"))
    waited = pairs["time_bought"] - pairs["time"]
    in_window = pairs[waited.between(pd.Timedelta(0), pd.Timedelta("7D"))]
    carts = carts.assign(bought=carts["distinct_id"].isin(in_window["distinct_id"]))

    plans = count_true(carts["bought"], carts["plan"])

    rate = (plans["sum"] / plans["size"]).to_dict()
    assert rate["pro"] > 1.8 * rate["free"]
    assert_told(*rows(plans))


def test_story_plans_keep_people_differently(joined: pd.DataFrame) -> None:
    sign_ups = joined[(joined["event"] == "Sign Up") & (joined["time"] < "2026-05-01")]
    last_seen = joined.groupby("distinct_id")["time"].max()
    stayed = sign_ups["distinct_id"].map(last_seen) - sign_ups["time"]

    plans = count_true(stayed >= pd.Timedelta("56D"), sign_ups["plan"])

    rate = (plans["sum"] / plans["size"]).to_dict()
    assert rate["pro"] > 3 * rate["free"]
    assert_told(*rows(plans))


def test_story_checkout_broke_in_brazil(joined: pd.DataFrame) -> None:
    told = []
    rate = {}
    for start in pd.date_range("2026-04-13", periods=3, freq="21D", tz="UTC"):
        end = start + pd.Timedelta("20D")
        weeks = joined[joined["time"].dt.floor("D").between(start, end)]
        for country, concerned in (("BR", True), ("all others", False)):
            count = weeks.loc[(weeks["country"] == "BR") == concerned, "event"].value_counts()
            checkouts, purchases = count["Checkout Started"], count["Purchase"]
            rate[f"{start:%m-%d}", country] = purchases / checkouts
            told.append(
                f"| {start:%m-%d} to {end:%m-%d} | {country} | {checkouts} | {purchases} "
                f"| {percent(purchases, checkouts)} | {count.get('Support Ticket', 0)} |"
            )

    assert rate.pop(("05-04", "BR")) < 0.1
    assert min(rate.values()) > 0.6
    assert_told(*told)


def test_story_interests_explain_purchases(joined: pd.DataFrame) -> None:
    purchases = joined[(joined["event"] == "Purchase") & joined["interests"].notna()]
    interests = purchases["interests"].map(json.loads)
    told = []
    for category in ["outdoor", "kitchen", "books", "games"]:
        interested = pd.Series([category in liked for liked in interests], purchases.index)
        bought = purchases["category"] == category
        with_it = percent(bought[interested].sum(), interested.sum())
        without = percent(bought[~interested].sum(), (~interested).sum())
        told.append(f"| {category} | {with_it} | {without} |")

    assert_told(*told)


def test_story_some_have_no_profile_and_some_no_events(
    events: pd.DataFrame, profiles: pd.DataFrame
) -> None:
    matched = events["distinct_id"].isin(profiles["distinct_id"])
    strangers = events.loc[~matched, "distinct_id"].nunique()
    silent = (~profiles["distinct_id"].isin(events["distinct_id"])).sum()

    assert_told(
        f"- {(~matched).sum():,} of the {len(events):,} events, of {strangers} distinct IDs,",
        f"- {silent} profiles have no events.",
    )


def test_story_late_profiles_join_the_events_before_them(
    events: pd.DataFrame, profiles: pd.DataFrame
) -> None:
    known = set(profiles["distinct_id"])
    deleted = {u["$distinct_id"] for u in read_updates() if "$delete" in u and "$set" not in u}
    written = {u["$distinct_id"]: u["$time"] for u in read_updates() if "first_form" in str(u)}
    late = {who: pd.Timestamp(at, unit="s", tz="UTC") for who, at in written.items()}
    late = {who: at for who, at in late.items() if who not in deleted}
    gained = events[events["distinct_id"].isin(late)]
    before = gained["time"] < gained["distinct_id"].map(late)
    back = {u["$distinct_id"] for u in read_updates() if "came_back" in u.get("$set", {})}
    matched = events["distinct_id"].isin(known | set(late) | back)

    assert not known & (set(late) | deleted)
    assert min(late.values()) >= pd.Timestamp("2026-06-15", tz="UTC")
    assert_told(
        f"- {len(late)} guests filled in the form from 2026-06-15 on.",
        f"- {gained['distinct_id'].nunique()} of them had {len(gained):,} events, "
        f"{before.sum():,} of these before the profile.",
        f"- {len(deleted)} others filled it in early and had their profile deleted; "
        f"{len(back)} of them came back.",
        f"- So the events with a profile go from "
        f"{percent(events['distinct_id'].isin(known).sum(), len(events))} with `profiles.csv` "
        f"alone to {percent(matched.sum(), len(events))} with `updates.jsonl` too.",
    )


def test_story_revenue_moves_with_the_plan(joined: pd.DataFrame) -> None:
    upgrades = {
        update["$distinct_id"]: pd.Timestamp(update["$time"], unit="s", tz="UTC")
        for update in read_updates()
        if update.get("$set") == {"plan": "pro"}
    }
    purchases = joined[joined["event"] == "Purchase"].fillna({"plan": "(not set)"})
    early = purchases["time"] < purchases["distinct_id"].map(upgrades)
    latest = purchases.groupby("plan")["amount"].sum()
    then = purchases.groupby(purchases["plan"].mask(early, "free"))["amount"].sum()

    assert_told(
        f"{len(upgrades)} people went from free to pro.",
        *(f"| {plan} | {latest[plan]:,.2f} | {then[plan]:,.2f} |" for plan in latest.index),
    )


def test_plans_of_the_updates_end_as_those_of_the_profiles(profiles: pd.DataFrame) -> None:
    sent: dict[str, list[str]] = {}
    for update in read_updates():
        match update:
            case {"$distinct_id": str(who), "$set": {"plan": plan}} if (
                who and "$delete" not in update
            ):
                sent.setdefault(who, []).append(plan)

    plans = profiles.set_index("distinct_id")["plan"]

    assert set(map(tuple, sent.values())) == {("free", "pro")}
    assert {plans[who] for who in sent} == {"pro"}


def test_story_ids_are_of_many_kinds(events: pd.DataFrame, profiles: pd.DataFrame) -> None:
    kinds = {
        "digits, such as `1207`": r"\d{4}",
        "e-mail addresses": r"[^@]+@[^@]+",
        "UUIDs": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "prefixed, such as `user-ab12`": r"user-[a-z]{2}\d\d",
    }
    count = {k: profiles["distinct_id"].str.fullmatch(p).sum() for k, p in kinds.items()}

    assert sum(count.values()) == len(profiles)
    assert_told(*(f"| {kind} | {number:,} |" for kind, number in count.items()))


def test_story_some_ids_nearly_match(events: pd.DataFrame, profiles: pd.DataFrame) -> None:
    known = set(profiles["distinct_id"])
    lost = events.loc[~events["distinct_id"].isin(known), "distinct_id"]
    repairs = {
        "capital letters": lost.str.lower(),
        "a space before or after": lost.str.strip(),
        "a leading zero": lost.str.lstrip("0"),
        "a trailing `.0`": lost.str.removesuffix(".0"),
    }
    found = {reason: ids.isin(known) for reason, ids in repairs.items()}

    assert_told(
        *(
            f"| {reason} | {hits.sum()} | `{lost[hits].iloc[0]}` |"
            for reason, hits in found.items()
        ),
        f"These {sum(hits.sum() for hits in found.values())} events have no profile:",
    )


def test_story_the_club_counts_every_order(events: pd.DataFrame) -> None:
    orders: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for update in read_updates():
        if "lifetime_orders" in update.get("$add", {}):
            orders[update["$distinct_id"]] += 1
            spent[update["$distinct_id"]] += round(
                100 * update["$append"]["$transactions"]["$amount"]
            )
    purchases = events[(events["event"] == "Purchase") & events["distinct_id"].isin(orders)]
    by_member = purchases.groupby("distinct_id")["amount"].agg(["size", "sum"])

    assert by_member["size"].to_dict() == orders
    assert (by_member["sum"] * 100).round().astype(int).to_dict() == spent
    assert_told(
        f"{len(orders)} members, {orders.total()} orders, {spent.total() / 100:,.2f} in all.",
    )


def test_story_the_shop_grows_and_lives_in_the_evening(events: pd.DataFrame) -> None:
    time = events["time"].dt
    months = count_true(events["event"] == "Sign Up", time.strftime("%Y-%m")).drop(columns="share")
    evening = time.hour.between(18, 21).sum()
    weekend = (time.day_of_week >= 5).sum()

    assert_told(
        *rows(months),
        f"- {percent(weekend, len(events))} of the events are on a Saturday or Sunday.",
        f"- {percent(evening, len(events))} of the events are between 18:00 and 22:00 UTC.",
    )


def test_story_cells_to_be_careful_with(profiles: pd.DataFrame) -> None:
    empty = profiles.isna().sum()
    zeros = profiles["postal_code"].str.startswith("0").sum()
    quoted = profiles["name"].str.contains('"', na=False).sum()

    assert profiles["postal_code"].dropna().str.fullmatch(r"\d+").all()
    assert_told(
        f"- {zeros} postal codes begin with a zero. All are digits, but still text.",
        *(f"| {column} | {count} |" for column, count in empty[empty > 0].items()),
        f"- {quoted} names contain a comma and quotes.",
    )


def test_story_every_operator_is_used() -> None:
    count = Counter(key for update in read_updates() for key in update)
    ignored = count["$ignore_time"]

    assert_told(
        *(f"| `${operator}` | {count[f'${operator}']} |" for operator in OPERATORS),
        f"{ignored} updates have `$ignore_time`.",
    )


def test_updates_are_in_time_order() -> None:
    times = [update["$time"] for update in read_updates()]

    assert times == sorted(times)
    assert all(type(time) is int for time in times)


def find_fault(update: dict[str, Any], plans: set[str]) -> str:
    """Return what makes a message no update, as told in the README, or nothing."""
    who = update.get("$distinct_id")
    known = {f"${operator}" for operator in OPERATORS}
    found = [key for key in update if key not in ("$distinct_id", "$time", "$ignore_time")]
    if "$distinct_id" not in update:
        return "no distinct ID"
    if who == "":
        return "an empty distinct ID"
    if isinstance(who, bool):
        return "`true` as distinct ID"
    if not isinstance(who, (str, int, float)):
        return "an object as distinct ID"
    if set(found) - known:
        return "an unknown operator"
    if "$delete" in found and len(found) > 1:
        return "`$delete` together with another operator"
    if not isinstance(update.get("$set", {}), dict):
        return "`$set` with a list"
    if "$last_seen" in update.get("$set", {}):
        return "`$set` of `$last_seen`"
    if not all(isinstance(value, int | float) for value in update.get("$add", {}).values()):
        return "`$add` of text"
    if "plan" in update.get("$append", {}) and who in plans:
        return "`$append` to a text property"
    return ""


def test_story_ten_updates_are_invalid() -> None:
    plans: set[str] = set()
    told = []
    for number, update in enumerate(read_updates(), 1):
        fault = find_fault(update, plans)
        if fault:
            told.append(f"| {number} | {fault} |")
        elif "plan" in update.get("$set", {}):
            plans.add(update["$distinct_id"])

    assert len(told) == 10
    assert_told(*told)


# The cache


def test_sample_files_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = sample_files()
    monkeypatch.setattr(sample, "make_sample", pytest.fail)

    second = sample_files()

    assert first == second
    assert {path.name: sha256(path) for path in first.values() if path.name in SHA256} == SHA256
    assert first["events"].is_relative_to(tmp_path / "profile-toolkit")
    assert list(tmp_path.glob("*/.*")) == []


@pytest.fixture
def empty_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `sample_files` make empty files, which takes no time."""

    def make_empty(folder: Path) -> None:
        folder.mkdir()
        for file in sample.FILES.values():
            (folder / file).touch()

    monkeypatch.setattr(sample, "make_sample", make_empty)


@pytest.mark.usefixtures("empty_files")
def test_a_relative_cache_home_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)

    assert sample_files()["updates"].is_relative_to(tmp_path / ".cache" / "profile-toolkit")


@pytest.mark.usefixtures("empty_files")
def test_a_stopped_run_leaves_no_half_of_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_half_way(folder: Path) -> None:
        folder.mkdir()
        (folder / "events.csv").write_text("event,distinct", encoding="utf-8")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(sample, "make_sample", stop_half_way)
        sample_files(tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert sample_files(tmp_path)["events_csv"].read_bytes() == b""


@pytest.mark.usefixtures("empty_files")
def test_a_missing_file_is_made_again(tmp_path: Path) -> None:
    sample_files(tmp_path)["updates"].unlink()

    assert sample_files(tmp_path)["updates"].is_file()


@pytest.mark.usefixtures("empty_files")
def test_the_other_of_two_runs_may_be_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_empty = sample.make_sample

    def come_second(folder: Path) -> dict[str, Path]:
        monkeypatch.setattr(sample, "make_sample", make_empty)
        sample_files(tmp_path)
        return make_empty(folder)

    monkeypatch.setattr(sample, "make_sample", come_second)

    assert all(path.is_file() for path in sample_files(tmp_path).values())
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.usefixtures("empty_files")
def test_a_folder_that_cannot_be_renamed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(f"{source} is not to be renamed to {target}")

    monkeypatch.setattr(os, "rename", refuse)

    with pytest.raises(WriteError, match="cannot be made in"):
        sample_files(tmp_path)


@of_unix("devices with a path")
@pytest.mark.parametrize("home", ["/dev/null", "/proc/nowhere"])
def test_where_the_home_cannot_be_written_to_the_sample_is_in_a_temporary_folder(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", home)
    files = sample_files()
    assert all(path.is_file() for path in files.values())
    assert sample_files() == files
    assert not files["events"].is_relative_to(home)


def test_a_folder_for_the_sample_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"in .*file.x: .*Give another folder"):
        sample_files(tmp_path / "file" / "x")
