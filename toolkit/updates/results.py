"""What a caller learns of a batch: what was applied and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

import pandas as pd

from toolkit.base import count, html
from toolkit.columns import Difference, difference_frame
from toolkit.columns.differences import Differences
from toolkit.updates.outcome import Outcome, Planned
from toolkit.updates.rejection import CELLS, Rejection, first_rejections, rejection_frame

# A report shows so many of what was left out, and of what was overwritten.
_SHOWN_ROWS: Final = 5


#: What a table of overwritten values has of a difference.
OVERWRITTEN: Final = ("distinct_id", "property", "old", "new")


@dataclass(frozen=True, eq=False, repr=False)
class ApplyResult(Outcome):
    """What became of a batch of messages (MSG-3).

    Attributes
    ----------
    applied
        Messages accepted, wholly or in part; among them are those without effect.
    created, updated, deleted
        Messages that made, changed or deleted a profile.
    unchanged
        Messages accepted that had nothing to do, such as a ``$remove`` of a value
        that is not there.
    rejections, cautions
        What :attr:`rejected` and :attr:`warnings` show.
    batch_id
        The batch in the log, None if nothing was accepted.
    """

    cautions: Sequence[Rejection] = ()

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        refused: Sequence[Rejection] = (),
        cautions: Sequence[Rejection] = (),
    ) -> ApplyResult:
        """Return the outcome of messages, of which some had been *refused* before."""
        rejections = sorted([*refused, *outcome.rejections], key=attrgetter("index"))
        return cls(**{**vars(outcome), "rejections": rejections}, cautions=cautions)

    # Frames are made when somebody looks: a single update takes microseconds,
    # a DataFrame a millisecond.
    @cached_property
    def rejected(self) -> pd.DataFrame:
        """A row for each message or property left out.

        Columns ``index`` (``int64``, place of the message in the batch, from 0),
        ``distinct_id``, ``operator``, ``property`` and ``reason`` (``object``; None where
        there is none).
        """
        return rejection_frame(self.rejections)

    @cached_property
    def warnings(self) -> pd.DataFrame:
        """The same columns, for what was applied but not as sent, or is worth a look."""
        return rejection_frame(self.cautions)

    def _counts(self) -> str:
        counts = {
            "applied": self.applied,
            "created": self.created,
            "updated": self.updated,
            "deleted": self.deleted,
            "without effect": self.unchanged,
            "rejected": len(self.rejections),
            "warnings": len(self.cautions),
        }
        shown = [f"{count:,} {name}" for name, count in counts.items() if count]
        return ", ".join(shown) or "nothing to apply"

    def __repr__(self) -> str:
        lines = [f"<ApplyResult: {self._counts()}>"]
        for title, frame in (("rejected", self.rejected), ("warnings", self.warnings)):
            lines += [f"  {line}" for line in first_rejections(frame, title)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [html.paragraph(self._counts())]
        for title, frame in (("Rejected", self.rejected), ("Warnings", self.warnings)):
            if len(frame):
                parts += [html.paragraph(f"{title}:"), html.table(frame)]
        return html.card("Batch applied", *parts)


@dataclass(frozen=True, eq=False, repr=False)
class ColumnsResult(Outcome):
    """What became of a ``$set`` of whole columns.

    Attributes
    ----------
    rows
        How many rows were given.
    created, updated, unchanged
        Profiles new, changed, or as they were before.
    changed_cells
        Cells that held another value (or null) before.
    changes
        The first of those.
    batch_id
        The batch in the log; None if nothing was written.
    notes
        What one should know of the reading, as sentences.
    left_out
        The columns that were not imported, each with the reason.
    """

    rows: int = 0
    changed_cells: int = 0
    changes: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    @cached_property
    def rejected(self) -> pd.DataFrame:
        """A row for each cell left out: ``distinct_id``, ``property``, ``reason``."""
        return rejection_frame(self.rejections, CELLS)

    @classmethod
    def of(cls, outcome: Outcome, planned: Planned) -> ColumnsResult:
        """Return what became of columns that were planned."""
        return cls(
            **vars(outcome),
            rows=outcome.applied,
            changed_cells=planned.changed_cells,
            changes=planned.changes,
        )

    def _summary(self) -> str:
        return (
            f"{count(self.rows, 'row')}: {count(self.created, 'profile')} created, "
            f"{self.updated:,} updated, {self.unchanged:,} unchanged"
        )

    def _notes(self) -> list[str]:
        """Return the sentences below the counts."""
        notes = list(self.notes)
        if self.changed_cells:
            notes.append(f"{count(self.changed_cells, 'stored value')} overwritten.")
        if self.left_out:
            columns = (f'"{name}" ({reason})' for name, reason in self.left_out.items())
            notes.append(f"{count(len(self.left_out), 'column')} left out: {', '.join(columns)}.")
        return notes

    def __repr__(self) -> str:
        lines = [f"<ColumnsResult: {self._summary()}>", *(f"  {note}" for note in self._notes())]
        lines += [f"  {line}" for line in first_rejections(self.rejected, "left out")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [html.paragraph(self._summary() + "."), html.notes(self._notes())]
        overwritten = difference_frame(self.changes, OVERWRITTEN)
        for title, frame, total in (
            ("Left out", self.rejected, len(self.rejections)),
            ("Overwritten values", overwritten, self.changed_cells),
        ):
            if total:
                parts += [
                    html.paragraph(f"{title}:"),
                    html.table(frame, rows=_SHOWN_ROWS, total=total),
                ]
        return html.card("Rows imported", *parts)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ChangeReport(Outcome):
    """What a change of many profiles did, or in a dry run would do.

    Attributes
    ----------
    matched
        The profiles it was about.
    created, updated, deleted, unchanged
        How many of them are new, differ, are gone, or are as they were before.
    properties
        DataFrame, one row per property that differs: ``property``, and how many profiles had
        it ``added``, ``changed`` or ``removed``.
    changes
        The first 100 differences: ``distinct_id``, ``property``, ``change`` (``"added"``,
        ``"changed"``, ``"removed"``), ``old`` and ``new`` (NaN where there is nothing).
    notes
        What is worth knowing, in sentences.
    dry_run
        Whether nothing was written, because it was only asked what would be.
    batch_id
        The batch in the log, which ``profiles.undo`` takes; None if nothing was written.
    """

    matched: int
    properties: pd.DataFrame
    changes: pd.DataFrame
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @classmethod
    def of(
        cls, compared: Differences, rejections: Sequence[Rejection], **further: Any
    ) -> ChangeReport:
        """Return the report of profiles before and after."""
        matched = len(compared.created)
        created, updated, deleted = (
            int(each.sum()) for each in (compared.created, compared.updated, compared.deleted)
        )
        return cls(
            created=created,
            updated=updated,
            deleted=deleted,
            unchanged=matched - created - updated - deleted,
            rejections=rejections,
            matched=matched,
            properties=compared.properties,
            changes=difference_frame(compared.rows),
            **further,
        )

    @cached_property
    def rejected(self) -> pd.DataFrame:
        """A row for each cell or message left out: ``distinct_id``, ``property``, ``reason``."""
        return rejection_frame(self.rejections, CELLS)

    def _sentence(self) -> str:
        effects = ", ".join(f"{number:,} {name}" for name, number in self.effects.items() if number)
        parts = [f"{count(self.matched, 'profile')}: {effects}" if effects else "no profiles"]
        if self.dry_run:
            parts.append("dry run, nothing written")
        return "; ".join(parts)

    def _lines(self) -> list[str]:
        """Return what differs, one line per property."""
        lines = []
        for name, *numbers in self.properties.head(12).to_numpy().tolist():
            kinds = zip(numbers, ("added", "changed", "removed"), strict=True)
            changes = ", ".join(f"{number:,} {kind}" for number, kind in kinds if number)
            lines.append(f"{name}: {changes}")
        if len(self.properties) > 12:
            more = len(self.properties) - 12
            lines.append(f"… and {more:,} more {'property' if more == 1 else 'properties'}")
        return [*lines, *first_rejections(self.rejected, "left out"), *self.notes]

    def __repr__(self) -> str:
        return "\n  ".join([f"<ChangeReport: {self._sentence()}>", *self._lines()])

    def _repr_html_(self) -> str:
        parts = [html.paragraph(self._sentence())]
        if len(self.properties):
            parts.append(html.table(self.properties))
        if len(self.changes):
            parts += [html.paragraph("For example:"), html.table(self.changes)]
        if len(self.rejected):
            parts += [html.paragraph("Left out:"), html.table(self.rejected)]
        parts.append(html.notes(self.notes))
        return html.card("What would change" if self.dry_run else "What changed", *parts)
