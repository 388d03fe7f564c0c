"""Files that are not CSV, whatever their names say."""

from __future__ import annotations

import json
import re
from typing import Final

_SIGNATURES: Final = {
    b"PK\x03\x04": "a ZIP archive, as Excel's .xlsx is",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
    b"PAR1": "a Parquet file",
    b"ARROW1\0": "an Arrow file",
    b"FEA1": "a Feather file",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"SQLite format 3\0": "an SQLite file",
    b"%PDF": "a PDF file",
    b"{\\rtf": "an RTF document",
    b"\x89PNG": "a PNG image",
    b"GIF8": "a GIF image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x1f\x8b": "packed by gzip twice",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
}
_TAR: Final = slice(257, 262)

_PAGE: Final = "an HTML page, perhaps of an error or a login"
_TEXTS: Final = {
    r"<!doctype html|<(?:html|head|body|table)[\s>]": _PAGE,
    r"<\?xml|<!doctype|<!--|<[a-z_][\w:.-]*(?:\s[^<>]*)?>\s*<[a-z/_!]": "XML",
    r"(?:--.*\s+|/\*.*?\*/;?\s*)*(?:insert into|create table|drop table)\s": "an SQL script",
    r"version https://git-lfs\.": "the pointer to a file that Git LFS keeps elsewhere",
}
# What JSON begins with that cannot be parsed here, because it is cut or spread over lines.
_JSON: Final = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:|\[\s*(?:[\[{]|\n)')
_JSON_ADVICE: Final = (
    "JSON; read_messages reads messages in JSON, and import_frame takes "
    "what pandas.read_json makes of records"
)


def format_of_bytes(start: bytes) -> str | None:
    """Return what a file is by its first bytes, None if it may be text.

    >>> format_of_bytes(b"PAR1..."), format_of_bytes(b"id,plan")
    ('a Parquet file', None)
    """
    if start[_TAR] == b"ustar":
        return "a tar archive"
    return next((kind for sign, kind in _SIGNATURES.items() if start.startswith(sign)), None)


def format_of_text(start: str) -> str | None:
    """Return what a text is by its beginning, None if it may be CSV.

    >>> format_of_text("<html><body>Log in"), format_of_text("<b>,plan")
    ('an HTML page, perhaps of an error or a login', None)
    """
    text = start.lstrip("\ufeff \t\r\n")
    if text[:1] in ("{", "["):
        return _JSON_ADVICE if _is_json(text) else None
    for pattern, kind in _TEXTS.items():
        if re.match(pattern, text, re.IGNORECASE):
            return kind
    return None


def _is_json(text: str) -> bool:
    """Return whether a text begins with a list or object of JSON and nothing after it."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return _JSON.match(text) is not None
    rest = text[end:].lstrip(" \t,")
    return not rest or rest.startswith(("\r", "\n"))
