"""How hard random tests try."""

from __future__ import annotations

import os
from typing import Final

#: Whether tests may take long: ``make test-all``.
IS_LONG: Final = bool(os.environ.get("LONGER_TESTS"))


def examples(number: int) -> int:
    """Return how many random examples to try: *number* in long runs, else a part of them."""
    return number if IS_LONG else max(15, number // 4)
