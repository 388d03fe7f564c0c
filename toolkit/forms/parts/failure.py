"""What failed where nobody is above to notice it, in words and in full."""

from __future__ import annotations

import traceback
from typing import NamedTuple

from toolkit.base import ToolkitError, sentence


class Failure(NamedTuple):
    """An exception of a callback or a job, as a form shows it.

    ``doing`` is what somebody did or what was in progress, ``words`` what went wrong, and
    ``details`` the traceback.
    """

    doing: str
    words: str
    details: str

    @classmethod
    def of(cls, error: BaseException, doing: str) -> Failure:
        """Return what there is to say of an exception.

        >>> Failure.of(KeyError("birth"), "Report").words
        "KeyError: 'birth'"
        """
        words = f"{type(error).__name__}: {error}".removesuffix(": ")
        if isinstance(error, ToolkitError):
            words = sentence(str(error))
        return cls(doing, words, "".join(traceback.format_exception(error)))
