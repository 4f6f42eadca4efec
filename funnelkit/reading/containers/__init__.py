"""What a source comes in: CSV, Excel, JSON, Parquet, a database."""
