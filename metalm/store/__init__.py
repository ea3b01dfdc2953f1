"""DuckDB: the schema, its migrations, and every SQL statement. Rows leave as dataclasses or DataFrames."""
