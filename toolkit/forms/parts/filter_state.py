"""What a filter form knows: rows of conditions, or the text of an expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from traitlets import Enum as OneOf, HasTraits, Instance, Int, List, Unicode

from toolkit.base import HIDDEN, ArgumentError, ToolkitError, did_you_mean, sentence
from toolkit.expressions import And, Expression, Or, Property, parse, require_closed
from toolkit.reports import COHORT, Choices, Suggestions, condition, label_of, operators, spelled

NOTHING: Final = Suggestions("none", "none", ())


class FilterRow(HasTraits):
    """One condition: a property, an operator, a value.

    Attributes
    ----------
    prop
        The label of a property, such as ``"user.plan"``, or of a saved cohort, such as
        ``"cohort.Paying"``; empty for none yet.
    operator
        The name of an operator that fits the property.
    value
        What was typed.
    error
        What is wrong with the row, in words; empty if it is well, or not finished.
    hint
        What is still missing, in words.
    """

    prop = Unicode("")
    operator = Unicode("is")
    value = Unicode("")
    error = Unicode("")
    hint = Unicode("")

    def __init__(self, choices: Callable[[], Choices], **traits: str) -> None:
        self._choices = choices
        super().__init__(**traits)
        if not self.operator:  # one that was passed stays, so that an error can name it
            self.operator = self.operators[0]
        self.observe(lambda _: self._fit(), "prop")
        self.read()

    @property
    def about(self) -> Suggestions:
        """What is known of the property."""
        choice = self._choices().properties.get(self.prop)
        return NOTHING if choice is None else self._choices().about(choice.property)

    @property
    def operators(self) -> tuple[str, ...]:
        """The names of the operators that fit."""
        return tuple(each.name for each in operators(self.about))

    @property
    def takes_value(self) -> bool:
        """Whether the operator needs a value."""
        return self._takes != "none"

    @property
    def _takes(self) -> str:
        kinds = (each.takes for each in operators(self.about) if each.name == self.operator)
        return next(kinds, "one")

    @property
    def suggestions(self) -> tuple[str, ...]:
        """What to type for frequent values."""
        about = self.about
        type_ = about.element if about.type == "list" else about.type
        several = self._takes == "several"
        return tuple(spelled(value, type_, among_several=several) for value in about.values)

    def _fit(self) -> None:
        # Another property of the same type keeps the operator.
        if self.operator not in self.operators:
            self.operator = self.operators[0]

    def read(self) -> Expression | None:
        """Return the condition, None if it is unfinished or wrong; say so in the traits."""
        made, self.error, self.hint = self._read()
        return made

    def _read(self) -> tuple[Expression | None, str, str]:
        """Return the condition, what is wrong, and what is missing."""
        if not self.prop:
            return None, "", "Choose a property; until then this row does not count."
        choice = self._choices().properties.get(self.prop)
        if choice is None:
            if self.prop.partition(".")[2] in HIDDEN:
                reason = f'"{self.prop}" is hidden from every form.'
            elif self.prop.startswith(COHORT):
                reason = f'No cohort is saved as "{self.prop.removeprefix(COHORT):.60}".'
            else:
                reason = f'There is no property "{self.prop:.60}".'
            return None, f"{reason} Choose one of the list.", ""
        if self.takes_value and not self.value.strip():
            return None, "", "Give a value; until then this row does not count."
        try:
            return condition(choice.property, self.operator, self.value, self.about), "", ""
        except ToolkitError as error:
            return None, sentence(str(error)), ""


class FilterState(HasTraits):
    """A filter: rows joined by and/or, or the text form for those who know it.

    Attributes
    ----------
    mode
        ``"rows"`` or ``"text"``: which of the two counts.
    join
        ``"and"`` or ``"or"``: how the rows are joined.
    rows
        The rows.
    text
        The text form.
    error
        What is wrong with the text, in words, with a mark under the place; or with the
        filter as a whole, where :meth:`refuse` said so.
    condition
        What the filter comes to; None if it lets everything through, or is wrong.
    revision
        Goes up when there may be something else to choose from.
    """

    mode = OneOf(["rows", "text"], "rows")
    join = OneOf(["and", "or"], "and")
    rows = List(Instance(FilterRow))
    text = Unicode("")
    error = Unicode("")
    condition = Instance(Expression, allow_none=True)
    revision = Int(0)

    def __init__(self, choices: Callable[[], Choices]) -> None:
        super().__init__()
        self._choices = choices
        self._listeners: list[Callable[[], None]] = []
        self._is_quiet = False
        self.observe(lambda _: self.changed(), ["join", "rows", "text", "mode"])

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call *listener* after each change of what the filter says."""
        self._listeners.append(listener)

    @property
    def offered(self) -> dict[str, str]:
        """What a person reads for each property that may be chosen, none at first."""
        properties = self._choices().properties
        return {"": "Choose a property", **{each: properties[each].label for each in properties}}

    @property
    def is_right(self) -> bool:
        """Whether nothing in what counts is wrong; unfinished rows are not."""
        if self.error:
            return False
        return self.mode == "text" or not any(row.error for row in self.rows)

    def add(self, prop: str = "", operator: str = "", value: str = "") -> FilterRow:
        """Add a row and return it.

        Parameters
        ----------
        prop
            A label such as ``"user.plan"``.
        operator
            By default the first that fits.
        value
            What to type for the value.
        """
        values = {"prop": prop, "operator": operator, "value": value}
        row = FilterRow(self._choices, **values)
        row.observe(lambda _: self.changed(), ["prop", "operator", "value"])
        self.rows = [*self.rows, row]
        return row

    def remove(self, row: FilterRow) -> None:
        """Take a row away."""
        self.rows = [each for each in self.rows if each is not row]

    def clear(self) -> None:
        """Take away all rows and the text."""
        self._set(mode="rows", rows=[], text="", join="and")

    def use(self, mode: Literal["rows", "text"]) -> None:
        """Turn to the rows or to the text.

        The text begins as what the rows say. Nothing is lost by turning back: the
        rows are as they were, and so is a text that was changed.
        """
        said = self._of_rows()
        if mode == "text" and self.mode == "rows" and said is not None and not self.text.strip():
            self._set(mode=mode, text=said.text)
        else:
            self.mode = mode

    def check(self, condition: Expression | str | None) -> None:
        """Refuse what is not a condition.

        Raises
        ------
        ToolkitError
            If it is not one; the message says which of its properties do not exist.
        """
        if condition is not None:
            text = condition if isinstance(condition, str) else condition.text
            _condition_of(text, self._choices())

    def show(self, condition: Expression | str | None) -> None:
        """Put another condition, or the text of one, in place of what the filter says."""
        if condition is None:
            self.clear()
        else:
            text = condition if isinstance(condition, str) else condition.text
            self._set(mode="text", text=text)

    def _set(self, **traits: Any) -> None:
        """Change several traits as one."""
        self._is_quiet = True
        try:
            for name, value in traits.items():
                setattr(self, name, value)
        finally:
            self._is_quiet = False
        self.changed()

    def changed(self) -> None:
        """Evaluate the filter again, and notify."""
        if self._is_quiet:
            return
        self._read()
        for listener in self._listeners:
            listener()

    def reread(self) -> None:
        """Read the filter again with the current choices, without notifying anybody."""
        self._read()
        self.revision += 1

    def refuse(self, words: str) -> None:
        """Say what is wrong with the filter as a whole; it counts until the next change."""
        self.error = words

    def _read(self) -> None:
        error, condition = "", None
        if self.mode == "rows":
            condition = self._of_rows()
        elif self.text.strip():
            try:
                condition = _condition_of(self.text, self._choices())
            except ToolkitError as refusal:
                error = str(refusal)
        self.error, self.condition = error, condition

    def _of_rows(self) -> Expression | None:
        conditions = [made for row in self.rows if (made := row.read()) is not None]
        if len(conditions) < 2:
            return conditions[0] if conditions else None
        return And.of(conditions) if self.join == "and" else Or.of(conditions)


def _condition_of(text: str, choices: Choices) -> Expression:
    condition = parse(text)
    require_closed(condition)
    if not condition.is_condition:
        properties = [choice.property for choice in choices.properties.values()]
        names = [each for each in properties if isinstance(each, Property)]
        unknown = [
            f" There is no property {node.text:.60}."
            + did_you_mean(node.name, [each.name for each in names if each.side == node.side])
            for node in condition.properties
            if label_of(node) not in choices.properties
        ]
        raise ArgumentError(
            f"{text.strip()} is a value, not a condition; compare it: {text.strip()} == …"
            + (f".{''.join(unknown)}" if unknown else "")
        )
    return condition
