#!/usr/bin/env bash
# polars 2.1.0 with connectorx 0.4.6 (PyPI): `read_database_uri("SELECT ...", "sqlite://...")`, the usual way to read
# SQLite, takes the type of a computed column from its first row alone. If that row is NULL it reads nothing, and if it
# is a whole number where a later one has a fraction it reads nothing either; SQLite itself answers both. So the same
# query works or fails by the order of the rows. Columns of a table are fine, as their declared types are taken.
#
# Seen:
#   a column of the table: [None, 1.5]
#   the same, computed: RuntimeError: Cannot infer type from null for SQLite
#   coalesce(took, 0): RuntimeError: Invalid column type Real at index: 0, name: took
#   coalesce(took, 0.0): [0.0, 1.5]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "polars==2.1.0" "connectorx==0.4.6" "pyarrow"
cat > "$folder/read.py" <<'PY'
import sqlite3
import sys

import polars as pl

place = sys.argv[1]
with sqlite3.connect(place) as database:
    database.execute("CREATE TABLE runs (took FLOAT)")
    database.executemany("INSERT INTO runs VALUES (?)", [(None,), (1.5,)])
database.close()


def read(column):
    try:
        return str(pl.read_database_uri(f"SELECT {column} FROM runs", f"sqlite://{place}").to_series().to_list())
    except RuntimeError as error:
        return f"RuntimeError: {error}"


seen = {
    "a column of the table": read("took"),
    "the same, computed": read("took * 1 AS took"),
    "coalesce(took, 0)": read("coalesce(took, 0) AS took"),
    "coalesce(took, 0.0)": read("coalesce(took, 0.0) AS took"),
}
print("\n".join(f"{name}: {said}" for name, said in seen.items()))
expected = {
    "a column of the table": "[None, 1.5]",
    "the same, computed": "RuntimeError: Cannot infer type from null for SQLite",
    "coalesce(took, 0)": "RuntimeError: Invalid column type Real at index: 0, name: took",
    "coalesce(took, 0.0)": "[0.0, 1.5]",
}
sys.exit(0 if seen == expected else 1)
PY
"$folder/venv/bin/python" "$folder/read.py" "$folder/runs.db"
