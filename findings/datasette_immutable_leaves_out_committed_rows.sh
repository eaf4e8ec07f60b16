#!/usr/bin/env bash
# datasette 0.65.5 (PyPI): `datasette -i FILE`, which its docs recommend for files that nobody writes to, shows a SQLite
# file in WAL mode without the rows that are committed and not checkpointed yet, and says nothing about it. Whatever has
# written the file may have ended long ago (a process that was killed leaves its WAL behind). Without -i they are there.
#
# Seen:
#   datasette FILE: 2 rows
#   datasette -i FILE: 1 row
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "datasette==0.65.5"
cat > "$folder/write.py" <<'PY'
import os
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE runs (id TEXT)")
database.execute("INSERT INTO runs VALUES ('r1')")
database.commit()
database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
database.execute("INSERT INTO runs VALUES ('r2')")
database.commit()
os._exit(0)  # as a process that is killed: the second row is committed, and in the WAL
PY
"$folder/venv/bin/python" "$folder/write.py" "$folder/f.db"
rows() { "$folder/venv/bin/datasette" serve "$@" "$folder/f.db" --get "/f/runs.json?_shape=array" | grep -o '"id"' | wc -l; }
hidden=$(rows -i)
all=$(rows)
echo "datasette FILE: $all rows"
echo "datasette -i FILE: $hidden row"
[ "$all" -eq 2 ] && [ "$hidden" -eq 1 ]
