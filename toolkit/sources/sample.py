"""The sample data: half a year in a small shop that does not exist.

Every person, address and purchase is invented by the program below. What happens to them
is not left to chance: a broken checkout in one country, plans that keep people, profiles
that arrive late. ``data/README.md`` has these stories and their numbers.
"""

import atexit
import bisect
import contextlib
import csv
import functools
import hashlib
import io
import itertools
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from toolkit.base import WriteError

__all__ = ["make_sample", "sample_files"]

Choice = TypeVar("Choice")
Message = dict[str, Any]


def _seconds(month: int, day: int) -> int:
    return int(datetime(2026, month, day, tzinfo=UTC).timestamp())


HOUR, DAY = 3_600, 86_400
START, END = _seconds(1, 1), _seconds(7, 1)
DAYS = (END - START) // DAY
BROKEN_COUNTRY, BROKEN_FROM, BROKEN_UNTIL = "BR", _seconds(5, 4), _seconds(5, 25)

# How much happens in each hour (UTC, whatever the country) and on Monday to Sunday.
HOURS = [4, 2, 1, 1, 1, 2, 5, 9, 12, 13, 13, 14, 17, 15, 13, 13, 15, 19, 26, 33, 36, 31, 20, 10]
WEEKDAYS = [0.9, 0.85, 0.85, 0.9, 1.05, 1.45, 1.35]
DEVICES = {"phone": 58, "desktop": 34, "tablet": 8}
PLANS = {"free": 60, "basic": 27, "pro": 13}
# The probabilities of staying from one day to the next, of a checkout after a cart,
# and of paying after a checkout.
STAY = {"free": 0.972, "basic": 0.986, "pro": 0.9945}
CHECK_OUT = {"free": 0.42, "basic": 0.55, "pro": 0.82}
PAY = {"free": 0.54, "basic": 0.65, "pro": 0.84}
# Who holds a profile: the customer list ("quiet" customers are on it, and never seen in
# an event), nobody, the guest form in June, or the guest form until asked to delete it.
STANDINGS = {"listed": 341, "quiet": 12, "guest": 26, "late": 18, "forgotten": 3}

# Prices are in cents, so that sums are exact.
SHELVES = {
    "outdoor": {"Trail Tent": 18_900, "Rain Jacket": 9_990, "Head Torch": 3_450},
    "kitchen": {"Cast Iron Pan": 5_900, "Chef Knife": 7_490, "Tea Kettle": 4_200},
    "books": {"Star Atlas": 2_990, "Bread Book": 2_450, "Bird Guide": 1_990},
    "games": {"Chess Set": 4_800, "Puzzle 1000": 2_290, "Card Deck": 990},
}
CATEGORIES = {item: category for category, shelf in SHELVES.items() for item in shelf}
PRICES = {item: cents for shelf in SHELVES.values() for item, cents in shelf.items()}
# Music and travel are not sold: interests that explain no purchase.
INTERESTS = [*SHELVES, "music", "travel"]

