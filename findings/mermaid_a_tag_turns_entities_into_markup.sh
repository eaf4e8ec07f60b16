#!/usr/bin/env bash
# mermaid 11.17.0 (npm), flowcharts: `#36;` and the like are the documented way to write a character as it is. They are
# that only in a label without a tag. One `<br/>` anywhere in the label, and entities are decoded before formulas, icons
# and `\n` are looked for: `#36;#36; #38; #36;#36;` ends in a KaTeX error, and no diagram is drawn at all. A line break
# in place of the tag keeps all as written; so it is in 10.9.3, 11.4.1 and 11.12.0. With `htmlLabels: false` it is the
# other way round: entities are decoded only in a label with a tag. In a title no spelling of `<` is shown as it is.
#
# Seen:
#   tag, dollars: no diagram: KaTeX parse error
#   tag, path: one / C: / ew
#   tag, icon: one / take home
#   line break, all three as written: yes
#   htmlLabels false, line break: "&#36;" is shown
#   title "List<int> x": "List x"
set -euo pipefail
chromium=$(command -v chromium || command -v chromium-browser || { echo "needs chromium"; exit 2; })
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent mermaid@11.17.0 >/dev/null
tar xzf mermaid-11.17.0.tgz package/dist/mermaid.min.js
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "playwright==1.65.2"
cat > draw.py <<'PY'
import sys

from playwright.sync_api import Error, sync_playwright

DRAW = """async ([text, config]) => {
  mermaid.initialize({startOnLoad: false, ...config});
  document.body.innerHTML = (await mermaid.render("drawn", text)).svg;
}"""
WORDS = {"dollars": "$$ & $$", "path": r"C:\new", "icon": "take fa:fa-car home"}
entities = lambda words: "".join(c if c.isalnum() or c == " " else f"#{ord(c)};" for c in words)
label = lambda end, words: f'flowchart LR\n  a["one{end}{entities(words)}"]\n'

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
    page = browser.new_page()
    page.add_script_tag(path="package/dist/mermaid.min.js")

    def shown(text, **config):
        """Draw `text`; return why there is no diagram, or nothing."""
        try:
            page.evaluate(DRAW, [text, config])
        except Error as error:
            return "no diagram: KaTeX parse error" if "KaTeX" in str(error) else f"no diagram: {error}"
        return ""

    found = []
    for name, words in WORDS.items():
        text = shown(label("<br/>", words)) or " / ".join(page.locator(".nodeLabel").first.inner_text().split("\n"))
        print(f"tag, {name}: {text}")
        found.append(words not in text)
    kept = []
    for words in WORDS.values():
        shown(label("\n", words))
        kept.append(page.locator(".nodeLabel").first.inner_text() == f"one\n{words}")
    print("line break, all three as written:", "yes" if all(kept) else kept)
    shown(label("\n", "$"), htmlLabels=False, flowchart={"htmlLabels": False})
    undecoded = "&#36;" in page.locator(".node").first.text_content()
    print('htmlLabels false, line break: "&#36;" is shown' if undecoded else "htmlLabels false: decoded")
    shown('---\ntitle: "List<int> x"\n---\nflowchart LR\n  a\n')
    title = page.locator(".flowchartTitleText").text_content()
    print(f'title "List<int> x": "{title}"')
    browser.close()
sys.exit(0 if all(found) and all(kept) and undecoded and title == "List x" else 1)
PY
venv/bin/python draw.py "$chromium"
