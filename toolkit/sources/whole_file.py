"""Files that are written whole or not at all."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, cast

from toolkit.errors import FolderNotFoundError, PathIsFolderError
from toolkit.paths import as_path


@contextmanager
def whole_file(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write bytes to; it takes the place of an older one at the end.

    Until the block ends, and if it ends in an error, the older file stays as it was.
    What is written is gzipped if the name ends in ``.gz``; the same content gives the
    same bytes.

    Raises
    ------
    FolderNotFoundError
        If the folder is not there.
    PathIsFolderError
        If a folder stands at the path.
    """
    target = as_path(path)
    if not target.parent.is_dir():
        raise FolderNotFoundError(f"{target}: there is no folder {target.parent}; make it first")
    if target.is_dir():
        raise PathIsFolderError(f"{target} is a folder; give the name of a file")
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as raw:
            if target.suffix == ".gz":
                # No time of writing inside: the same profiles give the same bytes.
                with gzip.GzipFile("", "wb", 6, raw, 0) as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        # A temporary file is private; what the user asked for is as usual.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
