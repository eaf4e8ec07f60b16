#!/usr/bin/env bash
# cmark-gfm, as in cmarkgfm 2025.10.22 (PyPI): backslash escapes hold everywhere in a text but not in an address that GFM
# makes a link by itself. `https://example.org/a\_b` becomes a link to `a%5C_b` that also shows the backslash, and
# `\<https://example.org\>` takes the escaped bracket into the address. So no word that may hold an address can be shown
# as it is by escaping its marks; `https\://example.org/a\_b` is no link, and shows what was meant.
#
# Seen:
#   <p><a href="https://example.org/a%5C_b">https://example.org/a\_b</a></p>
#   <p>&lt;<a href="https://example.org%5C%3E">https://example.org\&gt;</a></p>
#   <p>https://example.org/a_b</p>
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "cmarkgfm==2025.10.22"
"$folder/venv/bin/python" - <<'PY'
import sys

from cmarkgfm import github_flavored_markdown_to_html as shown

found = [shown(text).strip() for text in (r"https://example.org/a\_b", r"\<https://example.org\>", r"https\://example.org/a\_b")]
print(*found, sep="\n")
sys.exit("a%5C_b" not in found[0] or "%5C%3E" not in found[1] or found[2] != "<p>https://example.org/a_b</p>")
PY
