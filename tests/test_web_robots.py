"""What a robots.txt lets us fetch: the cases of RFC 9309, and the rules that sites write beside it."""

import pytest
from ramify.planner.errors import RefusedError
from ramify.planner.web.robots import RobotRules
from ramify.planner.web.urls import read_url

AGENT = "Friend/1.2 (+https://friend.example)"


def may(rules: str, path: str, agent: str = AGENT) -> bool:
    try:
        RobotRules(rules).check(read_url(f"http://a.example{path}"), agent)
    except RefusedError:
        return False
    return True


@pytest.mark.fault("6.1")
@pytest.mark.parametrize(
    ("rules", "allowed", "refused"),
    [
        ("Disallow: /*.pdf$", ["/a.html", "/a.pdf?page=2", "/a.pdf.html"], ["/a.pdf", "/deep/er/b.pdf"]),
        ("Allow: /\nDisallow: /private", ["/", "/public"], ["/private", "/private/x", "/privateer"]),
        ("Disallow: /\nAllow: /page", ["/page", "/pages"], ["/", "/other"]),
        ("Allow: /page\nDisallow: /*.htm", ["/page", "/page.ht"], ["/page.htm", "/x.htm"]),
        ("Disallow: /same\nAllow: /same", ["/same"], []),  # of two rules that are equally long, the one that allows
        ("Disallow: /fish*", ["/Fish", "/x/fish"], ["/fish", "/fish/salmon", "/fishing"]),
        ("Disallow: /a/*/c", ["/a/c"], ["/a/b/c", "/a/b/b/c/d"]),
        ("Disallow: /x$", ["/x/", "/xy"], ["/x"]),
        ("Disallow: /%E3%83%84\nDisallow: /a%3cd", ["/b"], ["/%e3%83%84", "/a%3Cd"]),
        ("Disallow: /?", ["/"], ["/?q=1"]),
        ("Disallow: # nothing", ["/", "/a"], []),
        ("Disallow: /", ["/robots.txt"], ["/", "/index.html"]),
        ("Noindex: /a\nDisallow: /b", ["/a"], ["/b"]),
    ],
)
def test_the_longest_rule_that_fits_decides(rules: str, allowed: list[str], refused: list[str]) -> None:
    text = f"User-agent: *\n{rules}\n"
    assert [path for path in [*allowed, *refused] if may(text, path)] == allowed


@pytest.mark.parametrize(
    ("rules", "allowed", "refused"),
    [
        ("User-agent: *\nDisallow: /\n\nUser-agent: friend\nDisallow: /b\n", ["/a"], ["/b"]),
        ("User-agent: Friend\nUser-agent: Foe\nDisallow: /b\n\nUser-agent: *\nDisallow: /\n", ["/a"], ["/b"]),
        ("User-agent: Friend\nDisallow: /a\n\nUser-agent: Friend\nDisallow: /b\n", ["/c"], ["/a", "/b"]),
        ("User-agent: Foe\nDisallow: /\n", ["/a"], []),
        ("User-agent: best-friend\nDisallow: /\n", ["/a"], []),
        ("Disallow: /\nUser-agent: *\nDisallow: /b\n", ["/a"], ["/b"]),
        ("\x00\x01 nonsense\n: :\nUser-agent: *\r\nDisallow: /b\r\n", ["/a"], ["/b"]),
        ("", ["/", "/a"], []),
    ],
)
def test_the_groups_that_name_us_go_before_those_for_all(rules: str, allowed: list[str], refused: list[str]) -> None:
    assert [path for path in [*allowed, *refused] if may(rules, path)] == allowed


def test_a_hostile_file_of_the_greatest_length_is_read() -> None:
    line = "Disallow: /" + "*a" * 250 + "b$\n"
    assert may("User-agent: *\n" + line * (500_000 // len(line)), "/" + "a" * 4000)