COUNTRIES = {"US": 24, "DE": 18, "IN": 16, "BR": 13, "FR": 10, "NO": 8, "ES": 7, "JP": 4}
NAMES = {
    "US": "Emma Liam Olivia Noah Ava Henry Ruth|Smith Johnson Brown Miller Davis O'Brien Clark",
    "DE": "Anna Paul Lena Jonas Greta Jürgen Käthe|Müller Schmidt Fischer Weber Becker Groß Koch",
    "IN": "Aarav Priya Rohan Ananya Vikram Neha Meera|Sharma Patel Gupta Singh Reddy Iyer Nair",
    "BR": "Ana João Maria Pedro Beatriz Júlia Tiago|Silva Santos Souza Costa Gonçalves Rocha",
    "FR": "Camille Louis Chloé Hugo Manon Inès Théo|Martin Bernard Dubois Petit Leroy Moreau",
    "NO": "Kari Ola Ingrid Solveig Håkon Åse Bjørn|Hansen Olsen Larsen Nilsen Bakken Lie Moen",
    "ES": "Lucía Hugo Sofía Paula Pablo Carmen Iñigo|García López Sánchez Gómez Ruiz Muñoz",
    "JP": "葵 陽菜 蓮 湊 結衣 大翔 美咲 健太|佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村",
}
# Each city with its postal codes, whose # are digits to draw.
CITIES = {
    "US": "Boston 021##, Newark 071##, Chicago 606##, Austin 787##",
    "DE": "Berlin 10###, Dresden 01###, Hamburg 20###, München 80###",
    "IN": "Mumbai 400###, Delhi 110###, Bengaluru 560###",
    "BR": "São Paulo 01######, Rio de Janeiro 20######, Recife 50######, Curitiba 80######",
    "FR": "Paris 75###, Lyon 69###, Nice 06###",
    "NO": "Oslo 0###, Bergen 5###, Trondheim 7###, Tromsø 9###",
    "ES": "Madrid 28###, Barcelona 08###, Sevilla 41###",
    "JP": "Tokyo 1######, Osaka 5######, Sapporo 06#####",
}
PLAIN_LETTERS = str.maketrans("ãáäåÅçéèíñóöøúü'ß", "aaaaaceeinooouu-s")
# Typed into the guest form, so written as people write their own names.
GUEST_NAMES = ["Zoë 🌻 Brandt", "Мария Иванова", "李伟", "محمد علي", "अनन्या शर्मा", "🦊 Finn"]

FILES = {
    "profiles_no_header": "profiles_no_header.csv",
    "profiles": "profiles.csv",
    "events_csv": "events.csv",
    "events": "events.parquet",
    "updates": "updates.jsonl",
    "updates_broken": "updates_broken.jsonl",
}


