"""Pages without any script: one element with its style, that needs no network, and pictures for screens and paper."""

import hashlib
from base64 import b64encode
from collections.abc import Callable

from ramify.planner.export.look import ThemeName

from .markup import Markup, element, together

PutAway = Callable[[ThemeName, str], str]
"""Is given the theme and the SVG of a picture, and returns the id of the block in which a script finds it."""

_BODY = "body { margin: 2em auto; max-width: 90em; padding: 0 1.5em; background: light-dark(#ffffff, #0d1117); }\n"
_MEDIA: tuple[tuple[str, ThemeName], ...] = (("print", "print"), ("(prefers-color-scheme: dark)", "dark"))


def hash_of(words: str) -> str:
    """Return the hash of a style or a script, as a content security policy names it."""
    return f"'sha256-{b64encode(hashlib.sha256(words.encode()).digest()).decode()}'"


def plain_page(title: str, style: str, body: Markup) -> str:
    """Return a page that holds `body`, whose only style is `style`; the browser is told to run nothing."""
    style = f":root {{ color-scheme: light dark; }}\n{_BODY}{style}"
    policy = f"default-src 'none'; style-src {hash_of(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    head = together(
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("title", title),
        Markup(f"<style>{style}</style>"),
    )
    page = together(element("head", head), element("body", body))
    return f'<!DOCTYPE html>\n<html lang="en">{page}</html>\n'


def picture(draw: Callable[[ThemeName], str], words: str, *, put_away: PutAway | None = None) -> Markup:
    """Return a picture for light and dark screens and for paper, as images, in which nothing can run.

    Args:
        draw: draws it.
        words: what it shows, for who does not see it.
        put_away: keeps all but the one for light screens elsewhere in the page; all stand in place unless given.
    """

    def source(media: str, theme: ThemeName) -> str:
        if put_away is None:
            return f'<source media="{media}" srcset="{_address(draw(theme))}">'
        return f'<source media="{media}" data-block="{put_away(theme, draw(theme))}">'

    sources = "".join(source(media, theme) for media, theme in _MEDIA)
    return Markup(f'<picture>{sources}<img src="{_address(draw("light"))}" alt="{together(words)}"></picture>')


def _address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
