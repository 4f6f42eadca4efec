"""Database: the same deals through DuckDB, SQLite and a real PostgreSQL server; read only, no password shown."""

import json
import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import duckdb
import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.language.errors import DataError
from funnelkit.reading.containers.database import _reason, shown
from funnelkit.reading.containers.options import Bounds
from funnelkit.reading.read import read
from tests.support.postgres import programs, server

DATA = Path(__file__).parents[4] / "shared" / "data"
pytest.importorskip("sqlalchemy", reason="the extra sql is not installed")
STAGES = ["Lead", "Offer", "Won"]
PASSWORD = "p@ss/w#rd:é?x"
LONG = 9_007_199_254_740_993_001  # a float does not hold it
ROWS = [
    (LONG, '华东 "Acme" \'; DROP TABLE deals; --', "Lead", Decimal("1234567.89"), date(2026, 1, 5), None),
    (7, "=1+1", "Won", Decimal("0.10"), date(2026, 1, 6), date(2026, 2, 1)),
    (8, None, "Lost", None, date(2026, 1, 7), date(2026, 2, 2)),
]
COLUMNS = ("deal_id", "account", "stage", "amount", "created", "closed")
NASTY = 'x"; DROP TABLE deals; --'
TYPES = "deal_id BIGINT PRIMARY KEY, account TEXT, stage TEXT, amount NUMERIC(20,2), created DATE, closed DATE"


def statements():
    """Return what makes the tables, in the SQL that all three understand."""
    odd = NASTY.replace('"', '""')
    return (
        f"CREATE TABLE deals ({TYPES})",
        f'CREATE TABLE "{odd}" (id TEXT, "sta""ge" TEXT, "a;b" TEXT)',
        f"INSERT INTO \"{odd}\" VALUES ('007', 'Lead', 'x')",
        "CREATE TABLE history (deal_id BIGINT, stage TEXT, entered_at TIMESTAMP)",
        "INSERT INTO history VALUES (7, 'Lead', '2026-01-06 09:30:00'), (7, 'Won', '2026-02-01 10:00:00')",
    )


