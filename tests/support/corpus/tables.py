"""Hostile cells: numbers, dates, ids, stages, headers, outcomes; the same whatever file they come in."""

from . import COUNTS, DEALS, EVENTS, HEADER, ROWS, STAGES, TOTAL, Expected, Table

TABLES = []
EVERY = ("csv", "xlsx", "parquet", "sqlite")


def with_cell(column, text):
    """Return the rows with one cell of the second (line 3) replaced."""
    place = HEADER.index(column)
    second = tuple(text if number == place else cell for number, cell in enumerate(ROWS[1]))
    return (ROWS[0], second, ROWS[2])


def case(name, rows, expected, *, header=HEADER, options=DEALS, containers=EVERY):
    TABLES.append(Table(name, tuple(header), tuple(tuple(row) for row in rows), expected, tuple(options), containers))


def faulty(name, column, text, rule, *, options=DEALS, containers=EVERY):
    """The second row is quarantined for this cell, and its amount with it."""
    total = TOTAL - 250.50
    value = None if rule == "required" else text
    expected = Expected("quarantine", rule, 3, column, value, good=2, bad=1, total=total)
    case(name, with_cell(column, text), expected, options=options, containers=containers)


def kept(name, column, text, total=TOTAL, rule=None, outcome="ok", *, options=DEALS, containers=EVERY):
    """All rows are kept; `rule` names what has to be said."""
    line = 3 if outcome == "warn" and rule not in ("stage_merged", "currencies_mixed", "future_dates") else None
    place = column if rule and rule != "future_dates" else None
    expected = Expected(outcome, rule, line, place, good=3, total=total)
    case(name, with_cell(column, text), expected, options=options, containers=containers)


# Numbers that are none, or not for sure. What Python or pandas would read gladly is among them.
for name, text, rule in [
    ("words", "abc", "not_a_number"), ("two-points", "1.5.2", "not_a_number"), ("two-signs", "++5", "not_a_number"),
    ("underscore", "1_000", "not_a_number"), ("hex", "0x10", "not_a_number"), ("complex", "1+2j", "not_a_number"),
    ("fraction", "1/2", "not_a_number"), ("formula", "=1+1", "not_a_number"), ("boolean", "TRUE", "not_a_number"),
    ("division-error", "#DIV/0!", "not_a_number"), ("null-word", "NULL", "not_a_number"),
    ("not-available", "N/A", "not_a_number"), ("percent", "50%", "not_a_number"),
    ("chinese-word", "一百", "not_a_number"),
    ("mio", "12 mio", "number_unit"), ("billion", "1.5bn", "number_unit"),
    ("mega", "1.2M", "number_unit"), ("kilo", "250k", "number_unit"), ("infinity", "-Infinity", "not_finite"),
    ("overflow", "9" * 400, "not_finite"), ("exponent-too-large", "1e999", "not_finite"),
    ("nan", "nan", "not_finite"),
    ("date-in-amount", "2022-05-21", "not_a_number"), ("open-bracket", "(100", "not_a_number"),
    ("range", "100-200", "not_a_number"), ("two-amounts", "100 USD 200 EUR", "not_a_number"),
    ("template", "{{7*7}}", "not_a_number"), ("split-thousands", "1,23,4.00", "not_a_number"),
]:  # fmt: skip
    faulty(f"amount-{name}", "amount", text, rule)

