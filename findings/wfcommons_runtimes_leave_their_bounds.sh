#!/usr/bin/env bash
# WfCommons 1.6 (PyPI): a recipe says how long the tasks of each kind took in recorded runs, `min` and `max`, and the
# generator calls these the least and the most that are "accepted". A drawn time keeps neither: it is a draw of the
# fitted distribution, at least 0.1, times `max`. So a heavy tail makes single tasks many times as long as any that was
# recorded, and their chain decides how long the whole workflow takes; short kinds never come below a tenth of `max`,
# whatever `min` is; and kinds whose fit is a point take `max`, every one of them. Look at `task.runtime` against the
# recipe before a schedule is judged by such a workflow, or clip and draw the times yourself.
#
# Seen, in five Montage workflows of about 1,000 tasks:
#   mBgModel: recorded 0.388 to 110.529 s; generated 11.053 to 21040.231 s, 4 of 25 above the most
#   mDiffFit: recorded 0.003 to 46.525 s; generated 46.525 to 46.525 s, 0 of 3,910 above the most
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "wfcommons==1.6" "scipy==1.17.1" "numpy==2.4.6"
cat > "$folder/draw.py" <<'PY'
import random
import sys

import numpy as np
from wfcommons.wfchef.recipes import MontageRecipe

took = {"mBgModel": [], "mDiffFit": []}
for seed in range(1, 6):
    random.seed(seed)
    np.random.seed(seed)
    recipe = MontageRecipe.from_num_tasks(1000)
    for task in recipe.build_workflow().tasks.values():
        if task.program in took:
            took[task.program].append(task.runtime)
for kind, seconds in took.items():
    said = recipe._workflow_recipe()[kind]["runtime"]
    above = sum(each > said["max"] for each in seconds)
    print(f"{kind}: recorded {said['min']} to {said['max']} s; generated {min(seconds)} to {max(seconds)} s,"
          f" {above} of {len(seconds):,} above the most")
    took[kind] = (above, min(seconds) / said["min"], max(seconds) / said["max"], min(seconds) == max(seconds))
model, fit = took["mBgModel"], took["mDiffFit"]
sys.exit(0 if model[0] and model[2] > 5 and model[1] > 10 and fit[3] and fit[1] > 1000 else 1)
PY
PYTHONHASHSEED=0 "$folder/venv/bin/python" "$folder/draw.py"
