#!/usr/bin/env bash
# arize-phoenix 20.26.1 (PyPI): of a span by OpenTelemetry's conventions for generative AI, the output is the model's name.
#
# A `chat` span that says `gen_ai.response.model` and `gen_ai.output.messages` is shown, where Phoenix lists spans and
# traces, with the output {"model": ...}; the words stand in the details alone. An output message without a
# `finish_reason`, as the example in the conventions' present text (client inference) has it, is dropped, with all
# others beside it. `invoke_workflow` and `plan`, operations of the conventions, are of no kind.
# What helps: `output.value` and `openinference.span.kind` of one's own, which Phoenix leaves as they are.
#
# Seen:
#   output of a call: {"model": "m-1"}
#   output messages, with a finish_reason and without: 1 0
#   kinds of invoke_workflow, plan, invoke_agent: None None AGENT
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check arize-phoenix==20.26.1
cd "$folder"
"$folder/env/bin/python" - <<'PY'
import json

from phoenix.trace.gen_ai.conversion import get_openinference_attributes as shown

said = {"role": "assistant", "parts": [{"type": "text", "content": "4"}]}
call = {"gen_ai.operation.name": "chat", "gen_ai.response.model": "m-1"}


def messages(message: dict) -> int:
    found = shown({**call, "gen_ai.output.messages": json.dumps([message])})
    return sum(name.endswith(".message.content") for name in found)


output = shown({**call, "gen_ai.output.messages": json.dumps([{**said, "finish_reason": "stop"}])})["output.value"]
counts = messages({**said, "finish_reason": "stop"}), messages(said)
names = ("invoke_workflow", "plan", "invoke_agent")
kinds = [shown({"gen_ai.operation.name": name}).get("openinference.span.kind") for name in names]
print("output of a call:", output)
print("output messages, with a finish_reason and without:", *counts)
print("kinds of invoke_workflow, plan, invoke_agent:", *kinds)
raise SystemExit((json.loads(output), counts, kinds) != ({"model": "m-1"}, (1, 0), [None, None, "AGENT"]))
PY
