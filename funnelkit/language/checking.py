"""One checker of nested data: models, parameters, plans of a batch, policies of export and options of reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from funnelkit.language.lookup import nearest

Test: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True)
class Kind:
    """What one value may be: `read` returns it as its type or raises ValueError; `wanted` is for the message."""

    wanted: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Record:
    """A mapping of known keys, some of them required; `others` is the shape of keys that the writer names."""

    keys: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    others: Shape | None = None
    wanted: str = "expected_table"


@dataclass(frozen=True)
class Records:
    """A list of at least so many records of one form."""

    of: Record
    least: int = 1
    wanted: str = "expected_rows"


Shape: TypeAlias = Kind | Record | Records


@dataclass(frozen=True)
class Fault:
    """An unknown key of a record, a missing one (the value is the record), or a value other than expected."""

    code: Literal["unknown", "missing", "wrong"]
    path: tuple[str | int, ...]
    value: Any
    expected: Shape

    @property
    def place(self) -> str:
        """Return the path as people write it, such as stages[2].rate."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).removeprefix(".")

    @property
    def nearest(self) -> str:
        """Return the keys that read like an unknown one, for a message."""
        return nearest(self.path[-1], self.expected.keys if isinstance(self.expected, Record) else ())


def check(value: Any, shape: Shape, refuse: Callable[[Fault], object], path: tuple[str | int, ...] = ()) -> Any:
    """Return a value as its shape reads it; `refuse` gets each Fault, and checking goes on where it does not raise.

    >>> found = []
    >>> check({"keep": 0, "kep": 1}, Record({"keep": fits("1 or more", is_between(1))}), found.append)
    {'keep': 0, 'kep': 1}
    >>> [(fault.code, fault.place) for fault in found]
    [('wrong', 'keep'), ('unknown', 'kep')]
    """
    if isinstance(shape, Record) and isinstance(value, Mapping):
        return _check_record(value, shape, refuse, path)
    if isinstance(shape, Records) and is_list_of(_is_mapping, shape.least)(value):
        return [check(row, shape.of, refuse, (*path, number)) for number, row in enumerate(value, 1)]
    if isinstance(shape, Kind):
        try:
            return shape.read(value)
        except (TypeError, ValueError, OverflowError):
            pass  # what `refuse` raises is no consequence of this error
    refuse(Fault("wrong", path, value, shape))
    return value


def _check_record(
    value: Mapping[str, Any], shape: Record, refuse: Callable[[Fault], object], path: tuple[str | int, ...]
) -> dict[str, Any]:
    found = {}
    for key, item in value.items():
        inner, place = shape.keys.get(key, shape.others), (*path, str(key))
        if inner is None:
            refuse(Fault("unknown", place, item, shape))
        found[key] = item if inner is None else check(item, inner, refuse, place)
    for key in shape.required:
        if key not in value:
            refuse(Fault("missing", (*path, key), value, shape.keys[key]))
    return found


def fits(wanted: str, test: Test) -> Kind:
    """Return the kind of values that pass a test and stay as they are."""

    def read(value: Any) -> Any:
        if not test(value):
            raise ValueError
        return value

    return Kind(wanted, read)


def is_text(value: Any) -> bool:
    """Return True for a text, also an empty one."""
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def is_between(low: float, high: float = float("inf"), kinds: Any = int) -> Test:
    """Return the test of numbers between two, both included, by default whole; True and False are none."""
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high


def is_list_of(test: Test, least: int = 1) -> Test:
    """Return the test of lists of at least so many values that pass a test."""
    return lambda value: isinstance(value, list) and len(value) >= least and all(test(item) for item in value)


def is_one_of(*words: Any) -> Test:
    """Return the test of these texts."""
    return lambda value: isinstance(value, str) and value in words
