"""Pipeline: the one thing handed around. Deals, their stage events, and what the source cannot tell."""

from dataclasses import asdict, dataclass, field, replace

import pandas as pd

from funnelkit.language import say
from funnelkit.models import Funnel

STATUSES = ("open", "won", "lost", "void")
DEAL_COLUMNS = (
    "deal_id", "name", "account", "owner", "team", "amount", "currency",
    "created_at", "status", "closed_at", "expected_close", "lost_reason",
)  # fmt: skip
EVENT_COLUMNS = ("deal_id", "stage", "entered_at", "source")
SOURCES = ("history", "wide", "inferred")


@dataclass(frozen=True)
class Finding:
    """One thing noticed while reading: `rule` is a key of texts/findings.toml, `values` fill its message."""

    rule: str
    severity: str  # note, warn or error
    file: str | None = None
    line: int | None = None  # physical line of the file, the header being line 1
    column: str | None = None
    value: str | None = None
    values: dict = field(default_factory=dict)

    def message(self, lang=None):
        """Return the sentence for people, in the language in force or `lang`."""
        place = {"file": self.file, "line": self.line, "column": self.column, "value": self.value}
        return say(f"reading.findings.{self.rule}", lang, **{**place, **self.values})

    def __str__(self):
        return self.message()

    def as_dict(self):
        """Return the keys that `funnelkit check --json` prints."""
        row = asdict(self)
        row.pop("values")
        return {**row, "message": self.message()}


@dataclass(frozen=True)
class Limit:
    """One thing that the source cannot tell: `code` is a key of texts/limits.toml. Analyses refuse by it."""

    code: str
    values: dict = field(default_factory=dict)

    def message(self, lang=None):
        """Return the sentence for people, in the language in force or `lang`."""
        return say(f"reading.limits.{self.code}", lang, **self.values)

    def __str__(self):
        return self.message()

    def as_dict(self):
        """Return code and message, as JSON holds them."""
        return {"code": self.code, "message": self.message()}


@dataclass(frozen=True)
class Rows:
    """Conservation of rows: `rows_in` = `good` + `quarantined` + `ignored` always."""

    rows_in: int = 0
    good: int = 0
    quarantined: int = 0
    ignored: int = 0


@dataclass(frozen=True)
class Pipeline:
    """A funnel's data as known at `as_of`.

    `deals` has DEAL_COLUMNS and any further columns of the source (segments), one row a deal. `events` has
    EVENT_COLUMNS, one row for each entry into a stage; `stage` is an ordered categorical of the model's stage ids,
    `entered_at` is NaT where the source gives no time. `counts` holds the table of a counts source (else None).
    `as_of_given` is False where the date was derived from the data.
    """

    model: Funnel
    deals: pd.DataFrame
    events: pd.DataFrame
    as_of: pd.Timestamp
    as_of_given: bool = True
    limits: tuple[Limit, ...] = ()
    findings: tuple[Finding, ...] = ()
    rows: Rows = Rows()
    layout: str = "deals"
    counts: pd.DataFrame | None = None
    amount_total: float | None = None  # sum over the good rows read; None without amounts or across currencies
    sample: tuple[dict, ...] = ()  # the first good rows as read

    def at(self, date):
        """Return what was known on `date`: no later event, close or deal; deals without any time are left out.

        Amounts are those of the export, for a source holds no history of them.
        """
        date = pd.Timestamp(date)
        if date >= self.as_of:
            return replace(self, as_of=date)
        events = self.events[self.events["entered_at"] <= date]
        started = self.deals["created_at"] <= date
        # As objects: of Arrow strings, isin unpacks the values one by one.
        noted = self.deals["deal_id"].astype(object).isin(events["deal_id"].astype(object))
        deals = self.deals[started | noted].copy()
        later = deals["closed_at"] > date
        deals.loc[later, ["closed_at", "lost_reason"]] = [pd.NaT, None]
        deals.loc[later, "status"] = "open"
        return replace(self, deals=deals, events=events.copy(), as_of=date)

    @property
    def currency(self) -> str | None:
        """Return the one currency of the amounts, or None where there is none or more than one."""
        known = self.deals["currency"].dropna().unique() if "currency" in self.deals else ()
        return str(known[0]) if len(known) == 1 else None

    def limit(self, code):
        """Return the limit of this code, or None."""
        return next((limit for limit in self.limits if limit.code == code), None)
