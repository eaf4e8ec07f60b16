#!/usr/bin/env bash
# litellm 1.105.3 (PyPI), `anthropic/` models: an assistant's message that only calls tools, with `content: ""` as many
# OpenAI-like servers send it, reaches Anthropic with a text of litellm's own as if the model had said it. With
# `content: None` it does not. Anthropic takes a message of `tool_use` blocks alone, so no text is needed; there is no
# setting that turns it off (BerriAI/litellm issue 24498).
#
# Seen:
#   "": [System: Empty message content sanitised to satisfy protocol]
#   None: (no text)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.105.3"
cat > "$folder/ask.py" <<'PY'
import asyncio, http.server, json, sys, threading

import litellm

seen = []
REPLY = {
    "id": "1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 1, "output_tokens": 1},
}


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = next(each["content"] for each in body["messages"] if each["role"] == "assistant")
        seen.append([block["text"] for block in said if block["type"] == "text"])
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
call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
parameters = {"type": "object", "properties": {}}
tools = [{"type": "function", "function": {"name": "look", "description": "Look.", "parameters": parameters}}]
for content in ("", None):
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": content, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "Seen."},
    ]
    asyncio.run(
        litellm.acompletion(
            model="anthropic/claude-sonnet-4-5", messages=messages, tools=tools, api_key="k", max_retries=0,
            api_base=f"http://127.0.0.1:{server.server_port}",
        )
    )
    print(f"{json.dumps(content).replace('null', 'None')}: {' '.join(seen[-1]) or '(no text)'}")
sys.exit(0 if len(seen) == 2 and "sanitised" in " ".join(seen[0]) and not seen[1] else 1)
PY
LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" -W ignore "$folder/ask.py" 2>/dev/null
