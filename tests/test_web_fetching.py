"""Fetching over real HTTP from local sites: redirects, private addresses, rebinding, bombs, drips, broken servers."""

import asyncio
import gzip
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ramify.planner.errors import FetchError, RefusedError
from ramify.planner.web import Fetcher, FetchLimits, Page, WebPolicy
from ramify.planner.web.robots import SiteRules

from .web_server import Reply, WebSite

HOME = Reply("<title>Home</title><h1>Hello</h1><a href=/next>on</a>")
NO_ROBOTS = Reply(status=404)


def fetch(site: WebSite, url: str, *, named: Sequence[str] = (), policy: Any = None, **options: Any) -> Page:
    """Fetch `url` with `site` as the one private host that may be reached, under its own and the `named` names."""
    hosts = (site.host, *(f"{name}:{site.port}" for name in named))
    fetcher = Fetcher(policy=WebPolicy(private_hosts=hosts, **(policy or {})), **options)
    return asyncio.run(fetcher.fetch(url))


async def everything_is_here(host: str, port: int) -> Sequence[str]:
    assert host
    assert port
    return ["127.0.0.1"]


def test_a_page_is_fetched_and_read() -> None:
    with WebSite({"/": HOME}) as site:
        page = fetch(site, site.url(), policy={"user_agent": "Reader/1"})
        assert page == Page(
            url=site.url(),
            status=200,
            content_type="text/html",
            title="Home",
            text="# Hello\n\non",
            links=(site.url("/next"),),
        )
        assert page.to_data()["links"] == [site.url("/next")]
        sent = site.asked[-1].headers
    assert (sent["host"], sent["user-agent"]) == (site.host, "Reader/1")
    assert not {"cookie", "referer", "authorization"} & set(sent)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/"]
)
def test_a_private_address_is_not_connected_to(url: str) -> None:
    with WebSite({"/": HOME}) as site:
        with pytest.raises(RefusedError, match="private hosts must be allowed by name"):
            asyncio.run(Fetcher(policy=WebPolicy()).fetch(url.format(port=site.port)))
        assert site.asked == []


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{other}/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:{other}/",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_to_a_private_address_is_refused(place: str) -> None:
    with WebSite({"/": HOME}) as inner, WebSite({"/": Reply.to(place.format(other=inner.port))}) as site:
        with pytest.raises(RefusedError):
            fetch(site, site.url())
        assert inner.asked == []


def test_redirects_are_followed_and_the_page_says_where_it_was_found() -> None:
    pages = {"/a": Reply.to("b", 301), "/b": Reply.to("/c?d=e", 307), "/c?d=e": HOME}
    with WebSite(pages) as site:
        assert fetch(site, site.url("/a")).url == site.url("/c?d=e")
        assert site.paths == ["/a", "/b", "/c?d=e"]


def test_a_blocked_subdomain_is_refused_also_behind_a_redirect() -> None:
    with WebSite({"/": HOME}) as site:
        site.pages["/away"] = [Reply.to(site.url(host="private.shop.test"))]
        for url in (site.url(host="private.shop.test"), site.url("/away", host="shop.test")):
            with pytest.raises(RefusedError, match=r"private\.shop\.test is in blocked_domains"):
                fetch(site, url, named=["shop.test", "private.shop.test"], resolve=everything_is_here,
                      policy={"blocked_domains": ("private.shop.test",)})  # fmt: skip
        assert site.paths == ["/away"]


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ({"/": Reply.to("/b"), "/b": Reply.to("/")}, "redirects in a circle"),
        ({"/": Reply.to("/"), "/b": HOME}, "redirects in a circle"),
        ({"/": Reply.to("/0"), **{f"/{n}": Reply.to(f"/{n + 1}") for n in range(20)}}, "more than 10 redirects"),
    ],
)
def test_redirects_without_an_end_are_given_up(pages: dict[str, Reply], words: str) -> None:
    with WebSite(pages) as site, pytest.raises(FetchError, match=words):
        fetch(site, site.url())


