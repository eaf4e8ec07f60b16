#!/usr/bin/env bash
# litellm 1.110.2 (PyPI): a reply with status 200 whose message holds its content as a list of parts, as Mistral's
# reasoning models give it, becomes an InternalServerError with status 500 when the model is reached as `openai/NAME`
# at an `api_base`; the words of the error are a traceback. The OpenAI SDK below it hands the parts over.
#
# Seen:
#   openai: [{'type': 'thinking', ...}, {'type': 'text', 'text': 'Graz'}]
#   litellm: InternalServerError 500, with a traceback in its words: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.110.2"
cat > "$folder/ask.py" <<'PY'
import http.server, json, os, sys, threading, warnings

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
warnings.simplefilter("ignore")
import litellm, openai

PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Graz"}]
REPLY = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": PARTS}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
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
base, messages = f"http://127.0.0.1:{server.server_port}/v1", [{"role": "user", "content": "Where?"}]
sdk = openai.OpenAI(base_url=base, api_key="x").chat.completions.create(model="m", messages=messages)
print("openai:", sdk.choices[0].message.content)
litellm.suppress_debug_info = True
try:
    said = litellm.completion(model="openai/m", api_base=base, api_key="x", max_retries=0, messages=messages)
    print("litellm:", said.choices[0].message.content)
    sys.exit(1)
except litellm.InternalServerError as error:
    is_traceback = "Traceback" in str(error)
    print(f"litellm: InternalServerError {error.status_code}, with a traceback in its words: {is_traceback}")
    sys.exit(0 if sdk.choices[0].message.content == PARTS and error.status_code == 500 and is_traceback else 1)
PY
"$folder/venv/bin/python" "$folder/ask.py"