def make_duckdb(path):
    with duckdb.connect(str(path)) as connection:
        for statement in statements():
            connection.execute(statement)
        connection.executemany("INSERT INTO deals VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    return f"duckdb:///{path}"


def make_sqlite(path):
    connection = sqlite3.connect(path)
    for statement in statements():
        connection.execute(statement)
    rows = [[None if cell is None else str(cell) if type(cell) is not int else cell for cell in row] for row in ROWS]
    connection.executemany("INSERT INTO deals VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def postgresql():
    pytest.importorskip("pg8000", reason="the extra sql is not installed")
    if programs() is None:
        pytest.skip("no PostgreSQL server is installed here (apt-get install postgresql)")
    import pg8000.native

    with server(PASSWORD) as port:
        place = {"user": "owner", "host": "127.0.0.1", "port": port, "database": "postgres", "password": PASSWORD}
        connection = pg8000.native.Connection(**place)
        for statement in statements():
            connection.run(statement)
        names = ", ".join(f":{name}" for name in COLUMNS)
        for row in ROWS:
            connection.run(f"INSERT INTO deals VALUES ({names})", **dict(zip(COLUMNS, row, strict=True)))
        yield connection, port
        connection.close()


@pytest.fixture(params=["duckdb", "sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        _, port = request.getfixturevalue("postgresql")
        return f"postgresql://owner:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
    make = make_duckdb if request.param == "duckdb" else make_sqlite
    return make(tmp_path / f"c r m.{request.param}")


def refused(*sources, **options):
    with pytest.raises(DataError) as caught:
        read(*sources, stages=STAGES, **options)
    return caught.value


def test_types_and_text_survive(url):
    pipeline = read(f"{url}#deals", stages=STAGES)
    deals = pipeline.deals.set_index("deal_id")
    assert list(deals.index) == ["7", "8", str(LONG)]  # in the order of the primary key
    assert deals.loc[str(LONG), "account"] == ROWS[0][1] and deals.loc["7", "account"] == "=1+1"
    assert pd.isna(deals.loc["8", "account"])
    assert deals["status"].to_dict() == {"7": "won", "8": "lost", str(LONG): "open"}
    assert (deals.loc["7", "amount"], pipeline.amount_total) == (0.1, 1234567.99)
    assert deals.loc["8", "closed_at"] == pd.Timestamp("2026-02-02")
    assert (pipeline.rows.rows_in, pipeline.rows.good) == (3, 3)


def test_deals_and_history_of_one_database(url):
    pipeline = read(f"{url}#deals", f"{url}#history", stages=STAGES)
    entered = pipeline.events[pipeline.events["deal_id"] == "7"]
    assert entered["stage"].tolist() == ["Lead", "Won"] and (entered["source"] == "history").all()
    assert entered["entered_at"].iloc[0] == pd.Timestamp("2026-01-06 09:30")


def test_names_come_from_the_catalogue(url):
    assert "nearest" in (error := refused(f"{url}#deal")).values and error.key == "no_such_table"
    assert "deals" in error.say("zh") and error.values["nearest"].startswith("deals")
    assert (error := refused(url)).key == "table_needed" and "history" in str(error)
    hostile = refused(url, table="deals; DROP TABLE deals; --")
    assert hostile.key == "no_such_table"
    odd = {"table": NASTY, "map": {"stage": 'sta"ge'}}
    pipeline = read(url, stages=STAGES, **odd)
    assert pipeline.deals[["deal_id", "a;b"]].to_numpy().tolist() == [["007", "x"]]
    assert read(f"{url}#deals", stages=STAGES).rows.rows_in == 3


def test_more_rows_than_the_limit_are_refused_not_cut(url):
    error = refused(f"{url}#deals", bounds=Bounds(table_rows=2))
    assert error.key == "too_many_rows" and "2" in str(error)
    assert read(f"{url}#deals", stages=STAGES, bounds=Bounds(table_rows=3)).rows.good == 3


def test_a_file_is_known_by_its_content(tmp_path):
    for make in (make_duckdb, make_sqlite):
        path = tmp_path / f"{make.__name__}.db"
        make(path)
        pipeline = read(path, stages=STAGES, table="DEALS")
        assert len(pipeline.deals) == 3 and pipeline.findings[0].rule == "table_found"


# --- nothing is changed, nothing outside is reached ---


def test_files_and_their_folder_stay_as_they_are(tmp_path):
    journaled = tmp_path / "wal.db"
    make_sqlite(journaled)
    connection = sqlite3.connect(journaled)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    make_duckdb(tmp_path / "d.duckdb")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in before:
        read(tmp_path / name, stages=STAGES, table="deals")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_view_reaches_no_file(tmp_path):
    (tmp_path / "secret.csv").write_text("id,stage\nA,Lead\n")
    path = tmp_path / "v.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE VIEW leak AS SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    assert refused(path).key == "database_unreadable"


def test_times_with_a_zone_come_in_utc_from_duckdb(tmp_path):
    path = tmp_path / "z.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE deals (deal_id INT, stage TEXT, created TIMESTAMPTZ, closed TIMESTAMPTZ)")
        for row in ((1, "Won", "2026-01-05 20:00:00+08", "2026-02-01 01:00:00+02"), (2, "Lead", "infinity", None)):
            connection.execute("INSERT INTO deals VALUES (?, ?, ?, ?)", row)
    deals = read(path, stages=["Lead", "Won"]).deals.set_index("deal_id")
    assert deals.loc["1", ["created_at", "closed_at"]].tolist() == [
        pd.Timestamp("2026-01-05 12:00"), pd.Timestamp("2026-01-31 23:00")
    ]  # fmt: skip
    assert deals.loc["2", ["created_at", "closed_at"]].isna().all()


def test_postgresql_cannot_be_written_through_a_view(postgresql):
    connection, port = postgresql
    connection.run("CREATE TABLE trace (n INT)")
    connection.run("CREATE FUNCTION note() RETURNS TEXT LANGUAGE sql AS 'INSERT INTO trace VALUES (1) RETURNING 1'")
    connection.run("CREATE VIEW evil AS SELECT note() AS id, 'Lead' AS stage")
    error = refused(f"postgresql://owner:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres#evil")
    assert error.key == "database_unreadable" and "read-only" in str(error)
    assert connection.run("SELECT count(*) FROM trace") == [[0]]


def test_postgresql_own_types(postgresql):
    connection, port = postgresql
    connection.run(
        "CREATE TABLE typed (id UUID, stage TEXT, created TIMESTAMPTZ, tags TEXT[], extra JSONB, hot BOOLEAN, x BYTEA)"
    )
    connection.run(
        "INSERT INTO typed VALUES ('6f2c0000-0000-4000-8000-000000000001', 'Lead', '2026-01-05 10:00:00+08', "
        "'{a,b}', '{\"k\": 1}', true, '\\x00ff')"
    )
    url = f"postgresql://owner:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres#typed"
    deal = read(url, stages=STAGES, timezone="UTC").deals.iloc[0]
    assert deal["deal_id"] == "6f2c0000-0000-4000-8000-000000000001"
    assert deal["created_at"] == pd.Timestamp("2026-01-05 02:00")
    assert (deal["tags"], deal["extra"], deal["hot"], deal["x"]) == ('["a", "b"]', '{"k": 1}', "true", "0x00ff")


# --- passwords ---


def test_no_password_in_what_the_command_says(postgresql, capsys, monkeypatch):
    _, port = postgresql
    good, wrong = quote(PASSWORD, safe=""), "wrong%2Fhorse"
    place = f"127.0.0.1:{port}/postgres"
    for address, code in (
        (f"postgresql://owner:{good}@{place}#deals", 0),
        (f"postgresql://owner:{wrong}@{place}#deals", 2),
        (f"postgresql://owner:{PASSWORD}@{place}#deals", None),  # not encoded: may fail, may not tell
        (f"postgresql://owner:{wrong}@127.0.0.1:1/postgres", 2),
        (f"postgresql://owner:{wrong}@{place}?password=hunter2", 2),
        (f"mysql://owner:{wrong}@db/crm", 2),
    ):
        ended = cli.main(["check", address, "--stages", "Lead,Offer,Won", "--json", "--lang", "en"])
        out = "".join(capsys.readouterr())
        assert code is None or ended == code, out
        for secret in (PASSWORD, good, wrong, "wrong/horse", "hunter2", "p@ss"):
            assert secret not in out
        assert json.loads(out)["file"].split("://")[0] in ("postgresql", "mysql")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert cli.main(["check", f"postgresql://owner@{place}#deals", "--stages", "Lead,Offer,Won"]) == 0


def test_no_password_in_a_report_either(tmp_path, capsys):
    address = "postgresql://owner:hunter2@127.0.0.1:1/crm#deals"
    assert cli.main(["report", "--data", address, "--out", str(tmp_path), "--lang", "en"]) == 2
    assert "hunter2" not in "".join(capsys.readouterr())
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()


def test_what_is_shown_of_a_url():
    assert shown("postgresql://u:p%40:x@h/d?a=b#t") == "postgresql://u@h/d#t"
    assert shown("postgresql://u:p#x@h/d") == "postgresql://u@h/d"
    assert "s3cret" not in _reason(ValueError("no s3cret here"), "u:s3cret@h/d")


def test_what_is_no_database_says_so(tmp_path):
    broken = tmp_path / "b.db"
    broken.write_bytes(b"SQLite format 3\0" + b"rubbish" * 500)
    assert refused(broken).key == "database_unreadable"
    assert refused("sqlite:///nowhere.db").key == "no_such_file"
    error = refused(f"sqlite://{broken}")  # three slashes: the path begins below this folder
    assert error.key == "absolute_url" and str(error).endswith(f"four slashes: sqlite:///{broken}")
    assert refused("ftp://x/y.csv").key == "database_kind"
    empty = tmp_path / "e.db"
    connection = sqlite3.connect(empty)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert refused(empty).key == "table_needed"


@pytest.mark.skipif(not DATA.exists(), reason="real data sets are not in this checkout")
def test_the_real_export_is_the_same_from_a_database(tmp_path):
    path = DATA / "maven_crm" / "sales_pipeline.csv"
    plain = read(path, as_of="2017-12-31")
    with duckdb.connect(str(tmp_path / "m.duckdb")) as connection:
        connection.execute("CREATE TABLE pipeline AS SELECT * FROM read_csv(?)", [str(path)])
    stored = read(tmp_path / "m.duckdb", as_of="2017-12-31")
    pd.testing.assert_frame_equal(plain.deals, stored.deals)
    pd.testing.assert_frame_equal(plain.events, stored.events)
    assert stored.amount_total == plain.amount_total == 10_005_534
