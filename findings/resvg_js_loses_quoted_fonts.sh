#!/usr/bin/env bash
# @resvg/resvg-js 2.6.2 (npm): in a list of fonts, a quoted name behind a comma and a space is lost, though CSS and SVG
# allow it; the default font is taken. The same name without quotes, or without the space, is found.
#
# Seen (first six digits of the md5 of each picture; A is what DejaVu Serif draws):
#   DejaVu Serif              A
#   Nope, DejaVu Serif        A
#   Nope, 'DejaVu Serif'      B
#   'Nope','DejaVu Serif'     A
# Source of what is valid: https://www.w3.org/TR/css-fonts-4/#font-family-prop
set -euo pipefail
font=$(fc-match -f '%{file}' 'DejaVu Serif:style=Book')
case $font in *DejaVuSerif*) ;; *) echo "needs the font DejaVu Serif (fonts-dejavu-core or -extra)"; exit 2 ;; esac
other=$(fc-match -f '%{file}' 'DejaVu Sans Mono:style=Book')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-package-lock --no-audit --no-fund @resvg/resvg-js@2.6.2 >/dev/null
cat > draw.js <<'JS'
const { Resvg } = require("@resvg/resvg-js");
const { createHash } = require("crypto");
const [serif, mono] = process.argv.slice(2);
const draw = (family) => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="300" height="60" font-size="28">
    <text x="5" y="40" font-family="${family}">Rag bridge</text></svg>`;
  const font = { loadSystemFonts: false, fontFiles: [serif, mono], defaultFontFamily: "DejaVu Sans Mono" };
  return createHash("md5").update(new Resvg(svg, { font }).render().asPng()).digest("hex").slice(0, 6);
};
const names = ["DejaVu Serif", "Nope, DejaVu Serif", "Nope, 'DejaVu Serif'", "'Nope','DejaVu Serif'"];
const [plain, unquoted, quoted, close] = names.map(draw);
names.forEach((name, place) => console.log(name.padEnd(25), [plain, unquoted, quoted, close][place]));
process.exit(plain === unquoted && plain === close && plain !== quoted ? 0 : 1);
JS
node draw.js "$font" "$other"
