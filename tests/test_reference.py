"""The pages that are made from the code are up to date."""

import pytest

from .reference import DOCS, PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_is_made_from_the_code_is_up_to_date(page: str) -> None:
    written = (DOCS / page).read_text(encoding="utf-8")
    assert written == PAGES[page](), f"docs/{page} is out of date; `make docs` writes it anew"


def test_every_command_has_an_example_or_a_word_about_itself() -> None:
    text = PAGES["commands.md"]()
    for block in text.split("\n## ")[1:]:
        head, _, rest = block.partition("\n")
        assert len(rest.strip().splitlines()[0]) > 20, head
