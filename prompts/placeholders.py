"""Templates that are plain strings, as CAMEL's users write them: `{content}` is filled, everything else stays."""

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\{(content|role_name|other_results)\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return `template` with `{content}`, `{role_name}` and `{other_results}` replaced, in one pass.

    A name without a value stays as it is, and so does every other brace, so that a template may hold JSON. What a
    value holds is not looked at again.

    Source: the placeholders of `camel.tasks.task_prompt`.

    >>> fill('{role_name}: {content} as {"json": {}}', {"role_name": "Ann", "content": "list {role_name}"})
    'Ann: list {role_name} as {"json": {}}'
    """
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
