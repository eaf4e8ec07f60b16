#!/usr/bin/env bash
# protego 0.7.0 (PyPI): `Allow: /index.html` opens `/` as well, and a group for "Frie" is one for "Friend/1.0".
#
# RFC 9309, 2.2.2: the rule with the most octets that fits decides; `/index.html` does not fit the path `/`, so with
# `Disallow: /` beside it `/` is closed. protego takes a rule that ends in `/index.html` for one about `/` too.
# RFC 9309, 2.2.1: a group is ours if it names our product token ("Friend", whatever its case). protego takes a group
# whose name is how our token begins ("Frie"), and so leaves out the group for all ("*").
#
# Seen:
#   / with "Disallow: /" and "Allow: /index.html": fetched
#   /x with "Disallow: /x" for all and a group for Frie: fetched
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check protego==0.7.0
"$folder/env/bin/python" - <<'PY'
from protego import Protego


def told(rules: str, path: str) -> str:
    return "fetched" if Protego.parse(rules).can_fetch(f"http://a.example{path}", "Friend/1.0") else "closed"


root = told("User-agent: *\nDisallow: /\nAllow: /index.html\n", "/")
prefix = told("User-agent: *\nDisallow: /x\n\nUser-agent: Frie\nDisallow: /y\n", "/x")
print('/ with "Disallow: /" and "Allow: /index.html":', root)
print('/x with "Disallow: /x" for all and a group for Frie:', prefix)
raise SystemExit((root, prefix) != ("fetched", "fetched"))
PY