def test_a_name_that_changes_its_address_after_the_check_changes_nothing() -> None:
    looked_up: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        assert port
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["203.0.113.1"]

    with WebSite({"/": HOME}) as site:
        page = fetch(site, site.url(host="re.test"), named=["re.test"], resolve=rebinding, obeys_robots=False)
        assert (page.title, looked_up) == ("Home", ["re.test"])
        assert site.asked[0].headers["host"] == f"re.test:{site.port}"


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    async def both(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("two.test", 80)
        return ["93.184.216.34", "10.0.0.1"]

    with pytest.raises(RefusedError, match=r"two\.test is 10\.0\.0\.1, which is a private address"):
        asyncio.run(Fetcher(policy=WebPolicy(), resolve=both).fetch("http://two.test/"))


def test_the_next_address_is_tried_when_one_cannot_be_connected_to() -> None:
    async def first_dead(host: str, port: int) -> Sequence[str]:
        assert host
        assert port
        return ["127.0.0.99", "127.0.0.1"]

    with WebSite({"/": HOME}) as site:
        assert fetch(site, site.url(host="x.test"), named=["x.test"], resolve=first_dead).title == "Home"


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Make a certificate for `name`, and return what a server speaks TLS with; `cert.pem` vouches for it."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_tls_is_checked_against_the_name_not_the_address(tmp_path: Path) -> None:
    names: list[str | None] = []
    context = certificate(tmp_path, "safe.test")
    context.sni_callback = lambda _, name, __: names.append(name)
    trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    options: dict[str, Any] = {"named": ["safe.test", "other.test"], "resolve": everything_is_here, "tls": trusting}
    with WebSite({"/": HOME}, tls=context) as site:
        assert fetch(site, site.url(host="safe.test"), policy={"require_https": True}, **options).title == "Home"
        with pytest.raises(FetchError, match="certificate") as caught:
            fetch(site, site.url(host="other.test"), **options)
        assert not caught.value.may_pass
        with pytest.raises(FetchError, match="certificate"):
            fetch(site, site.url(host="safe.test"), **options | {"tls": None})
    assert set(names) == {"safe.test", "other.test"}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"x" * 1000, repeats=2000, kind="text/plain"), "larger than max_bytes"),
        (Reply(gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}), "larger than max_bytes"),
        (Reply(b"x", headers={"Content-Encoding": "br"}), "which was not requested"),
        (Reply(b"\x89PNG", kind="image/png"), "is image/png; only text can be read"),
        (Reply(status=404), r"answered 404 \(Not Found\)"),
        (Reply(status=410), "answered 410"),
        (Reply(status=304), "answered 304"),
    ],
)
def test_what_is_no_readable_page_is_said_and_not_tried_again(reply: Reply, words: str) -> None:
    with WebSite({"/": reply}) as site, pytest.raises(FetchError, match=words) as caught:
        fetch(site, site.url(), limits=FetchLimits(max_bytes=1_000_000))
    assert not caught.value.may_pass


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=500), "answered 500"),
        (Reply(status=503, headers={"Retry-After": "7"}), "answered 503"),
        (Reply("<p>half", says_length=100), "could not be fetched"),
        (Reply("slow" * 100, pause_s=0.05), r"did not arrive within 0\.5 s"),
    ],
)
def test_what_may_pass_is_said_to(reply: Reply, words: str) -> None:
    with WebSite({"/": reply}) as site, pytest.raises(FetchError, match=words) as caught:
        fetch(site, site.url(), limits=FetchLimits(timeout_s=0.5))
    assert caught.value.may_pass
    assert caught.value.retry_after_s == (7.0 if reply.status == 503 else None)


def test_a_server_that_is_not_there_may_come_back() -> None:
    with WebSite({}) as site:
        pass
    with pytest.raises(FetchError, match="could not be fetched") as caught:
        fetch(site, site.url())
    assert caught.value.may_pass


def test_a_name_without_an_address_is_said() -> None:
    with pytest.raises(FetchError, match="has no address"):
        asyncio.run(Fetcher(policy=WebPolicy()).fetch("http://no-such-host.invalid/"))


def test_text_that_is_no_html_is_kept_as_it_is() -> None:
    with WebSite({"/": Reply('{"a": "<b>"}', kind="application/json")}) as site:
        page = fetch(site, site.url())
    assert (page.text, page.title, page.links) == ('{"a": "<b>"}', "", ())


def test_robots_are_asked_once_a_site_and_obeyed() -> None:
    robots = Reply("User-agent: *\nDisallow: /secret\n\nUser-agent: Friend\nDisallow:\n", kind="text/plain")

    async def both(fetcher: Fetcher, *urls: str) -> None:
        for url in urls:
            await fetcher.fetch(url)

    with WebSite({"/": HOME, "/secret": HOME, "/robots.txt": robots, "/to": Reply.to("/secret")}) as site:
        hosts = (site.host,)
        asyncio.run(both(Fetcher(policy=WebPolicy(private_hosts=hosts)), site.url(), site.url()))
        assert [each.path for each in site.asked] == ["/robots.txt", "/", "/"]
        for path in ("/secret", "/to"):
            with pytest.raises(RefusedError, match=r"robots\.txt forbids it"):
                fetch(site, site.url(path))
        assert fetch(site, site.url("/secret"), policy={"user_agent": "Friend"}).title == "Home"
        assert fetch(site, site.url("/secret"), obeys_robots=False).title == "Home"