# Numbers as people write them.
kept("amount-blank", "amount", "", TOTAL - 250.5)
kept("amount-zero-width", "amount", "25\u200b0.50")
kept("amount-full-width", "amount", "２５０．５０")
kept("amount-plus", "amount", "+250.50")
kept("amount-exponent", "amount", "2.505e2")
kept("amount-narrow-space", "amount", "1\u202f250.50", TOTAL + 1000)
kept("amount-no-break-space", "amount", "1\u00a0250.50", TOTAL + 1000)
kept("amount-apostrophe", "amount", "1'250.50", TOTAL + 1000)
kept("amount-lakh", "amount", "12,34,567.00", TOTAL - 250.5 + 1_234_567)
kept("amount-brackets", "amount", "(250.50)", TOTAL - 501, "negative_amount", "warn")
kept("amount-trailing-minus", "amount", "250.50-", TOTAL - 501, "negative_amount", "warn")
kept("amount-true-minus", "amount", "−250.50", TOTAL - 501, "negative_amount", "warn")
kept("amount-one-currency", "amount", "US$ 250.50", None, "currencies_mixed", "warn")
case(
    "amount-currencies-in-cells",
    [("A1", "a", "Lead", "2022-05-20", "€100"), ("A2", "b", "MQL", "2022-05-20", "£100")],
    Expected("warn", "currencies_mixed", None, "amount", "EUR, GBP", good=2),
)
case(
    "amount-decimal-comma-proven",
    [(*ROWS[0][:4], "1.234,50"), (*ROWS[1][:4], "12.000"), (*ROWS[2][:4], "7,5")],
    Expected("ok", "decimal_found", column="amount", good=3, total=13242.0),
)
case(
    "amount-two-marks",
    [(*ROWS[0][:4], "1.234,50"), (*ROWS[1][:4], "1,234.50"), ROWS[2]],
    Expected("reject", "decimal_conflict", 3, "amount", "1,234.50"),
)
case(
    "amount-thousand-or-not",
    [(*row[:4], "1.234") for row in ROWS],
    Expected("reject", "decimal_ambiguous", 2, "amount", "1.234"),
)
case(
    "amount-thousand-declared",
    [(*row[:4], "1.234") for row in ROWS],
    Expected("ok", good=3, total=3702.0),
    options=(*DEALS, "--decimal", ","),
)

# Dates that do not exist, or that only a forgiving parser takes for one.
for name, text, rule in [
    ("february-30", "2022-02-30", "not_a_date"), ("no-leap-day", "2023-02-29", "not_a_date"),
    ("month-13", "2022-13-01", "not_a_date"), ("zero", "0000-00-00", "not_a_date"),
    ("hour-25", "2022-05-20T25:00:00", "not_a_date"),
    ("excel-leap", "1900-02-29", "not_a_date"), ("now", "now", "not_a_date"), ("today", "today", "not_a_date"),
    ("not-a-time", "NaT", "not_a_date"), ("quarter", "2022Q2", "not_a_date"), ("week", "2022-W20", "not_a_date"),
    ("month-only", "2022-05", "not_a_date"), ("year-only", "2022", "not_a_date"),
    ("clock-only", "10:30", "not_a_date"),
    ("month-of-none", "20. Mei- 22", "not_a_date"), ("minguo", "民国111年5月20日", "not_a_date"),
    ("zone-name", "2022-05-20 10:00 PST", "not_a_date"), ("zone-28", "2022-05-20T10:00:00+28:00", "not_a_date"),
    ("serial-as-text", "44701", "not_a_date"), ("hastings", "1066-10-14", "date_range"),
    ("year-9999", "9999-12-31", "date_range"), ("year-20222", "20222-05-20", "not_a_date"),
    ("words", "soon", "not_a_date"),
    ("relative", "yesterday", "not_a_date"), ("formula", "=TODAY()", "not_a_date"),
    ("dotted-iso", "2022.05.32", "not_a_date"),
    ("minute-60", "2022-05-20 10:60", "not_a_date"), ("two-dates", "2022-05-20 2022-05-21", "not_a_date"),
]:  # fmt: skip
    faulty(f"date-{name}", "date", text, rule)

