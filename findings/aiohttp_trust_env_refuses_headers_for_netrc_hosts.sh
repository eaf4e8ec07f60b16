#!/usr/bin/env bash
# aiohttp 3.14.5 (PyPI): `ClientSession(trust_env=True)`, which is how the proxies of the environment are used, also
# reads ~/.netrc, and does so for every request. If the host has an entry there, a request that brings an
# `Authorization` header of its own (a bearer token, say) is not sent at all: it ends in a ValueError about an `auth`
# argument that nobody gave. So whether a program with a token works depends on whether its user has a ~/.netrc entry
# for that host. Pass the proxy yourself (`proxy=`), without trust_env, and both work.
#
# Seen:
#   trust_env, no entry: 200, Bearer token
#   trust_env, entry for the host: ValueError: Cannot combine AUTHORIZATION header with AUTH argument or credentials encoded in URL
#   no trust_env, entry for the host: 200, Bearer token
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "aiohttp==3.14.5"
cat > "$folder/ask.py" <<'PY'
import asyncio, http.server, os, sys, tempfile, threading

import aiohttp


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = self.headers.get("authorization", "nothing").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
netrc = tempfile.NamedTemporaryFile("w", suffix=".netrc")
netrc.write("machine 127.0.0.1 login ann password secret\n")
netrc.flush()


async def ask(trust_env):
    async with aiohttp.ClientSession(trust_env=trust_env) as session:
        url, headers = f"http://127.0.0.1:{server.server_port}/", {"Authorization": "Bearer token"}
        try:
            async with session.get(url, headers=headers) as response:
                return f"{response.status}, {await response.text()}"
        except ValueError as error:
            return f"{type(error).__name__}: {error}"


seen = []
for trust_env, entry in ((True, False), (True, True), (False, True)):
    os.environ["NETRC"] = netrc.name if entry else os.devnull
    seen.append(asyncio.run(ask(trust_env)))
    print(f"{'' if trust_env else 'no '}trust_env, {'entry for the host' if entry else 'no entry'}: {seen[-1]}")
sys.exit(0 if seen[0] == seen[2] == "200, Bearer token" and seen[1].startswith("ValueError: Cannot combine") else 1)
PY
env -u http_proxy -u HTTP_PROXY "$folder/venv/bin/python" "$folder/ask.py"
