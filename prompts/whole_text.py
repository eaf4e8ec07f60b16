"""Half a character is no text: what a model, a program or a worker gives is made whole where it enters."""

from typing import Annotated

from pydantic import AfterValidator

HALF = "\ufffd"
"""What stands in the place of each half of a surrogate pair; no text with one could be sent, printed or stored."""


def whole_text(text: str) -> str:
    r"""Return `text` with each half of a surrogate pair replaced; two that belong together become their character.

    What is a kind of text, as a member of an enum or a text of numpy, becomes plain text, as a store gives it back.

    >>> whole_text("rock \ud83d roll"), whole_text("\ud83d\ude00") == "\U0001f600"
    ('rock � roll', True)
    """
    if type(text) is not str:
        text = str.__str__(text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


Text = Annotated[str, AfterValidator(whole_text)]
"""Text that pydantic makes whole."""