kept("date-chinese", "date", "2022年5月21日")
kept("date-compact", "date", "20220521")
kept("date-german", "date", "21. Mai 2022")
kept("date-english", "date", "May 21, 2022")
kept("date-full-width", "date", "２０２２－０５－２１")
kept("date-blank", "date", "")
kept("date-leap-day", "date", "2024-02-29")
case(
    "date-epoch",
    [(*ROWS[0][:3], "1653004800", "1"), (*ROWS[1][:3], "1653091200000", "2")],
    Expected("ok", "epoch_found", column="date", good=2, total=3.0),
)
case(
    "date-epoch-among-days",
    with_cell("date", "1653091200"),
    Expected("quarantine", "timezone_missing", 2, "date", "2022-05-20", good=1, bad=2, total=250.5),
)
kept("date-far-future", "date", "2150-01-01", rule="future_dates", outcome="warn")
case(
    "date-two-orders",
    [(*ROWS[0][:3], "25/12/2022", "1"), (*ROWS[1][:3], "12/25/2022", "1")],
    Expected("reject", "date_order_conflict", 3, "date", "12/25/2022"),
)
case(
    "date-two-digit-years",
    [(*ROWS[0][:3], "01/02/03", "1"), (*ROWS[1][:3], "04/05/06", "1")],
    Expected("reject", "date_order_ambiguous", 2, "date", "01/02/03"),
)
case(
    "date-order-proven-late",
    [(*ROWS[0][:3], "03/04/2022", "1"), (*ROWS[1][:3], "13/04/2022", "1")],
    Expected("ok", "date_order_found", column="date", good=2, total=2.0, sample="2022-04-03"),
)
case(
    "date-order-declared-wrongly",
    [(*ROWS[0][:3], "03/04/2022", "1"), (*ROWS[1][:3], "13/04/2022", "1")],
    Expected("quarantine", "not_a_date", 3, "date", "13/04/2022", good=1, bad=1, total=1.0),
    options=(*DEALS, "--date-order", "mdy"),
)
case(
    "close-before-create-by-a-minute",
    [
        ("A1", "Won", "2022-05-20 10:01", "2022-05-20 10:00", "5"),
        ("A2", "Won", "2022-05-20 10:01", "2022-05-20 10:01", "7"),
    ],
    Expected("quarantine", "close_before_create", 2, "closed", "2022-05-20 10:00", good=1, bad=1, total=7.0),
    header=("id", "stage", "created", "closed", "amount"),
)

# Ids.
faulty("id-blank", "id", "", "required")
faulty("id-blanks", "id", " \u3000 ", "required")
faulty("id-invisible", "id", "\u200b\ufeff", "required")
faulty("total-grand", "id", "Grand Total", "totals_row")
faulty("total-chinese", "id", "合计", "totals_row")
faulty("total-full-width", "id", "ＴＯＴＡＬ：", "totals_row")
kept("id-exponent", "id", "1e5")
kept("id-python", "id", "__class__")
kept("id-nan", "id", "nan")
kept("id-null", "id", "NULL")
kept("id-negative", "id", "-1")
case(
    "id-nineteen-digits",
    [("1234567890123456789", *ROWS[0][1:]), ("1234567890123456788", *ROWS[1][1:]), ROWS[2]],
    Expected("ok", good=3, total=TOTAL, sample="1234567890123456788"),
)
case(
    "id-zeros",
    [("00", *ROWS[0][1:]), ("0", *ROWS[1][1:]), ("0.0", *ROWS[2][1:])],
    Expected("ok", good=3, total=TOTAL, sample="0.0"),
)
case("id-case", [("a1", *ROWS[0][1:]), ("A1", *ROWS[1][1:]), ROWS[2]], Expected("ok", good=3, total=TOTAL))
case(
    "id-conflict",
    [ROWS[0], ("A1", *ROWS[1][1:]), ROWS[2]],
    Expected("quarantine", "duplicate_id", 2, "id", "A1", good=1, bad=2, total=1000.25),
)
case(
    "id-conflict-by-blank",
    [ROWS[0], ("\u00a0A1 ", *ROWS[1][1:]), ROWS[2]],
    Expected("quarantine", "duplicate_id", 3, "id", "A1", good=1, bad=2, total=1000.25),
)
case(
    "id-thrice-the-same",
    [*ROWS, ROWS[1], ROWS[1]],
    Expected("quarantine", "duplicate_row", 5, "id", "A2", good=3, bad=2, total=TOTAL),
)

