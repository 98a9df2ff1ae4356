"""Which addresses of the network a source may lead to, and the check of them.

A source names a host; what matters is where the host is. Every address that the name resolves to
has to be in an allowed range, so that no camera list, playlist or redirect can reach the machine's
own services or a cloud's metadata.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import SourceForbidden, SourceUnreadable

Range = Literal["loopback", "link_local", "private", "multicast", "public"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Carriers' own addresses (RFC 6598) lead to routers and neighbours as the private ones do.
_SHARED = ipaddress.ip_network("100.64.0.0/10")
# RFC 6052: an IPv6 address that a translator turns into the IPv4 address in its last 32 bits.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The ranges that a source's host may be in.

    The default fits a file that an operator wrote: cameras live in private ranges, and a server
    beside witness on the same machine is usual. Link-local addresses are where clouds answer with
    credentials (169.254.169.254), and no camera is meant to be there.
    """

    loopback: bool = True
    link_local: bool = False
    private: bool = True
    multicast: bool = True
    public: bool = True

    def allows(self, address: Address) -> bool:
        """True when the address is in an allowed range."""
        found = range_of(address)
        return found is not None and bool(getattr(self, found))

    def resolve(self, host: str, port: int, shown: str) -> tuple[Address, ...]:
        """Every address of a host name, all of them allowed; the preferred one first.

        Raises SourceUnreadable when there is none and SourceForbidden when one is not allowed.
        `shown` is the source's address as it may be told.
        """
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            message = f"{shown}: no host called {host!r} is known; check the name and the DNS"
            raise SourceUnreadable(message) from None
        addresses = tuple(
            dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found)
        )
        for address in addresses:
            if not self.allows(address):
                where = (range_of(address) or "reserved").replace("_", "-")
                message = (
                    f"{shown}: {host} is at {address}, and {where} addresses are not allowed here;"
                    f" allow them for this stream if it is meant to be there"
                )
                raise SourceForbidden(message)
        return addresses


ANYWHERE = AddressPolicy(link_local=True)
"""For an address that somebody types, who means it."""
OPERATOR = AddressPolicy()
"""For sources in a file that an operator wrote."""
STRICT = AddressPolicy(loopback=False, private=False, multicast=False)
"""For sources that somebody else names: public addresses alone."""


def range_of(address: Address) -> Range | None:
    """The range that an address is in; None for what is reserved, as 0.0.0.0 and 240.0.0.0/4."""
    address = _inner(address)
    if address.is_unspecified:
        return None
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link_local"
    if address.is_multicast:
        return "multicast"
    if address in _SHARED or _is_private(address):
        return "private"
    return "public" if address.is_global else None


def trusted_file() -> str | None:
    """The file of certificate authorities that this machine trusts, for FFmpeg, which has none."""
    return ssl.get_default_verify_paths().cafile


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, as ::ffff:127.0.0.1; else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_private(address: Address) -> bool:
    homes = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
    return any(address in ipaddress.ip_network(home) for home in homes)
