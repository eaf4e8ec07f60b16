"""Problems of blocks world by chance, and the example that solves them."""

from importlib.util import module_from_spec, spec_from_file_location
from random import Random
from typing import Any

from .documented import ROOT

FOLDER = ROOT / "examples" / "blocks"


def _example() -> Any:
    spec = spec_from_file_location("blocks_example", FOLDER / "blocks.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BLOCKS = _example()


def problem(size: int, random: Random) -> tuple[dict[str, str], dict[str, str]]:
    """Return on what each of so many blocks stands, and on what it is to stand."""
    return _towers(size, random), _towers(size, random)


def _towers(size: int, random: Random) -> dict[str, str]:
    blocks = [f"b{number}" for number in range(size)]
    random.shuffle(blocks)
    world: dict[str, str] = {}
    tops = ["table"]
    for block in blocks:
        below = random.choice(tops)
        world[block] = below
        tops = [*(top for top in tops if top == "table" or top != below), block]
    return world