# Stages and outcomes.
faulty("stage-blank", "stage", "", "required")
faulty("stage-cyrillic", "stage", "Wоn", "stage_unknown")
faulty("stage-format", "stage", "{0.__class__}", "stage_unknown")
faulty("stage-percent", "stage", "%s%n%x", "stage_unknown")
faulty("stage-script", "stage", "<script>alert(1)</script>", "stage_unknown")
faulty("stage-sql", "stage", "'; DROP TABLE deals;--", "stage_unknown")
faulty("header-again", "stage", "stage", "stage_unknown")
faulty("stage-two", "stage", "Lead, MQL", "stage_unknown")
case(
    "stage-override",
    [*ROWS, ("A4", "Delta", "M\u202eQL", "2022-05-23", "1")],
    Expected("warn", "stage_merged", None, "stage", "MQL", good=4, total=TOTAL + 1),
)
case(
    "stage-decomposed",
    [("A1", "Négo", "5"), ("A2", "Ne\u0301go", "6")],
    Expected("warn", "stage_merged", None, "stage", "Négo", good=2, total=11.0),
    header=("id", "stage", "amount"),
    options=("--layout", "deals", "--stages", "Lead,Négo,Won"),
)
case(
    "status-unknown",
    [("A1", "Lead", "open"), ("A2", "MQL", "perhaps"), ("A3", "Won", "won")],
    Expected("quarantine", "status_unknown", 3, "status", "perhaps", good=2, bad=1),
    header=("id", "stage", "status"),
)
case(
    "status-contradicts",
    [("A1", "Lead", "open"), ("A2", "Won", "lost")],
    Expected("warn", "status_contradicts", 3, "status", "lost", good=2),
    header=("id", "stage", "status"),
)

# Headers.
case(
    "header-case",
    [(*row, "x") for row in ROWS],
    Expected("reject", "header_twice", 1, "AMOUNT"),
    header=(*HEADER, "AMOUNT"),
    containers=("csv", "xlsx", "parquet"),
)
case("header-nothing-known", [("x", "y")], Expected("reject", "no_column", 1), header=("foo", "bar"))
case("header-one-column", [("A1",)], Expected("reject", "no_column", 1), header=("id",))
case(
    "header-full-width",
    ROWS,
    Expected("ok", good=3, total=TOTAL),
    header=("ＩＤ", "Account ", " STAGE", "Date*", "A m o u n t"),
)
case(
    "header-chinese",
    ROWS,
    Expected("ok", good=3, total=TOTAL),
    header=("商机编号", "客户名称", "销售阶段", "创建时间", "金额"),
)
case(
    "header-injection",
    [(*row, "1") for row in ROWS],
    Expected("ok", good=3, total=TOTAL),
    header=(*HEADER, '"; DROP TABLE x; --'),
)
case(
    "columns-too-many",
    [("1",) * 2001],
    Expected("reject", "too_many_columns", None),
    header=tuple(f"c{number}" for number in range(2001)),
    containers=("csv", "xlsx", "parquet"),
)

# Text that would run, hide or break elsewhere stays as it is.
for name, text in [
    ("jinja", "{{ config.items() }}"), ("jndi", "${jndi:ldap://127.0.0.1/x}"),
    ("bell", "Bell\x07Inc"), ("escape", "\x1b[31mred"),
    ("emoji", "👩\u200d🚀 GmbH"), ("right-to-left", "שלום"), ("dde", "=cmd|'/c calc'!A0"),
    ("at", "@SUM(A1)"), ("tab", "a\tb"),
    ("two-lines", "Acme\nInc"), ("quotes", 'A "B" C'), ("only-quote", '"'), ("backslash", "C:\\new\\table"),
    ("none", "None"), ("nan", "NaN"), ("na", "#N/A"), ("dash", "-"), ("separator", "a,b;c|d"),
    ("line-separator", "a\u2028b"),
    ("next-line", "a\x85b"), ("vertical-tab", "a\x0bb"), ("form-feed", "a\x0cb"),
    ("dollars", "$$x^2$$"), ("private", "\ue000"),
]:  # fmt: skip
    good = Expected("ok", good=3, total=TOTAL, sample=text)
    # A workbook cannot hold control signs; xlsx writers refuse them.
    where = EVERY if all(ord(sign) >= 32 or sign in "\t\n" for sign in text) else ("csv", "parquet", "sqlite")
    case(f"account-{name}", with_cell("account", text), good, containers=where)

