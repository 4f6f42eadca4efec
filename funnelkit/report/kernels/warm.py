"""What the kit loads and computes at its first use, done once for all reports whose processes are forked from here."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator

# Their modules are imported at the first use of a name; nothing but definitions is in them.
_ROOMS = ("stats", "reading", "analysis", "forecast", "planning", "charts", "report.sections",
          "report.first_page")  # fmt: skip
_LIBRARIES = (
    "matplotlib.backends.backend_svg", "scipy.special", "scipy.fft", "babel.numbers", "babel.dates", "pyarrow.csv",
    "pandas.core.reshape.reshape", "encodings.utf_8_sig",
)  # fmt: skip
_DAYS = ("2024-01-08", "2024-01-15", "2024-02-05", "2024-02-12")


def warm_kit() -> None:
    """Import the kit's modules, read a few deals, draw a chart and write a table in each language.

    That loads its texts, the words of other systems, the formats of both languages and the fonts.
    """
    for name in (*_modules(), *_LIBRARIES):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import pandas as pd

    from funnelkit.analysis import count_stages
    from funnelkit.charts import funnel_chart
    from funnelkit.language import LANGUAGES, money, speaking
    from funnelkit.reading import read

    entries = pd.DataFrame({"deal_id": ["1", "1", "2", "2"], "stage": ["A", "Won", "A", "B"], "entered_at": _DAYS})
    counted = count_stages(read(entries, stages=["A", "B", "Won"]))
    funnel_chart(counted).svg()
    for lang in LANGUAGES:
        with speaking(lang):
            counted.show()
            money(1.0, "CNY")


def _modules() -> Iterator[str]:
    for room in _ROOMS:
        door = importlib.import_module(f"funnelkit.{room}")
        yield from (found.name for found in pkgutil.walk_packages(door.__path__, f"{door.__name__}."))
