"""Pages without any script: one element with its style, that needs no network, and pictures for screens and paper."""

import hashlib
from base64 import b64encode
from collections.abc import Callable

from ramify.planner.export.look import ThemeName

from .markup import Markup, element, together

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


def picture(draw: Callable[[ThemeName], str], words: str) -> Markup:
    """Return a picture for light and dark screens and for paper, as images, in which nothing can run."""

    def address(theme: ThemeName) -> str:
        return f"data:image/svg+xml;base64,{b64encode(draw(theme).encode()).decode()}"

    sources = "".join(f'<source media="{media}" srcset="{address(theme)}">' for media, theme in _MEDIA)
    return Markup(f'<picture>{sources}<img src="{address("light")}" alt="{together(words)}"></picture>')
