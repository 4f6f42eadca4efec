"""Known: how many headers of a table any export is known to have; by this the sheet of a workbook is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from funnelkit.reading.layouts.presets import find_form, key, preset_data


def known_headers(headers: Sequence[str]) -> int:
    """Return how many headers are known ones; those of a system's form count ten times."""
    keys = set(map(key, headers))
    return len(keys & _known_keys()) * (10 if find_form(headers) else 1)


def are_headers(cells: Sequence[str]) -> bool:
    """Return True where cells are headers beyond doubt: three or more known ones, and most of them."""
    known = sum(key(cell) in _known_keys() for cell in cells)
    return known >= 3 and 2 * known >= len(cells)


def is_known(header: str) -> bool:
    """Return True where a header is known."""
    return key(header) in _known_keys()


@cache
def _known_keys() -> frozenset[str]:
    generic = preset_data("generic")
    parts = (generic[part].values() for part in ("columns", "events", "counts"))
    return frozenset(key(name) for names in parts for aliases in names for name in aliases)
