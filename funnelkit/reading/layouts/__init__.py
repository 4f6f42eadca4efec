"""How a table is laid out: which column means what, which stages there are."""
