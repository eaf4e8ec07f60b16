"""Where HTTP workers may go, as pure decisions: addresses, domains, and the tricks that are known against both."""

from collections.abc import Callable
from contextlib import nullcontext
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.errors import RefusedError, UsageError
from ramify.planner.web import WebPolicy
from ramify.planner.web.addresses import why_not_public
from ramify.planner.web.urls import read_url
from ramify.tasks import TaskConfig

from .effort import is_near_linear

PRIVATE = (
    "0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.31.0.1", "192.168.1.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1",
)  # fmt: skip
PUBLIC = (
    "93.184.216.34",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:2800:21f::1",
    "64:ff9b::1.1.1.1",
    "::ffff:8.8.8.8",
)

BLOCKING = WebPolicy(blocked_domains=("evil.example", "*.Bücher.example", "1.2.3.4"))
ALLOWING = WebPolicy(allowed_domains=("good.example", ".other.example"), blocked_domains=("bad.good.example",))


def is_let_through(policy: WebPolicy, url: str) -> bool:
    try:
        policy.check(read_url(url))
    except RefusedError:
        return False
    return True


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_named_by_its_kind(address: str) -> None:
    assert why_not_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_let_through(address: str) -> None:
    assert why_not_public(address) is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_inside_ipv6(address: object) -> None:
    plain = why_not_public(str(address))
    assert why_not_public(f"::ffff:{address}") == plain
    assert why_not_public(f"64:ff9b::{address}") == plain


@given(st.ip_addresses())
def test_what_python_takes_for_private_is_never_public_here(address: object) -> None:
    python_says = ip_address(str(address))
    if python_says.is_loopback or python_says.is_link_local or python_says.is_multicast:
        assert why_not_public(str(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/",
        "http://EVIL.EXAMPLE/",
        "http://evil.example./",
        "http://www.a.b.evil.example/",
        "https://evil.example:8443/x",
        "http://evil。example/",
        "http://bücher.example/",
        "http://shop.xn--bcher-kva.example/",
        "http://BÜCHER.example/",
        "http://1.2.3.4/",
    ],
)
def test_a_blocked_domain_is_blocked_however_it_is_written(url: str) -> None:
    assert not is_let_through(BLOCKING, url)


@pytest.mark.parametrize("url", ["http://notevil.example/", "http://evil.example.org/", "http://x.org/evil.example"])
def test_a_name_that_only_looks_like_a_blocked_one_is_let_through(url: str) -> None:
    assert is_let_through(BLOCKING, url)


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("https://good.example/", True),
        ("https://www.good.example/", True),
        ("https://a.other.example/", True),
        ("https://bad.good.example/", False),
        ("https://x.bad.good.example/", False),
        ("https://good.example.evil.example/", False),
        ("https://evilgood.example/", False),
        ("https://evil.example/?good.example", False),
        ("https://evil.example#good.example", False),
        ("https://93.184.216.34/", False),
    ],
)
def test_only_allowed_domains_are_let_through_and_blocked_ones_not_even_then(url: str, *, goes: bool) -> None:
    assert is_let_through(ALLOWING, url) is goes


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example@evil.example/",
        "https://good.example:443@evil.example/",
        "https://user:secret@good.example/",
        "https://evil.example\\@good.example/",
        "https://good.example\\.evil.example/",
        "https://good.example\n.evil.example/",
        "https://good.exam\tple/",
        "https://%67ood.example/",
        "https://good.example%00.evil.example/",
        "https://good.example:99999/",
        "https://good.example:0/",
        "https:///good.example",
        "https://",
        "//good.example/",
        "ftp://good.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "gopher://good.example/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[fe80::1%25eth0]/",
        "http://[::1",
        "http://good..example/",
        "http://-good.example/",
        f"http://{'a' * 64}.example/",
        f"http://good.example/{'a' * 9000}",
        "",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(RefusedError, match="is not fetched"):
        read_url(url)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("HTTP://Good.Example:80", "http://good.example/"),
        ("https://good.example:443/a?b=c d", "https://good.example/a?b=c%20d"),
        ("https://good.example:444/ü", "https://good.example:444/%C3%BC"),
        ("http://[2001:DB8::0:1]:8080/", "http://[2001:db8::1]:8080/"),
        ("  http://a_b.example/#part ", "http://a_b.example/"),
    ],
)
def test_an_address_is_read_in_one_way(url: str, read: str) -> None:
    assert str(read_url(url)) == read