# Stage entries.
LOG = ("deal_id", "stage", "entered_at")
case(
    "log-blank-time",
    [("A1", "Lead", "2022-05-20"), ("A1", "MQL", "")],
    Expected("quarantine", "required", 3, "entered_at", good=1, bad=1),
    header=LOG,
    options=EVENTS,
)
case(
    "log-same-row",
    [("A1", "Lead", "2022-05-20"), ("A1", "Lead", "2022-05-20"), ("A1", "MQL", "2022-05-21")],
    Expected("quarantine", "duplicate_row", 3, "deal_id", "A1", good=2, bad=1),
    header=LOG,
    options=EVENTS,
)
case(
    "log-back",
    [("A1", "MQL", "2022-05-21"), ("A1", "Lead", "2022-05-22"), ("A2", "Lead", "2022-05-20")],
    Expected("warn", "backward_moves", 3, None, "A1", good=3),
    header=LOG,
    options=EVENTS,
)
case(
    "log-after-close",
    [("A1", "Lead", "2022-05-20"), ("A1", "Lost", "2022-05-21"), ("A1", "MQL", "2022-05-22")],
    Expected("warn", "reopened", None, None, "A1", good=3),
    header=LOG,
    options=EVENTS,
)
case(
    "log-zones-mixed",
    [("A1", "Lead", "2022-05-20T10:00:00Z"), ("A1", "MQL", "2022-05-21T10:00:00")],
    Expected("quarantine", "timezone_missing", 3, "entered_at", "2022-05-21T10:00:00", good=1, bad=1),
    header=LOG,
    options=EVENTS,
)

# Counts.
FUNNEL = ("stage", "count")
case(
    "counts-negative",
    [("Lead", "10"), ("MQL", "-4")],
    Expected("quarantine", "negative_count", 3, "count", "-4", good=1, bad=1),
    header=FUNNEL,
    options=COUNTS,
)
case(
    "counts-words",
    [("Lead", "10"), ("MQL", "some")],
    Expected("quarantine", "not_a_number", 3, "count", "some", good=1, bad=1),
    header=FUNNEL,
    options=COUNTS,
)
case(
    "counts-unknown-stage",
    [("Lead", "10"), ("Led", "4")],
    Expected("quarantine", "stage_unknown", 3, "stage", "Led", good=1, bad=1),
    header=FUNNEL,
    options=(*COUNTS, *STAGES),
)
case(
    "counts-total-row",
    [("Lead", "10"), ("MQL", "4"), ("合计", "14")],
    Expected("quarantine", "totals_row", 4, "stage", "合计", good=2, bad=1),
    header=FUNNEL,
    options=COUNTS,
)
case(
    "counts-stage-twice",
    [("Lead", "10"), ("MQL", "4"), ("MQL", "5")],
    Expected("quarantine", "counts_twice", 3, "stage", "MQL", good=1, bad=2),
    header=FUNNEL,
    options=COUNTS,
)
case(
    "counts-more-lost-than-entered",
    [("Lead", "10", "2"), ("MQL", "4", "9")],
    Expected("quarantine", "counts_do_not_add", 3, "count", "4", good=1, bad=1),
    header=(*FUNNEL, "lost"),
    options=COUNTS,
)
