"""What a person made of a profile, as the operators that do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.base import ABSENT, EditConflictError, Json, equal
from toolkit.columns import Difference, differences


@dataclass(frozen=True)
class Edit:
    """How one profile becomes another.

    Attributes
    ----------
    properties
        What differs.
    creates
        Whether there was no profile.
    """

    properties: tuple[Difference, ...]
    creates: bool

    @classmethod
    def between(cls, before: Mapping[str, Json] | None, after: Mapping[str, Json]) -> Edit:
        """Return what differs between two states of a profile; *before* is None if it had none.

        Values that are equal as JSON (1 and 1.0) do not differ.

        >>> edit = Edit.between({"plan": "free", "n": 1}, {"plan": "pro", "n": 1.0})
        >>> [(each.property, each.change) for each in edit.properties]
        [('plan', 'changed')]
        """
        differing = [each for each in differences(before, after) if not _same(each.old, each.new)]
        return cls(tuple(differing), before is None)

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self.creates or bool(self.properties)

    @property
    def operations(self) -> dict[str, Any]:
        """The operators that do it, as in a message: ``$set`` and ``$unset``."""
        written = {each.property: each.new for each in self.properties if each.new is not ABSENT}
        removed = [each.property for each in self.properties if each.new is ABSENT]
        operations: dict[str, Any] = {}
        if written or self.creates:
            operations["$set"] = written
        if removed:
            operations["$unset"] = removed
        return operations

    def check(self, distinct_id: str, now: Mapping[str, Json] | None) -> None:
        """Refuse to write over what somebody else wrote since *before* was read.

        Raises
        ------
        EditConflictError
            If the profile was made or deleted meanwhile, or a property that is to be
            written is no longer what it was.
        """
        if self.creates != (now is None):
            what = "was created" if self.creates else "was deleted"
            raise EditConflictError(
                f"profile {distinct_id!r} {what} meanwhile by somebody else; "
                "nothing was saved. Look at it again first",
                (),
            )
        lost = tuple(
            str(each.property)
            for each in self.properties
            if not _same(each.old, (now or {}).get(str(each.property), ABSENT))
        )
        if lost:
            named = ", ".join(map(repr, lost))
            raise EditConflictError(
                f"{named} of profile {distinct_id!r} changed meanwhile by somebody else; "
                "nothing was saved. Look at it again first",
                lost,
            )


def _same(left: Any, right: Any) -> bool:
    if left is ABSENT or right is ABSENT or left is right:
        return left is right
    return equal(left, right)
