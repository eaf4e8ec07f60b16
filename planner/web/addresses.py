"""Which network addresses are public: all others are refused, also where they hide inside an IPv6 address.

Source of the table: the IANA special-purpose address registries (RFC 6890 and its successors). It is kept here since
the answers of `ipaddress.is_global` differ between versions of Python.
"""

from ipaddress import IPv4Address, ip_address, ip_network

_NOT_PUBLIC = tuple(
    (ip_network(network), means)
    for network, means in (
        ("0.0.0.0/8", "an address of this network"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a carrier's shared address"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address for protocols"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a relay address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "the unspecified address"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "a private translation address"),
        ("100::/64", "a discard address"),
        ("2001::/23", "an address for protocols"),
        ("2001:db8::/32", "an address for documentation"),
        ("3fff::/20", "an address for documentation"),
        ("5f00::/16", "a segment routing address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
_HOLDS_IPV4 = (
    (ip_network("::/96"), 0),
    (ip_network("::ffff:0:0/96"), 0),
    (ip_network("::ffff:0:0:0/96"), 0),
    (ip_network("64:ff9b::/96"), 0),
    (ip_network("2002::/16"), 80),
)
"""IPv6 networks whose addresses lead to an IPv4 address, and how many bits stand behind it in them."""


def why_not_public(address: str) -> str | None:
    """Return what kind of address it is, if it is not a public one; None if it is.

    >>> why_not_public("127.0.0.1"), why_not_public("::ffff:10.0.0.1"), why_not_public("93.184.216.34")
    ('a loopback address', 'a private address', None)
    """
    found = ip_address(address)
    for network, means in _NOT_PUBLIC:
        if found in network:
            return means
    inner = inner_address(address)
    return None if inner == address else why_not_public(inner)


def inner_address(address: str) -> str:
    """Return the IPv4 address that an IPv6 address leads to; the address itself if there is none.

    >>> inner_address("64:ff9b::a00:1"), inner_address("2606:2800:21f::1")
    ('10.0.0.1', '2606:2800:21f::1')
    """
    found = ip_address(address)
    for network, bits_behind in _HOLDS_IPV4:
        if found in network:
            return str(IPv4Address((int(found) >> bits_behind) & 0xFFFFFFFF))
    return address
