"""Where the sample data and the report templates are: in the checkout, or inside an installed package."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_CHECKOUT = {"data": _PACKAGE.parent / "data", "report": _PACKAGE.parent / "notebooks" / "report"}


def share(name: str) -> Path:
    """Return the folder of the shared files `name`: "data" or "report"."""
    installed = _PACKAGE / "_share" / name
    return installed if installed.is_dir() else _CHECKOUT[name]


def sample_files() -> list[Path]:
    """Return the paths of the sample data: deals, and their stage events."""
    return [share("data") / "deals.csv", share("data") / "events.csv"]
