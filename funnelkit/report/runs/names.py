"""Names of reports: any text, each with a folder of its own that every file system takes and no other file bears."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*%]|^[.\s~-]|[.\s]$')
_TAKEN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|index\.html|batch\.json)(\.|$)", re.IGNORECASE)
_MOST_BYTES = 120


def is_name(text: str) -> bool:
    """Tell whether a text can be a name: not blank, no control or direction characters, no surrogates."""
    signs = {unicodedata.category(sign) for sign in text}
    return bool(text.strip()) and len(text) <= 500 and not signs & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def same_name(text: str) -> str:
    """Return what two names share that one file system would take for the same, in case or in composed signs."""
    return unicodedata.normalize("NFKC", folder_name(text)).casefold()


def folder_name(name: str) -> str:
    """Return the folder of a report: its name, with signs that a folder cannot have written as %2F.

    >>> folder_name("R&D"), folder_name("North/East"), folder_name("index.html"), folder_name("../up")
    ('R&D', 'North%2FEast', 'index%2Ehtml', '%2E.%2Fup')
    """
    text = _UNSAFE.sub(lambda found: _escaped(found[0]), unicodedata.normalize("NFC", name))
    if _TAKEN.match(text):
        text = text.replace(".", "%2E", 1) if "." in text else f"{text}%"
    if len(text.encode()) <= _MOST_BYTES:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return text.encode()[: _MOST_BYTES - 9].decode(errors="ignore").rstrip(" .") + "~" + mark


def _escaped(signs: str) -> str:
    return "".join(f"%{byte:02X}" for byte in signs.encode())