def robots_asked(site: WebSite) -> int:
    return [each.path for each in site.asked].count("/robots.txt")


async def fetch_at_once(site: WebSite, count: int, rules: SiteRules, **policy: Any) -> list[Page | BaseException]:
    """Have `count` fetchers that share `rules` fetch the site's page at the same time."""
    fetchers = [Fetcher(policy=WebPolicy(private_hosts=(site.host,), **policy), site_rules=rules) for _ in range(count)]
    return await asyncio.gather(*(each.fetch(site.url()) for each in fetchers), return_exceptions=True)


def test_fetchers_that_share_what_is_known_ask_a_site_once_however_many_they_are() -> None:
    slow = Reply("User-agent: *\nDisallow: /secret\n", kind="text/plain", pause_s=0.002)
    with WebSite({"/": HOME, "/robots.txt": slow}) as site:
        pages = asyncio.run(fetch_at_once(site, 8, SiteRules()))
        assert [page.title for page in pages if isinstance(page, Page)] == ["Home"] * 8
        assert robots_asked(site) == 1


def test_rules_are_asked_for_again_when_they_are_old() -> None:
    with WebSite({"/": HOME, "/robots.txt": NO_ROBOTS}) as site:
        rules = SiteRules(kept_s=0.0)
        for _ in range(2):
            asyncio.run(fetch_at_once(site, 1, rules))
        assert robots_asked(site) == 2


def test_a_failure_is_told_to_all_who_wait_and_is_not_kept() -> None:
    broken = Reply("busy", status=503)
    with WebSite({"/": HOME, "/robots.txt": [broken, NO_ROBOTS]}) as site:
        rules = SiteRules()
        failed = asyncio.run(fetch_at_once(site, 4, rules))
        assert {str(each) for each in failed} == {f"{site.url('/robots.txt')} answered 503 (Service Unavailable)"}
        assert robots_asked(site) == 1
        pages = asyncio.run(fetch_at_once(site, 1, rules))
        assert [page.title for page in pages if isinstance(page, Page)] == ["Home"]


def test_a_site_that_was_not_reached_is_asked_when_it_is() -> None:
    async def nothing_is_here(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port} is not known")

    robots = Reply("User-agent: *\nDisallow: /\n", kind="text/plain")
    with WebSite({"/": HOME, "/robots.txt": robots}) as site:
        url, rules = site.url(host="re.test"), SiteRules()
        with pytest.raises(FetchError, match=r"re\.test has no address"):
            fetch(site, url, named=["re.test"], resolve=nothing_is_here, site_rules=rules)
        with pytest.raises(RefusedError, match=r"robots\.txt forbids it"):
            fetch(site, url, named=["re.test"], resolve=everything_is_here, site_rules=rules)


def test_who_may_not_go_to_a_site_or_is_ended_leaves_the_question_to_the_next() -> None:
    slow = Reply("User-agent: *\nDisallow: /secret\n", kind="text/plain", pause_s=0.01)

    async def first_ended() -> Page:
        rules = SiteRules()
        policy = WebPolicy(private_hosts=(site.host,))
        first = asyncio.create_task(Fetcher(policy=policy, site_rules=rules).fetch(site.url()))
        while not robots_asked(site):
            await asyncio.sleep(0.001)
        second = asyncio.create_task(Fetcher(policy=policy, site_rules=rules).fetch(site.url()))
        stranger = asyncio.create_task(Fetcher(policy=WebPolicy(), site_rules=rules).fetch(site.url()))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(RefusedError, match="private hosts must be allowed by name"):
            await stranger
        return await second

    with WebSite({"/": HOME, "/robots.txt": slow}) as site:
        assert asyncio.run(first_ended()).title == "Home"
        assert robots_asked(site) == 2


@pytest.mark.parametrize(
    ("robots", "is_fetched"),
    [
        (Reply(status=404), True),
        (Reply(status=403), True),
        (Reply(b"\x00", kind="image/png"), True),
        (Reply(status=503), False),
    ],
)
def test_without_robots_all_is_allowed_and_with_a_broken_server_nothing(robots: Reply, *, is_fetched: bool) -> None:
    with WebSite({"/": HOME, "/robots.txt": robots}) as site:
        if is_fetched:
            assert fetch(site, site.url()).title == "Home"
        else:
            with pytest.raises(FetchError, match=r"robots\.txt answered 503") as caught:
                fetch(site, site.url())
            assert caught.value.may_pass
