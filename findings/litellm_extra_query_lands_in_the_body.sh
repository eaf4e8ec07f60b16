#!/usr/bin/env bash
# litellm 1.110.2 (PyPI; 1.105.3 too): `acompletion(extra_query={...})` for an `openai/` model does not put the
# parameters behind the `?` of the address, as the argument of that name of the OpenAI SDK below it does: they are sent
# as a field "extra_query" of the JSON body, and the request goes out without them.
#
# Seen:
#   path /v1/chat/completions, body has extra_query: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.110.2"
cat > "$folder/ask.py" <<'PY'
import asyncio, http.server, json, sys, threading

import litellm

seen = []
REPLY = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        seen.append((self.path, "extra_query" in body))
        data = json.dumps(REPLY).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}/v1"
asked = {"model": "openai/m", "messages": [{"role": "user", "content": "x"}], "api_key": "k", "max_retries": 0}
asyncio.run(litellm.acompletion(**asked, api_base=base, extra_query={"token": "T"}))
path, is_in_body = seen[0]
print(f"path {path}, body has extra_query: {is_in_body}")
sys.exit(0 if seen == [("/v1/chat/completions", True)] else 1)
PY
LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" -W ignore "$folder/ask.py" 2>/dev/null
