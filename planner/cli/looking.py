"""`models` and `doctor`: what can be used here, and what is missing."""

from collections.abc import Mapping
from typing import Any

from .flags import takes


@takes("as_json")
def models(given: Mapping[str, Any]) -> int:
    """List models, and whether you can use them.

    Example: ramify models
    """
    from dataclasses import asdict

    from ramify.planner.models.gguf.listing import list_gguf
    from ramify.planner.models.registry import list_models

    from .output import print_json, print_table, tell

    found = list_models() + list_gguf()
    if given["as_json"]:
        print_json({"models": [asdict(each) for each in found]})
        return 0
    rows = [(each.name, "yes" if each.is_usable else "no", each.missing or each.about) for each in found]
    print_table(("model", "usable here", "about"), rows)
    tell("any other model that litellm knows works too, and so does any OpenAI-compatible server with --base-url")
    return 0


@takes("store", "as_json")
def doctor(given: Mapping[str, Any]) -> int:
    """Check models, servers, packages and the store.

    Exits with 3 if the configured model cannot be used.

    Example: ramify doctor
    """
    from .checkup import examine
    from .output import print_json, print_text

    findings = examine(given["store"])
    if given["as_json"]:
        print_json({"findings": [finding.to_data() for finding in findings]})
    else:
        print_text("\n".join(str(finding) for finding in findings))
    return 3 if any(finding.is_fatal for finding in findings) else 0


COMMANDS = {"models": models, "doctor": doctor}