class Draws:
    """Random choices that come out alike on every Python.

    Of all methods only `random.Random.random` is promised to give the same numbers in
    every version, and only + - * / to round alike on every machine: nothing else here.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def below(self, limit: int) -> int:
        return int(self.random() * limit)

    def pick(self, options: Sequence[Choice]) -> Choice:
        return options[self.below(len(options))]

    def weighted(self, weights: Mapping[Choice, float]) -> Choice:
        cumulative = list(itertools.accumulate(weights.values()))
        return list(weights)[bisect.bisect_right(cumulative, self.random() * cumulative[-1])]

    def some(self, options: Iterable[Choice], count: int) -> list[Choice]:
        left = list(options)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def moment(self, day: int) -> int:
        hour = self.weighted(dict(enumerate(HOURS)))
        return START + day * DAY + hour * HOUR + self.below(HOUR)


@dataclass
class Person:
    """A customer: a row of the customer list, and what only this program knows."""

    created: int
    standing: str
    listed: bool
    distinct_id: str = ""
    country: str = ""
    plan: str = "free"
    upgraded: int = END
    interests: Sequence[str] = ()
    eagerness: float = 0.0
    club: bool = False
    row: dict[str, object] = field(default_factory=dict)

    def plan_at(self, time: int) -> str:
        return "pro" if time >= self.upgraded else self.plan


class SampleEvent(NamedTuple):
    """A row of the events, the time still in unix seconds."""

    event: str
    distinct_id: str
    time: int
    item: str | None = None
    category: str | None = None
    amount: str | None = None
    device: str = ""
    products: str | None = None


def _iso(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _draw_people(draws: Draws) -> list[Person]:
    people = []
    for _ in range(2_000):
        standing = draws.weighted(STANDINGS)
        if standing in ("late", "forgotten"):
            day = draws.below(75)
        elif standing == "quiet" or draws.chance(0.17):
            day = -1 - draws.below(365)
        else:
            day = draws.below(DAYS)
            if draws.chance(0.5):
                # The larger of two draws: sign-ups grow through the half-year.
                day = max(day, draws.below(DAYS))
        people.append(Person(draws.moment(day), standing, standing in ("listed", "quiet")))
    people.sort(key=lambda person: person.created)
    taken = {""}
    for number, person in enumerate(people, 1001):
        _decide(draws, person)
        email = _describe(draws, person, number)
        while person.distinct_id in taken:
            person.distinct_id = _draw_distinct_id(draws, email, number)
        taken.add(person.distinct_id)
        person.row["distinct_id"] = person.distinct_id
    return people


def _decide(draws: Draws, person: Person) -> None:
    """Draw what explains a person's behaviour."""
    # No guests in the country of the broken checkout: so its numbers do not depend on
    # whether the late profiles have been read.
    while not person.country or (person.country == BROKEN_COUNTRY and not person.listed):
        person.country = draws.weighted(COUNTRIES)
    person.interests = draws.some(INTERESTS, draws.below(4))
    # Most come seldom, a few come often.
    if person.standing != "quiet":
        person.eagerness = 0.35 + 2.6 * draws.random() * draws.random()
    if person.listed:
        person.plan = draws.weighted(PLANS)
    first_day = max(0, (person.created - START) // DAY) + 21
    upgrades = person.standing == "listed" and person.plan == "free" and draws.chance(0.2)
    if upgrades and first_day < DAYS - 14:
        person.upgraded = draws.moment(first_day + draws.below(DAYS - 14 - first_day))


def _describe(draws: Draws, person: Person, number: int) -> str:
    """Draw a person's row of the customer list; return the e-mail address behind it."""
    first, family = (draws.pick(part.split()) for part in NAMES[person.country].split("|"))
    mailbox = f"{first}.{family}{number}".translate(PLAIN_LETTERS).lower()
    email = f"{mailbox if mailbox.isascii() else f'customer{number}'}@example."
    email += draws.pick(["com", "com", "org"])
    middle = f" {draws.pick('ABCDEGHJKLMNPRSTV')}." if draws.chance(0.5) else ""
    name = f"{family} {first}" if person.country == "JP" else f"{first}{middle} {family}"
    if draws.chance(0.004):
        name = f'{family}, {first} "{first[:2]}"'
    city, _, code = draws.pick(CITIES[person.country].split(", ")).rpartition(" ")
    person.row = {
        "distinct_id": "",
        "email": email,
        "name": name,
        "plan": person.plan_at(END - 1),
        "country": person.country,
        "city": city,
        "created": _iso(person.created),
        "age": 18 + draws.below(31) + draws.below(32),
        "newsletter": _json(draws.chance(0.4)),
        "interests": _json(person.interests),
        "postal_code": "".join(str(draws.below(10)) if c == "#" else c for c in code),
    }
    empty = {"email": 0.03, "name": 0.02, "city": 0.05, "age": 0.12, "newsletter": 0.06}
    for column, probability in (empty | {"interests": 0.1, "postal_code": 0.04}).items():
        if draws.chance(probability):
            person.row[column] = ""
    return email


def _draw_distinct_id(draws: Draws, email: str, number: int) -> str:
    kind = draws.below(100)
    if kind < 6:
        return email
    if kind < 11:
        return f"user-{''.join(draws.some('abcdefghkmnprstuvwxyz', 2))}{10 + draws.below(90)}"
    if kind < 17:
        digits = "".join(f"{draws.below(16):x}" for _ in range(30))
        return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-a{digits[15:18]}-{digits[18:]}"
    return str(number)


def _live(draws: Draws, person: Person) -> Iterator[SampleEvent]:
    """Yield a person's events: the sign-up, then visits until they leave for good."""
    first_day = max(0, (person.created - START) // DAY)
    if person.listed and person.created >= START:
        device = draws.weighted(DEVICES)
        yield SampleEvent("Sign Up", person.distinct_id, person.created, device=device)
        if draws.chance(0.85):
            yield from _visit(draws, person, person.created + 20 + draws.below(100))
        first_day += 1
    # Whoever is going to upgrade stays, from the start, as long as people on pro do.
    stay = STAY[person.plan_at(END - 1)]
    for day in range(first_day, DAYS):
        if not draws.chance(stay):
            return
        weekday = (day + 3) % 7  # the first of January 2026 is a Thursday
        often = 0.215 * (0.85 + 0.3 * day / DAYS) * WEEKDAYS[weekday]
        if draws.chance(often * person.eagerness):
            yield from _visit(draws, person, draws.moment(day))


def _visit(draws: Draws, person: Person, start: int) -> Iterator[SampleEvent]:
    """Yield the events of one visit, seconds to minutes apart."""
    device = draws.weighted(DEVICES)
    clock = itertools.accumulate((8 + draws.below(100) for _ in itertools.count()), initial=start)

    def happens(name: str, item: str | None = None, *rest: str) -> SampleEvent:
        category = CATEGORIES[item] if item else None
        amount, products = rest or (None, None)
        time = next(clock)
        return SampleEvent(name, person.distinct_id, time, item, category, amount, device, products)

    if draws.chance(0.25):
        yield happens("Search")
    weights = {item: 5 if CATEGORIES[item] in person.interests else 1 for item in PRICES}
    seen: list[str] = []
    while not seen or draws.chance(0.55):
        seen.append(draws.weighted(weights))
        yield happens("View Item", seen[-1])
    if not draws.chance(0.36):
        if draws.chance(0.012):
            yield happens("Support Ticket")
        return
    basket = [seen[-1]]
    basket += dict.fromkeys(item for item in seen if item != seen[-1] and draws.chance(0.2))
    for item in basket:
        yield happens("Add to Cart", item)
    plan = person.plan_at(start)
    if not draws.chance(CHECK_OUT[plan]):
        return
    yield happens("Checkout Started", basket[0])
    broken = person.country == BROKEN_COUNTRY and BROKEN_FROM <= start < BROKEN_UNTIL
    if not draws.chance(0.05 if broken else PAY[plan]):
        if draws.chance(0.45 if broken else 0.02):
            yield happens("Support Ticket")
        return
    cents = sum(PRICES[item] for item in basket) * (9 if draws.chance(0.15) else 10) // 10
    yield happens("Purchase", basket[0], f"{cents // 100}.{cents % 100:02}", _json(basket))


def _misspell(draws: Draws, people: Iterable[Person], events: list[SampleEvent]) -> None:
    """Rewrite the distinct IDs of 48 of the events, as careless senders do."""
    # Not of club members, whose orders are counted in the updates too.
    listed_ids = {person.distinct_id for person in people if person.listed and not person.club}
    rows = [n for n, e in enumerate(events) if e.distinct_id in listed_ids and e.event != "Sign Up"]
    numbers = draws.some((n for n in rows if events[n].distinct_id.isdigit()), 32)
    for spelling, row in zip(itertools.cycle(["{}.0", "0{}", " {}", "{} "]), numbers):
        events[row] = events[row]._replace(distinct_id=spelling.format(events[row].distinct_id))
    for row in draws.some((n for n in rows if not events[n].distinct_id.isdigit()), 16):
        events[row] = events[row]._replace(distinct_id=events[row].distinct_id.upper())


def _update(distinct_id: object, time: int, **operators: object) -> Message:
    named = {f"${operator}": argument for operator, argument in operators.items()}
    return {"$distinct_id": distinct_id, "$time": time} | named


def _profile_changes(draws: Draws, people: Iterable[Person]) -> Iterator[Message]:
    """Yield changes of plan, and what guests wrote into the guest form."""
    names = iter(GUEST_NAMES)
    for person in people:
        who, time, name = person.distinct_id, person.created, person.row["name"]
        if person.upgraded < END:
            # Both ends of a change are sent, so that the latest plan is that of the
            # customer list whichever of the two is read first.
            yield _update(who, time, set={"plan": person.plan})
            yield _update(who, person.upgraded, set={"plan": "pro"})
        if person.standing == "late":
            time, name = _seconds(6, 15) + draws.below(14 * DAY), next(names, name)
        if person.standing == "forgotten":
            gone = draws.moment(110 + draws.below(60))
            yield _update(who, gone, delete="")
            if draws.chance(0.25):
                yield _update(who, gone + DAY, set={"$name": name, "came_back": True})
        if person.standing in ("late", "forgotten"):
            form = {"$name": name, "$email": person.row["email"], "$country_code": person.country}
            yield _update(who, time, set=form, set_once={"first_form": _iso(time)})


def _club_life(draws: Draws, people: list[Person], events: list[SampleEvent]) -> Iterator[Message]:
    """Yield what the club keeps of its members' purchases, and of some views."""
    members = {person.distinct_id for person in people if person.club}
    for event in events:
        who, time, item = event.distinct_id, event.time, event.item
        if who not in members:
            continue
        if event.event == "View Item" and draws.chance(0.08):
            yield _update(who, time, append={"recent_items": item})
        if event.amount is None:
            continue
        charge = {"$amount": float(event.amount), "$time": _iso(time)}
        counted = {"lifetime_orders": 1, "points": int(float(event.amount))}
        yield _update(who, time, add=counted, append={"$transactions": charge})
        if draws.chance(0.3):
            yield _update(who, time, set_once={"first_order": _iso(time), "first_item": item})
        if draws.chance(0.4):
            liked = [CATEGORIES[name] for name in json.loads(event.products or "[]")]
            yield _update(who, time, union={"interests": liked if draws.chance(0.7) else liked[0]})
        if draws.chance(0.2):
            yield _update(who, time, remove={"recent_items": item})
        if draws.chance(0.1):
            yield _update(who, time + HOUR, add={"points": -50, "cashback": 2.5})


def _campaigns(draws: Draws, people: Iterable[Person]) -> Iterator[Message]:
    """Yield a coupon of April, taken back in May, and a nightly job of June."""
    listed = [person.distinct_id for person in people if person.listed]
    for number, who in enumerate(draws.some(listed, 60)):
        sent, over = _seconds(4, 1) + number, _seconds(5, 1) + number
        yield _update(who, sent, set={"coupon": "SPRING10", "coupon_used": None})
        yield _update(who, over, unset="coupon" if number % 10 == 0 else ["coupon"])
    # The job knows IDs as numbers, and its updates say nothing about when someone was seen.
    for number, who in enumerate(draws.some(filter(str.isdigit, listed), 12)):
        score = _update([int, float][number % 2](who), END - 20 * HOUR, set={"score": number / 4})
        yield score | {"$ignore_time": True}


def _invalid_updates(people: Iterable[Person]) -> list[Message]:
    """Return ten messages that are JSON, and no updates."""
    who = next(person.distinct_id for person in people if person.upgraded < END)
    day = itertools.count(START + 10 * DAY + 12 * HOUR, 16 * DAY)
    return [
        _update(who, next(day), increment={"points": 5}),
        {"$time": next(day), "$set": {"plan": "basic"}},
        _update("", next(day), set={"plan": "basic"}),
        _update(who, next(day), add={"points": "ten"}),
        _update(who, next(day), delete="", set={"plan": "basic"}),
        _update(who, next(day), set=["plan", "basic"]),
        _update(True, next(day), set={"plan": "basic"}),
        _update(who, next(day), append={"plan": "basic"}),
        _update({"id": who}, next(day), set={"plan": "basic"}),
        _update(who, next(day), set={"$last_seen": "2020-01-01T00:00:00Z"}),
    ]


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def make_sample(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Return the paths of the sample files, by name, after writing them into `folder`.

    The folder is made when missing; files of the same names are overwritten. The text
    files are the same bytes every time, the Parquet file has the same content.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = make_sample(folder)
    >>> list(files)
    ['profiles_no_header', 'profiles', 'events_csv', 'events', 'updates', 'updates_broken']
    """
    draws = Draws(20_260_101)
    people = _draw_people(draws)
    events = [e for person in people for e in _live(draws, person) if e.time < END]
    events.sort(key=lambda event: event.time)
    buyers = {event.distinct_id for event in events if event.event == "Purchase"}
    for person in people:
        person.club = person.listed and person.distinct_id in buyers and draws.chance(0.105)
    updates = [*_profile_changes(draws, people), *_club_life(draws, people, events)]
    updates += [*_campaigns(draws, people), *_invalid_updates(people)]
    updates.sort(key=lambda update: update["$time"])
    _misspell(draws, people, events)

    texts = {"updates": "".join(f"{_json(update)}\n" for update in updates)}
    broken = texts["updates"].splitlines()[4 :: len(updates) // 12][:12]
    broken[3] = broken[3][:-12]
    broken[8] = broken[8].replace('"', "'")
    texts["updates_broken"] = "".join(f"{line}\n" for line in broken)
    rows = [person.row for person in people if person.listed]
    texts["profiles_no_header"] = _csv(row.values() for row in rows)
    texts["profiles"] = _csv([rows[0].keys()]) + texts["profiles_no_header"]
    texts["events_csv"] = _csv(
        [SampleEvent._fields, *([*e[:2], _iso(e.time), *e[3:]] for e in events)]
    )

    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = {name: Path(folder, file) for name, file in FILES.items()}
    for name, text in texts.items():
        paths[name].write_text(text, encoding="utf-8", newline="\n")
    frame = pd.read_csv(io.StringIO(texts["events_csv"]), dtype={"distinct_id": "str"})
    frame["time"] = pd.to_datetime(frame["time"], utc=True).dt.as_unit("us")
    frame["products"] = [e.products and json.loads(e.products) for e in events]
    frame.to_parquet(paths["events"], compression="zstd", index=False)
    return paths


def sample_files(folder: str | os.PathLike[str] | None = None) -> dict[str, Path]:
    """Return the paths of the sample files, by name, making them on the first call.

    They are kept in a subfolder of `folder`, which is by default ``profile-toolkit`` in
    ``$XDG_CACHE_HOME`` or ``~/.cache``. The subfolder is named after this module's own
    text, so that a new version of it makes new files. Where that place cannot be written
    to, they are in a temporary folder until Python ends.

    Raises
    ------
    WriteError
        If the folder given cannot be written to; :class:`OSError` too.
    """
    if folder is not None:
        try:
            return _sample_files(Path(folder))
        except OSError as error:
            raise WriteError(
                f"the sample files cannot be made in {os.fspath(folder)}: "
                f"{error.strerror or error}. Give another folder"
            ) from error
    with contextlib.suppress(OSError, RuntimeError):  # the latter if there is no home
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        # The XDG specification has relative paths ignored.
        return _sample_files(
            (cache if cache.is_absolute() else Path.home() / ".cache") / "profile-toolkit"
        )
    try:
        return _sample_files(Path(_temporary_folder().name))
    except OSError as error:
        raise WriteError(
            f"the sample files can be made neither in the cache of this user nor in a temporary "
            f"folder: {error.strerror or error}. Name a folder: sample_files(folder)"
        ) from error


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="profile-toolkit-")
    atexit.register(folder.cleanup)  # left to its finalizer, Python warns of it
    return folder


def _sample_files(folder: Path) -> dict[str, Path]:
    source = resources.files(__package__).joinpath("sample.py").read_bytes()
    kept = folder / f"sample-{hashlib.sha256(source).hexdigest()[:12]}"
    paths = {name: Path(kept, file) for name, file in FILES.items()}

    def complete() -> bool:
        return all(path.is_file() for path in paths.values())

    if not complete():
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Written next to it and renamed, so that a run that is killed leaves no partial sample.
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".sample-") as making:
            make_sample(Path(making, "made"))
            if not complete():
                shutil.rmtree(kept, ignore_errors=True)
            try:
                Path(making, "made").rename(kept)
            except OSError:
                # Another run may have been first; its files are the same.
                if not complete():
                    raise
    return paths
