"""All forms in tabs, on the same profiles and events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from toolkit.events import AnyEvents, Events, as_events
from toolkit.forms.csv.form import CsvImport
from toolkit.forms.editor.editor import ProfileEditor
from toolkit.forms.lab.form import OperatorLab
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.form import Form
from toolkit.forms.report.form import ReportBuilder
from toolkit.forms.users.form import Users
from toolkit.profiles import ProfileTable, as_table
from toolkit.sources import import_csv, parquet_frame, preview_csv, read_messages, sample_files

if TYPE_CHECKING:
    from toolkit.forms.parts.guarded import Widget

#: The forms that are about one table at a time.
_OF_ONE_TABLE: Final = ("Users", "Edit a profile", "Import a CSV")
#: Its codes are those of the reserved property, which the sample messages write too.
_COUNTRY: Final = {"country": "$country_code"}


class Workbench(Form):
    """All forms in tabs; made by :func:`workbench`.

    Attributes
    ----------
    profiles, events
        What the forms are about.
    forms
        The forms opened so far, by the name of their tab.
    """

    def __init__(self, profiles: ProfileTable, events: Events | None, message: str = "") -> None:
        self.profiles, self.events = as_table(profiles), events
        self.forms: dict[str, Widget] = {}
        self._group_key = ""
        self._makers: dict[str, Callable[[], Widget]] = self._tabs()
        self._places = [guarded.VBox() for _ in self._makers]
        self.tabs = guarded.Tab(self._places, titles=list(self._makers))
        note = parts.Note()
        note.show(message)
        # Only where there is a choice.
        tables = [("Users", ""), *((f"Groups: {key}", key) for key in profiles.group_keys)]
        self.whose = parts.dropdown("Profiles of", tables, "", width="260px")
        self.whose.layout.display = "" if len(tables) > 1 else "none"
        super().__init__("Workbench", [note, self.whose, self.tabs])
        self.whose.observe(lambda change: self.show_groups(change["new"]), "value")
        self.tabs.observe(self._opened, "selected_index")
        self._opened()

    def _tabs(self) -> dict[str, Callable[[], Widget]]:
        return {
            "Users": lambda: Users(self.shown, self._events_of_shown),
            "Edit a profile": lambda: ProfileEditor(self.shown),
            "Import a CSV": lambda: CsvImport(self.shown, keeps_table=True),
            "Report": lambda: ReportBuilder(self.events, self.profiles),
            "Operator lab": OperatorLab,
        }

    @property
    def shown(self) -> ProfileTable:
        """The profiles that are listed, edited and imported: of users, or of groups."""
        return self.profiles.groups(self._group_key) if self._group_key else self.profiles

    @property
    def _events_of_shown(self) -> Events | None:
        """The events, None if they do not name the groups that are shown."""
        key, events = self._group_key, self.events
        return events if events is None or not key or key in events.properties else None

    def show_groups(self, group_key: str) -> None:
        """List, edit and import the profiles of a group key; "" is the users.

        Reports are of both at any time.
        """
        if group_key == self._group_key:
            return
        self._group_key = group_key
        self.whose.value = group_key
        for name in _OF_ONE_TABLE:
            form = self.forms.pop(name, None)
            if form is not None:
                self._places[list(self._makers).index(name)].children = []
                form.close()
        self.tabs.set_title(0, "Users" if not group_key else f"Groups: {group_key}")
        self._opened()

    def go_to(self, name: str) -> Any:
        """Bring a tab to the front and return its form.

        Parameters
        ----------
        name
            What is on the tab.
        """
        self.tabs.selected_index = list(self._makers).index(name)
        return self.forms[name]

    def _opened(self, _: object = None) -> None:
        """Make the form of the tab in front when it is first seen, look again when it was."""
        place = self.tabs.selected_index
        if place is None:
            return
        name = list(self._makers)[place]
        form = self.forms.get(name)
        if form is None:
            form = self.forms[name] = self._makers[name]()
            self._places[place].children = [form]
        elif hasattr(form.state, "refresh"):
            form.state.refresh()

    def __repr__(self) -> str:
        return f"<Workbench on {self.profiles!r}>"


def workbench(profiles: ProfileTable | None = None, events: AnyEvents | None = None) -> Workbench:
    """Return all forms in tabs: browse users, edit, import, report, learn the operators.

    Parameters
    ----------
    profiles
        The profiles to work on. None opens the sample data: the profiles and events of
        a made-up shop, in memory, so nothing on disk is changed.
    events
        The events, an :class:`~toolkit.Events` or a DataFrame with the usual column
        names.

    Examples
    --------
    >>> bench = workbench()
    >>> len(bench.profiles)
    1864
    >>> bench.go_to("Edit a profile").state.open("1001")
    """
    note = ""
    if profiles is None:
        files = sample_files()
        profiles = ProfileTable()
        mapping = preview_csv(files["profiles"]).mapping
        mapping = {at: _COUNTRY.get(name, name) for at, name in mapping.items()}
        # What the shop knew before its first event, so that the past can be looked at.
        import_csv(profiles, files["profiles"], mapping, time="2024-12-31", progress=False)
        profiles.apply(read_messages(files["updates"]), source="sample messages", progress=False)
        if events is None:
            events = Events(parquet_frame(files["events"]))
        note = (
            "This is the sample data of a made-up shop, in memory. For your own: "
            "tk.workbench(tk.ProfileTable('shop.db'), events)."
        )
    return Workbench(profiles, None if events is None else as_events(events), note)