@pytest.mark.parametrize(
    ("place", "read"),
    [
        ("/c", "https://a.example/c"),
        ("c?d", "https://a.example/x/c?d"),
        ("//b.example/", "https://b.example/"),
        ("http://b.example:81", "http://b.example:81/"),
        ("", "https://a.example/x/y"),
    ],
)
def test_a_redirect_is_read_from_where_it_stands(place: str, read: str) -> None:
    assert str(read_url(place, base=read_url("https://a.example/x/y"))) == read


def test_plain_http_is_refused_where_https_is_required() -> None:
    policy = WebPolicy(require_https=True)
    assert not is_let_through(policy, "http://good.example/")
    assert is_let_through(policy, "https://good.example/")


def test_an_empty_list_of_allowed_domains_allows_nothing() -> None:
    assert not is_let_through(WebPolicy(allowed_domains=()), "https://good.example/")


@pytest.mark.parametrize(
    ("named", "url", "address", "goes"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", "127.0.0.1", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8081/", "127.0.0.1", False),
        ("127.0.0.1", "http://127.0.0.1:8081/", "127.0.0.1", True),
        ("127.0.0.1:80", "http://127.0.0.1/", "127.0.0.1", True),
        ("localhost:8080", "http://LOCALHOST:8080/", "127.0.0.1", True),
        ("localhost:8080", "http://127.0.0.1:8080/", "127.0.0.1", False),
        ("[::1]:8080", "http://[::1]:8080/", "::1", True),
        ("::1", "http://[::1]:8080/", "::1", True),
        ("127.0.0.1", "http://rebound.example/", "127.0.0.1", False),
    ],
)
def test_a_private_address_is_reached_only_by_the_host_that_was_named(
    named: str, url: str, address: str, *, goes: bool
) -> None:
    policy = WebPolicy(private_hosts=(named,))
    with nullcontext() if goes else pytest.raises(RefusedError, match="is a loopback address"):
        policy.check_address(read_url(url), address)


def test_a_blocked_address_is_blocked_under_every_name() -> None:
    for address in ("1.2.3.4", "::ffff:1.2.3.4"):
        with pytest.raises(RefusedError, match="blocked_domains"):
            BLOCKING.check_address(read_url("http://fine.example/"), address)


@pytest.mark.parametrize(
    "domain", ["http://a.example", "a.example/x", "a.example:80", "", "a b", "user@a.example", "1.2"]
)
def test_what_is_no_domain_is_refused_by_name(domain: str) -> None:
    with pytest.raises(UsageError, match=r"blocked_domains: .* is not a domain"):
        WebPolicy(blocked_domains=(domain,))


def test_a_policy_is_made_of_the_limits_of_a_task() -> None:
    config = TaskConfig(allowed_domains=("a.example",), require_https=True, user_agent="Reader/1")
    policy = WebPolicy.of(config, private_hosts=("localhost",))
    assert policy == WebPolicy(
        allowed_domains=("a.example",), require_https=True, user_agent="Reader/1", private_hosts=("localhost",)
    )
    assert WebPolicy.of(TaskConfig()) == WebPolicy()


def test_a_user_agent_cannot_add_a_header() -> None:
    with pytest.raises(UsageError, match="user_agent"):
        WebPolicy(user_agent="a\r\nX-Admin: yes")


@given(st.text(max_size=60))
def test_whatever_is_given_is_read_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://a.example/{text}"):
        try:
            again = read_url(str(read_url(url)))
        except RefusedError:
            continue
        assert again == read_url(url)


def test_a_long_hostile_address_is_refused_quickly() -> None:
    def refused(size: int) -> Callable[[], None]:
        def work() -> None:
            with pytest.raises(RefusedError):
                read_url("http://" + "a." * size)

        return work

    assert is_near_linear(refused, size=500_000)
