#!/usr/bin/env bash
# @terrastruct/d2 0.1.33 (npm; the Go program as WebAssembly): "escape as you would in other languages", its pages say of
# texts in double quotes. `\"`, `\\`, `\n` and `\t` are read so; of any other escape the backslash is dropped without a
# word. So a JSON text is no D2 text: `json.dumps` and its like write "é" as `\u00e9`, and the label says "cafu00e9".
# Write such characters as they are, and put a backslash before quote, backslash and dollar alone: `${` is looked for in
# double quotes too.
#
# Seen:
#   "caf\u00e9": cafu00e9
#   "\u6f22\u5b57": u6f22u5b57
#   "\x41 \/": x41 /
#   "say \"hi\" \\ \${x}": say "hi" \ ${x}
#   "漢字": 漢字
set -euo pipefail
command -v node >/dev/null || { echo "needs node"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @terrastruct/d2@0.1.33 >/dev/null
tar xzf terrastruct-d2-0.1.33.tgz package/package.json package/dist/node-esm
cat > read.mjs <<'JS'
import { D2 } from "./package/dist/node-esm/index.js";
const expected = new Map([
  [String.raw`"caf\u00e9"`, "cafu00e9"],
  [String.raw`"\u6f22\u5b57"`, "u6f22u5b57"],
  [String.raw`"\x41 \/"`, "x41 /"],
  [String.raw`"say \"hi\" \\ \${x}"`, String.raw`say "hi" \ ${"${x}"}`],
  ['"漢字"', "漢字"],
]);
const text = [...expected.keys()].map((label, place) => `n${place}: ${label}`).join("\n");
const { diagram } = await new D2().compile(text);
const labels = new Map(diagram.shapes.map((shape) => [shape.id, shape.label]));
let same = true;
[...expected].forEach(([label, meant], place) => {
  console.log(`${label}: ${labels.get(`n${place}`)}`);
  same &&= labels.get(`n${place}`) === meant;
});
process.exit(same ? 0 : 1);
JS
node --liftoff-only read.mjs  # without optimizing what runs once
