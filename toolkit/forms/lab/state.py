"""What the operator lab holds and does; the page in front of it only shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from traitlets import Bool, HasTraits, Instance, Int, List, Tuple, Unicode, observe

from toolkit.base import (
    NO_TIME,
    ArgumentError,
    InvalidTimeError,
    JsonTextError,
    ToolkitError,
    did_you_mean,
    glimpse,
    times,
)
from toolkit.forms.lab.guess import GUESSES_OF_SEEN, misses, read_profile, shown_of
from toolkit.forms.lab.message import MessageRow, Parts, put_together, read_number, taken_apart
from toolkit.forms.lab.presets import PRESETS, SAMPLE, Preset
from toolkit.forms.lab.trial import Trial, run
from toolkit.forms.parts.json_text import laid_out, read_json, read_several, sayable
from toolkit.updates import Profile, operators_of

#: A list has at most so many messages, as a request to the endpoint has.
MOST_MESSAGES: Final = 2_000


class OperatorLabState(HasTraits):
    """A profile, a list of messages, and what the message looked at does to it.

    Texts are the learner's, kept as typed even where they cannot be read. Results
    follow them at once.

    Attributes
    ----------
    profile_text
        The profile before the first message: a JSON object, or null for none.
    updated_at, arrival
        Its Updated At ("" for never), and when the first message arrives.
    texts, position, message_text
        The messages as JSON, which one is looked at (from 0), and its text.
    parts, row_errors
        The same message taken apart for a form, and what is wrong with its rows.
    preset, question
        The case looked at, as long as nothing of it was edited, and what it asks.
    trial
        What the message does; None where something cannot be read or the learner has
        not guessed yet.
    before, before_seen, address
        The profile the message is addressed to, before it.
    waiting
        Why there is no result, in words.
    predict, guess_text, guess_seen, mark, misses, right, asked
        The guess: ``mark`` is "", "right", "wrong" or "shown"; ``misses`` says where it
        differs; the score is ``right`` of ``asked``.
    """

    profile_text = Unicode()
    profile_error = Unicode()
    updated_at = Unicode()
    updated_at_error = Unicode()
    arrival = Unicode()
    arrival_error = Unicode()

    texts: Any = Tuple()
    position = Int(0)
    message_text = Unicode()
    message_error = Unicode()
    parts: Any = Instance(Parts, Parts())
    row_errors: Any = List(Unicode())

    preset = Unicode()
    question = Unicode()
    load_error = Unicode()
    note = Unicode()

    trial: Any = Instance(Trial, allow_none=True)
    before: Any = Instance(Mapping, allow_none=True)
    before_seen = Int(NO_TIME)
    address: Any = Tuple(default_value=("", ""))
    waiting = Unicode()
    #: Counts the results, so that a page knows when to look again.
    changes = Int(0)

    predict = Bool(False)
    guess_text = Unicode()
    guess_seen = Unicode()
    guess_error = Unicode()
    mark = Unicode()
    misses: Any = List(Unicode())
    right = Int(0)
    asked = Int(0)

    def __init__(self, preset: str = "") -> None:
        super().__init__()
        #: Whether several traits are being changed as one.
        self.busy = False
        #: Whether the message's text was typed; else it was loaded, or composed by form.
        self.typed = False
        self._trials: list[Trial] = []
        self._marks: dict[str, tuple[str, list[str]]] = {}
        self._guesses: dict[str, tuple[str, str]] = {}
        self._asking = ""
        self._place = -1
        self._sound = ["null", "{}"]
        self._unreadable: int | None = None
        self._read: dict[str, Any] = {}
        is_default = isinstance(preset, str) and not preset
        self.load_preset(next(iter(PRESETS)) if is_default else preset)

    # The profile and the messages

    def load_preset(self, name: str) -> None:
        """Take the profile and the messages of a case that surprises.

        Raises
        ------
        ArgumentError
            If there is no such case; the message lists those there are.
        """
        if not isinstance(name, str) or name not in PRESETS:
            names = "".join(f"\n  {each}" for each in PRESETS)
            raise ArgumentError(
                f'there is no case "{glimpse(name)}".{did_you_mean(glimpse(name), PRESETS)} '
                f"There are:{names}"
            )
        self._load(PRESETS[name], name)

    def load_sample(self) -> None:
        """Take a list of messages to step through."""
        self._load(SAMPLE)

    def load_messages(self, text: str) -> None:
        """Take the messages of a JSON array, of JSON Lines, or one message.

        Where the text cannot be read, ``load_error`` says why, and nothing changes.
        """
        try:
            messages = read_several(text, nan=True)
        except JsonTextError as error:
            self.load_error = str(error)
            return
        if not messages:
            self.load_error = "there is no message; paste a JSON list, or one message per line"
        elif len(messages) > MOST_MESSAGES:
            self.load_error = (
                f"{len(messages):,} messages; the lab takes {MOST_MESSAGES:,} at most. "
                "For more there is profiles.apply(tk.read_messages(path))."
            )
        else:
            as_now = Preset("", None, (), self.updated_at, self.arrival)
            self._take(messages, self.profile_text, as_now, "")

    def _load(self, preset: Preset, name: str = "") -> None:
        text = laid_out(None if preset.profile is None else dict(preset.profile))
        self._take(preset.messages, text, preset, name)

    def _take(self, messages: Sequence[Any], profile: str, preset: Preset, name: str) -> None:
        self.busy = True
        try:
            self.profile_text = profile
            self.updated_at, self.arrival = preset.updated_at, preset.arrival
            self.texts = tuple(map(laid_out, messages))
            self.position = 0
            self.question, self.preset = preset.question, name
            self.load_error = self.note = ""
            self._place = -1
            self._show_message()
        finally:
            self.busy = False
        self._work_out()

    # Stepping

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """For each message its ID, its operators, and what became of it.

        That is the verdict of a :class:`Trial`, "unreadable", or "" where it is not
        known, or not to be known yet.
        """
        cards = []
        for index, text in enumerate(self.texts):
            trial = self._trials[index] if index < len(self._trials) else None
            message = self._read.get(text)
            names = message if isinstance(message, Mapping) else {}
            operators = sayable(", ".join(map(str, operators_of(names))))
            address = "" if trial is None else trial.address[1]
            verdict = "" if trial is None or self._is_hidden(trial) else trial.verdict
            if index == self._unreadable:
                address, verdict = "", "unreadable"
            cards.append((address, operators, verdict))
        return cards

    @property
    def messages(self) -> list[Any]:
        """The messages, as ``profiles.apply`` takes them, up to one that cannot be read."""
        return self._messages()[0]

    def next(self) -> None:
        """Look at the next message."""
        self.go(self.position + 1)

    def back(self) -> None:
        """Look at the message before."""
        self.go(self.position - 1)

    def go(self, position: int) -> None:
        """Look at a message, unless something unfinished would be lost or given away."""
        self.note = ""
        if not 0 <= position < len(self.texts) or position == self.position:
            return
        unfinished = next(filter(None, self.row_errors), "")
        if unfinished:
            self.note = f"This message is not finished: {unfinished}."
            return
        skipped = self._trials[self.position : position] if not self.waiting else []
        hidden = next((trial for trial in skipped if self._is_hidden(trial)), None)
        if hidden is not None:
            self.note = (
                f"Step {position + 1} would show what message {hidden.index + 1} did. "
                "Check a guess for it first, or choose Show me."
            )
            return
        self.busy = True
        try:
            self.position = position
            self._show_message()
        finally:
            self.busy = False
        self._work_out()

    def add_message(self) -> None:
        """Put a new message behind the one looked at, and look at it."""
        if len(self.texts) >= MOST_MESSAGES:
            self.note = f"The lab takes {MOST_MESSAGES:,} messages at most."
            return
        key, name = self.address
        to = {"$group_key": key, "$group_id": name} if key else {"$distinct_id": name}
        text = laid_out({**to, "$set": {"plan": "pro"}})
        place = self.position + 1
        self.texts = (*self.texts[:place], text, *self.texts[place:])
        self._work_out()
        self.go(place)

    def drop_message(self) -> None:
        """Take the message looked at out of the list, unless it is the only one."""
        if len(self.texts) == 1:
            self.note = "This is the only message; edit it instead."
            return
        place = self.position
        self.busy = True
        try:
            self.texts = (*self.texts[:place], *self.texts[place + 1 :])
            self.position = min(place, len(self.texts) - 1)
            self.note = ""
            self._show_message()
        finally:
            self.busy = False
        self._work_out()

    # The message as a form

    def edit(self, **changed: Any) -> None:
        """Change the message as a form does: ``id``, ``time``, ``ignore_time``, ``rows``."""
        if self.message_error or self.parts.refusal:
            self.note = self.parts.refusal or "Correct the message's JSON first."
            return
        if "rows" in changed:
            changed["rows"] = tuple(MessageRow(*row) for row in changed["rows"])
        parts = self.parts._replace(**changed)
        self.preset = ""
        message, errors = put_together(parts, self._read.get(self.message_text, {}))
        self.busy = True
        try:
            self.parts, self.row_errors = parts, errors
            if not any(errors):
                self.message_text = laid_out(message)
                self._keep_text()
                self._read_message(self.message_text)
        finally:
            self.busy = False
        self._work_out()

    def edit_row(self, place: int, **changed: str) -> None:
        """Change ``operator``, ``name`` or ``value`` of one row."""
        rows = list(self.parts.rows)
        rows[place] = rows[place]._replace(**changed)
        self.edit(rows=rows)

    def add_row(self, operator: str = "$set", name: str = "", value: str = "") -> None:
        """Add a row to the message."""
        self.edit(rows=[*self.parts.rows, MessageRow(operator, name, value)])

    def drop_row(self, place: int) -> None:
        """Take a row out of the message."""
        self.edit(rows=[row for at, row in enumerate(self.parts.rows) if at != place])

    def cancel(self) -> None:
        """Give up what is unfinished: back to the last text that could be read."""
        if self.profile_error:
            self.profile_text = self._sound[0]
        if self.message_error:
            self.message_text = self._sound[1]
        if any(self.row_errors):
            self._take_apart()
            self._work_out()
        self.note = ""

    def _show_message(self) -> None:
        """Show the message at the position, as text and as a form."""
        self.typed = False
        self.message_text = self.texts[self.position]
        self._take_apart()

    def _take_apart(self) -> None:
        self.row_errors = []
        try:
            message = self._read_message(self.message_text)
        except JsonTextError as error:
            self.message_error = str(error)
            return
        self.message_error = ""
        self._sound[1] = self.message_text
        self.parts = taken_apart(message)

    def _keep_text(self) -> None:
        place = self.position
        self.texts = (*self.texts[:place], self.message_text, *self.texts[place + 1 :])

    def _read_message(self, text: str) -> Any:
        if text not in self._read:
            self._read[text] = read_json(text, nan=True)
        return self._read[text]

    @observe("message_text")
    def _message_was_typed(self, change: object) -> None:
        if self.busy:
            return
        self.preset = ""
        self.typed = True
        self._keep_text()
        self._take_apart()
        self._work_out()

    @observe("profile_text", "updated_at", "arrival", "predict")
    def _something_was_typed(self, change: Any) -> None:
        if self.busy:
            return
        if change["name"] != "predict":
            self.preset = ""
        self._work_out()

    # The result

    def _work_out(self) -> None:
        """Follow what was typed."""
        profile = self._profile()
        seen = self._moment("updated_at", never=True)
        arrival = self._moment("arrival", never=False)
        messages, unreadable = self._messages()
        self._trials = []
        if not (self.profile_error or self.updated_at_error or self.arrival_error):
            # A message that cannot be read still has a profile before it.
            shown = messages if unreadable is None else [*messages, None]
            self._trials = run(shown, profile, seen, arrival)
        self._unreadable = unreadable
        self.waiting = self._why_waiting(unreadable)
        at = self.position
        trial = None
        if at < len(self._trials):
            trial = self._trials[at]
            self.before, self.before_seen = trial.before, trial.seen_before
            self.address = trial.address
        if self.waiting:
            trial = None
        self._ask(trial)
        self.changes += 1

    def _ask(self, trial: Trial | None) -> None:
        """Show the result, or hide it until there is a guess."""
        asking = trial.question if trial is not None and self.predict else ""
        if asking and asking != self._asking:
            if self._asking:
                self._guesses[self._asking] = (self.guess_text, self.guess_seen)
            # Where only the message was edited, what was typed of a guess stays.
            begun = (self.guess_text, self.guess_seen) if self._place == self.position else ("", "")
            self.guess_text, self.guess_seen = self._guesses.get(asking, begun)
            self.guess_error = ""
            self._asking, self._place = asking, self.position
        self.mark, self.misses = self._marks.get(asking, ("", []))
        self.trial = None if trial is None or self._is_hidden(trial) else trial

    def _profile(self) -> Profile | None:
        self.profile_error = ""
        try:
            profile = read_profile(self.profile_text) if self.profile_text.strip() else None
            self._sound[0] = self.profile_text
            return profile
        except ToolkitError as error:
            self.profile_error = str(error)
            return None

    def _moment(self, name: str, *, never: bool) -> int:
        text = getattr(self, name).strip()
        setattr(self, f"{name}_error", "")
        if never and not text:
            return NO_TIME
        try:
            is_number = text.lstrip("-").replace(".", "", 1).isdigit()
            return times.parse_time(read_number(text) if is_number else text)
        except InvalidTimeError:
            or_empty = ", or nothing if there is none" if never else ""
            setattr(
                self,
                f"{name}_error",
                f"{text[:40]!r} is not a time; write it as 2026-03-01T12:00:00Z{or_empty}",
            )
            return NO_TIME

    def _messages(self) -> tuple[list[Any], int | None]:
        """Return the messages up to the first that cannot be read, and the place of that one."""
        values: list[Any] = []
        for place, text in enumerate(self.texts):
            try:
                values.append(self._read_message(text))
            except JsonTextError:
                return values, place
        # What was typed on the way is forgotten.
        self._read = {text: self._read[text] for text in self.texts}
        return values, None

    def _why_waiting(self, unreadable: int | None) -> str:
        if self.profile_error:
            return "The result follows when the profile can be read."
        if self.updated_at_error or self.arrival_error:
            return "The result follows when the times can be read."
        if any(self.row_errors):
            return "The result follows when the message is finished."
        if unreadable == self.position:
            return "The result follows when the message can be read."
        if unreadable is not None and unreadable < self.position:
            return f"Message {unreadable + 1} cannot be read. Go back and correct it."
        return ""

    # The guess

    def _is_hidden(self, trial: Trial) -> bool:
        return self.predict and trial.question not in self._marks

    def guess(self, text: str | None = None, seen: str | None = None) -> None:
        """Compare a guess with the result; a guess that cannot be read costs nothing.

        Parameters
        ----------
        text
            The profile expected, as JSON; null for none. By default what is in
            ``guess_text``.
        seen
            "moves" or "stays": what is expected of Updated At; "" leaves it out.
        """
        self.guess_text = self.guess_text if text is None else text
        self.guess_seen = self.guess_seen if seen is None else seen
        trial = self._asked_trial()
        if trial is None:
            return
        self.guess_error = ""
        if not self.guess_text.strip():
            self.guess_error = "type the profile you expect; null means that there is none"
            return
        if self.guess_seen not in GUESSES_OF_SEEN:
            self.guess_error = f'Updated At "moves" or "stays", not {self.guess_seen!r}'
            return
        try:
            expected = read_profile(self.guess_text)
        except ToolkitError as error:
            self.guess_error = str(error)
            return
        sentences = misses(expected, self.guess_seen, trial)
        self._settle(trial, "wrong" if sentences else "right", sentences)

    def show(self) -> None:
        """Show the result without a guess; it counts as asked."""
        trial = self._asked_trial()
        if trial is not None and self._is_hidden(trial):
            self._settle(trial, "shown", [])

    def copy_before(self) -> None:
        """Begin the guess with the profile as it was."""
        self.guess_text = laid_out(shown_of(self.before))

    def reset_score(self) -> None:
        """Begin again: no point, and every result hidden."""
        self._marks.clear()
        self._guesses.clear()
        self._asking = ""
        self.right = self.asked = 0
        self.guess_text = self.guess_seen = ""
        self._work_out()

    def _asked_trial(self) -> Trial | None:
        if not self.predict:
            self.guess_error = "the result is shown already; turn on Predict first"
        elif self.waiting:
            self.guess_error = self.waiting
        else:
            return self._trials[self.position]
        return None

    def _settle(self, trial: Trial, mark: str, misses: list[str]) -> None:
        if self._is_hidden(trial):  # Another try at what was shown counts no more.
            self.asked += 1
            self.right += mark == "right"
        self.note = ""
        self._marks[trial.question] = (mark, misses)
        self._work_out()
