"""SQL: names and texts written as DuckDB reads them."""


def quote(name):
    """Return a column's name as SQL, its quotation marks doubled."""
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
