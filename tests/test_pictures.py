"""Pictures of reports: readable on every page, and clickable."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

import toolkit as tk
from toolkit import user
from toolkit.base.errors import ReportError
from toolkit.reports.drawing import ink, plots

DAYS = [f"2026-05-{day:02d}T10:00Z" for day in (1, 1, 1, 2, 3, 3)]


@pytest.fixture
def events() -> pd.DataFrame:
    ids = ["ann", "ann", "bob", "bob", "eve", "ann"]
    return pd.DataFrame({"event": "Buy", "distinct_id": ids, "time": DAYS})


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply(
        [
            {"$distinct_id": "ann", "$set": {"plan": "pro"}},
            {"$distinct_id": "bob", "$set": {"plan": "free"}},
        ]
    )
    return table


@pytest.fixture(autouse=True)
def _no_figures_left() -> Iterator[None]:
    settings, figures = dict(mpl.rcParams), plt.get_fignums()
    yield
    assert dict(mpl.rcParams) == settings
    assert plt.get_fignums() == figures


def luminance(colour: Any) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Any, second: Any) -> float:
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("unit", ["day", None])
@pytest.mark.parametrize(
    ("dark", "grounds"), [(True, ["#111111", "#212121"]), (False, ["#FFFFFF"])]
)
def test_words_and_marks_can_be_read_on_a_page_of_either_kind(
    events: pd.DataFrame, profiles: tk.ProfileTable, dark: bool, grounds: list[str], unit: Any
) -> None:
    report = tk.segmentation(events, profiles, "Buy", by=user["plan"], unit=unit)
    drawn: list[Figure] = []

    def plot(ax: Any) -> None:
        drawn.append(report.plot(ax).figure)

    plots.draw_picture(plot, dark=dark)
    texts = [text for text in drawn[0].findobj(mpl.text.Text) if text.get_text()]
    assert len(texts) > 5
    for ground in grounds:
        for text in texts:
            assert contrast(text.get_color(), ground) >= 4.5, text.get_text()


def test_on_a_dark_page_every_colour_of_the_palette_stands_out() -> None:
    for ground in ("#111111", "#212121"):
        assert min(contrast(colour, ground) for colour in ink.ON_DARK.palette) >= 3


def test_a_plot_in_a_dark_style_takes_the_colours_for_dark_pages(
    events: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(events, profiles, "Buy", by=user["plan"])

    def colours() -> set[str]:
        ax = report.plot(Figure().add_subplot())
        return {to_hex(line.get_color()).upper() for line in ax.lines} - {ink.GREY}

    assert colours() == set(ink.ON_LIGHT.palette[:2])
    with plt.style.context("dark_background"):
        assert colours() == set(ink.ON_DARK.palette[:2])


def test_a_transparent_picture_has_no_ground_and_an_opaque_one_that_of_its_page(
    events: pd.DataFrame,
) -> None:
    report = tk.segmentation(events, None, "Buy")
    for dark, wanted in ((True, ink.ON_DARK.ground), (False, "#FFFFFF")):
        clear = plt.imread(io.BytesIO(plots.as_png(report.plot, dark=dark)))
        assert clear[0, 0, 3] == 0
        opaque = plt.imread(io.BytesIO(plots.as_png(report.plot, transparent=False, dark=dark)))
        assert to_hex(opaque[0, 0]).upper() == wanted


def test_a_picture_keeps_its_size_whatever_the_users_style(events: pd.DataFrame) -> None:
    report = tk.segmentation(events, None, "Buy")
    with mpl.rc_context({"savefig.bbox": "tight", "savefig.dpi": 50}):
        image = plt.imread(io.BytesIO(plots.as_png(report.plot)))
    assert image.shape[:2] == (plots.PICTURE_WIDTH, 2 * plots.PICTURE_WIDTH)


# -- what stands where ----------------------------------------------------------------------


def centre(picture: plots.Picture, place: int) -> tuple[float, float]:
    left, top, right, bottom = picture.spots.boxes[place]
    return (left + right) / 2, (top + bottom) / 2


@pytest.mark.parametrize("unit", ["day", "week", None])
@pytest.mark.parametrize("by", [user["plan"], None])
def test_every_place_in_a_picture_stands_for_the_users_of_its_number(
    events: pd.DataFrame, profiles: tk.ProfileTable, by: Any, unit: Any
) -> None:
    report = tk.segmentation(events, profiles, "Buy", by=by, unit=unit, measure="unique")
    picture = plots.draw_picture(report.plot)
    assert len(picture.spots) == len(report.table)
    for place in range(len(picture.spots)):
        cell = picture.spots.cell(place)
        assert cell is not None
        row = next(at for at in range(len(report.table)) if report.cell(at) == cell)
        value = int(report.table["count"][row])
        assert len(report.users(**cell)) == value
        assert picture.spots.words(place).endswith(f"{value}")


def test_a_point_is_where_its_colour_is(events: pd.DataFrame) -> None:
    picture = plots.draw_picture(tk.segmentation(events, None, "Buy").plot, dark=False)
    image = plt.imread(io.BytesIO(picture.png))
    for place in range(len(picture.spots)):
        x, y = centre(picture, place)
        pixel = image[int(y * image.shape[0]), int(x * image.shape[1])]
        assert to_hex(pixel[:3]).upper() == ink.ON_LIGHT.palette[0]


def test_a_click_takes_the_nearest_place_and_none_far_away(events: pd.DataFrame) -> None:
    report = tk.segmentation(events, None, "Buy")
    picture = plots.draw_picture(report.plot)
    x, y = centre(picture, 1)
    near = picture.spots.nearest(x + 0.005, y - 0.01, within=0.03, aspect=picture.aspect)
    assert near == 1
    assert picture.spots.nearest(0.5, 0.99, within=0.01, aspect=picture.aspect) is None


def test_all_the_way_beside_a_bar_stands_for_it(
    events: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(events, profiles, "Buy", by=user["plan"], unit=None)
    picture = plots.draw_picture(report.plot)
    _, y = centre(picture, 1)
    place = picture.spots.nearest(0.9, y, within=0.01, aspect=picture.aspect)
    assert place == 1
    assert picture.spots.cell(1) == {"segment": report.table["user.plan"][1]}


def test_what_stands_for_several_segments_has_no_cell() -> None:
    names = [f"s{n:02d}" for n in range(20)]
    df = pd.DataFrame({"event": "Buy", "distinct_id": names, "time": DAYS[0], "x": names})
    picture = plots.draw_picture(tk.segmentation(df, None, "Buy", by="x").plot)
    cells = [picture.spots.cell(place) for place in range(len(picture.spots))]
    assert cells.count(None) == 1
    assert picture.spots.words(cells.index(None)) == "other (12 segments), 2026-05-01: 12"


def test_a_picture_of_nothing_has_no_places(events: pd.DataFrame) -> None:
    report = tk.segmentation(events[:0], None, "Buy")
    assert report.is_empty
    picture = plots.draw_picture(report.plot)
    assert len(picture.spots) == 0
    assert picture.spots.nearest(0.5, 0.5, within=1, aspect=0.5) is None


def test_a_report_of_zeros_is_empty_and_one_with_a_number_is_not(events: pd.DataFrame) -> None:
    assert tk.segmentation(events, None, "Sell").is_empty
    assert not tk.segmentation(events, None, "Buy").is_empty


def test_a_row_that_is_not_there_has_no_cell(events: pd.DataFrame) -> None:
    report = tk.segmentation(events, None, "Buy")
    assert report.cell(2) == {"time": pd.Timestamp("2026-05-03", tz="UTC")}
    for row in (-1, 3):
        with pytest.raises(ReportError, match=f"row={row}; the table has 3 rows"):
            report.cell(row)


def test_a_line_may_have_gaps() -> None:
    starts = pd.date_range("2026-05-01", periods=3, tz="UTC")
    values = np.array([1.0, np.nan, 3.0])

    def plot(ax: Any) -> None:
        cell = {"title": "", "of": "x", "by": "", "cell": lambda _, at: {"at": at}}
        plots.lines(ax, starts, [("", values)], **cell)

    picture = plots.draw_picture(plot)
    x, y = centre(picture, 2)
    assert picture.spots.nearest(x, y, within=0.01, aspect=picture.aspect) == 2


def test_on_axes_of_ones_own_all_that_is_drawn_can_be_seen(
    events: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    priced = events.assign(amount=[-5, 3, -7, 4, -1, -9])
    two_days = {"start": "2026-05-02", "end": "2026-05-03"}
    reports = {
        "funnel": tk.funnel(events, profiles, ["Buy", "Buy"], by=user["plan"]),
        "lifecycle": tk.lifecycle(events, None, unit="day"),
        "negative": tk.segmentation(
            priced, profiles, "Buy", measure="sum", of="amount", by=user["plan"]
        ),
        "compared": tk.segmentation(
            events, profiles, "Buy", by=user["plan"], compare="previous", **two_days
        ),
    }
    assert (reports["lifecycle"].table.query("status == 'dormant'")["count"] > 0).any()
    for name, report in reports.items():
        ax = Figure().subplots(1, 2)[0]
        alone = report.plot(Figure(layout="constrained").subplots())
        report.plot(ax)
        assert ax.get_legend() is not None, name
        low, high = sorted(ax.get_ylim())
        assert low <= ax.dataLim.y0, name
        assert high >= ax.dataLim.y1, name
        assert ax.yaxis_inverted() == alone.yaxis_inverted(), name


def test_what_is_incomplete_is_said_once(events: pd.DataFrame) -> None:
    report = tk.segmentation(
        events, None, "Buy", unit="week", start="2026-04-23T12:00", end="2026-05-05"
    )
    for kind in ("line", "stacked"):
        label = report.plot(Figure().add_subplot(), kind=kind).get_xlabel()
        assert label == "time (UTC); shaded: incomplete", kind
