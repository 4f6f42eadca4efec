"""Where the sample data, the report templates and the lessons are: in the checkout, or inside an installed package."""

from pathlib import Path

from funnelkit.language.texts import language

_PACKAGE = Path(__file__).parents[1]
_CHECKOUT = {
    "data": _PACKAGE.parent / "data",
    "report": _PACKAGE.parent / "notebooks" / "report",
    "lessons": _PACKAGE.parent / "notebooks",
}


def share(name: str) -> Path:
    """Return the folder of the shared files `name`: "data", "report" or "lessons"."""
    installed = _PACKAGE / "_share" / name
    return installed if installed.is_dir() else _CHECKOUT[name]


def sample_files() -> list[Path]:
    """Return the paths of the sample data in the language in force: deals, and their stage events."""
    folder = share("data") / {"en": "", "zh": "zh"}[language()]
    return [folder / "deals.csv", folder / "events.csv"]
