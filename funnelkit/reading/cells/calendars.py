"""Calendars: names of months, zones written short, years of other calendars, as the texts of dates have them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.text import Place

# Hours east of Greenwich of zones written short; those that mean several (CST, IST, BST) are none.
ZONES = {"EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "WEST": 1, "WET": 0, "CEST": 2,
          "CET": 1, "EEST": 3, "EET": 2, "MSK": 3, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11}  # fmt: skip
CLOCK = (
    r"(?:(?:[T\s]+|(?<=日))(?P<half>上午|下午)?\s*(?P<hour>\d{1,2})[:时](?P<minute>\d{1,2})(?:[:分](?P<second>\d{1,2})"
    r"(?:[.,](?P<fraction>\d{1,9}))?秒?)?\s*(?P<ampm>[AaPp]\.?[Mm]\.?)?\s*\(?"
    rf"(?P<zone>(?:UTC|GMT)?[+-]\d{{2}}:?\d{{2}}|(?:UTC|GMT)?[+-]\d{{1,2}}|Z|UTC|GMT|{'|'.join(ZONES)})?\)?)?"
)
ERA = re.compile(
    r"(?P<era>令和|平成|昭和|大正|中華民國|民國|民国|[RHSTrhst](?=\s*\d))\s*(?P<of>元|\d{1,3})\s*[-/.年]\s*(?P<m>\d{1,2})\s*[-/.月]"
    r"\s*(?P<d>\d{1,2})日?" + CLOCK
)
_BEFORE_ERA = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925, "大正": 1911, "T": 1911}
_BUDDHIST = re.compile(r"(?<!\d)2[456]\d\d(?!\d)")  # years since the Buddha, of 1857 to 2156
_OTHER_CALENDAR = re.compile(r"(?<!\d)1[34]\d\d(?!\d)\s*[-/.]\s*\d{1,2}\s*[-/.]\s*\d{1,2}(?!\d)|"
                             r"(?<!\d)\d{1,2}\s*[-/.]\s*\d{1,2}\s*[-/.]\s*1[34]\d\d(?!\d)")  # fmt: skip
_NAMED_MONTHS = (
    "january january januar jänner janvier enero janeiro gennaio januari января styczeń stycznia"
    " ledna січня ocak ianuarie januára يناير",
    "february februar februari février fevrier febrero fevereiro febbraio февраля lutego"
    " února лютого şubat februarie februára فبراير",
    "march märz maerz mars marzo março maart марта marca března березня mart maret martie marca مارس",
    "april avril abril aprile апреля kwietnia dubna квітня nisan aprilie apríla أبريل",
    "may mai mayo maio maggio mei мая maja května травня mayıs maj mája مايو",
    "june juni juin junio junho giugno июня czerwca června червня haziran iunie júna يونيو",
    "july juli juillet julio julho luglio июля lipca července липня temmuz iulie júla يوليو",
    "august août aout agosto augustus августа sierpnia srpna серпня ağustos augusti agustus أغسطس",
    "september septembre septiembre setembro settembre сентября września"
    " září вересня eylül septembrie septembra سبتمبر",
    "october oktober octobre octubre outubro ottobre октября października října жовтня ekim octombrie októbra أكتوبر",
    "november novembre noviembre novembro ноября listopada listopadu листопада kasım noiembrie novembra نوفمبر",
    "december dezember décembre decembre diciembre dezembro dicembre декабря grudnia"
    " prosince грудня aralık desember decembrie decembra ديسمبر",
)
_SHORT = (3, 4, 5)  # letters of a month's name written short, as far as no other month's begins so


def _months() -> dict[str, int]:
    """Return {name of a month, whole or short: number}; what begins the names of two months is none."""
    found: dict[str, set[int]] = {}
    for number, names in enumerate(_NAMED_MONTHS, 1):
        for name in names.split():
            for text in {name, *(name[:length] for length in _SHORT)}:
                found.setdefault(text, set()).add(number)
    return {text: min(numbers) for text, numbers in found.items() if len(numbers) == 1}


MONTHS = _months()


def of_our_calendar(
    uniques: NDArray[np.object_], codes: NDArray[np.intp], place: Place
) -> tuple[NDArray[np.object_], list[Finding]]:
    """Return texts with years since the Buddha, where all have such, as years of our calendar; refuse years of another
    calendar (Persian, Islamic), for a text does not tell which of them it is."""
    texts = [unicodedata.normalize("NFKC", text) for text in uniques[:1]]
    if not texts or not (_BUDDHIST.search(texts[0]) or _OTHER_CALENDAR.search(texts[0])):
        return uniques, []
    texts = [unicodedata.normalize("NFKC", text) for text in uniques]
    if all(_OTHER_CALENDAR.match(text) for text in texts):
        raise DataError("calendar_other", **place.at(codes == 0), value=str(uniques[0]))
    if not all(len(_BUDDHIST.findall(text)) == 1 for text in texts):
        return uniques, []
    ours = [_BUDDHIST.sub(lambda year: str(int(year[0]) - 543), text) for text in texts]
    told = Finding("calendar_buddhist", "note", place.file, None, place.column, str(uniques[0]), {"as_year": ours[0]})
    return np.array(ours, dtype=object), [told]


def month_of(name: str) -> int | None:
    """Return the number of the month of this name, whole or short; None where it is none."""
    return MONTHS.get(name.lower())


def era_year(parts: Mapping[str, str]) -> str:
    """Return the year of our calendar of a date with an era."""
    return str(_BEFORE_ERA.get(parts["era"].upper(), 1911) + (1 if parts["of"] == "元" else int(parts["of"])))
