from ipaddress import ip_address

import pytest

from pipeline.errors import SourceForbidden, SourceUnreadable
from pipeline.media.policy import OPERATOR, STRICT, AddressPolicy, range_of


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.169.254", "link_local"),
        ("fe80::1", "link_local"),
        ("::ffff:169.254.169.254", "link_local"),
        ("10.0.0.4", "private"),
        ("172.31.0.1", "private"),
        ("192.168.1.20", "private"),
        ("100.64.0.1", "private"),
        ("fd00::4", "private"),
        ("239.1.2.3", "multicast"),
        ("ff02::1", "multicast"),
        ("93.184.216.34", "public"),
        ("2606:4700::1111", "public"),
        ("0.0.0.0", None),
        ("::", None),
        ("240.0.0.1", None),
        ("255.255.255.255", None),
        ("192.0.2.1", None),
    ],
)
def test_an_address_is_in_one_range(address: str, found: str | None) -> None:
    assert range_of(ip_address(address)) == found


def test_an_operator_may_name_what_a_stranger_may_not() -> None:
    asked = ["127.0.0.1", "10.0.0.4", "239.1.2.3", "93.184.216.34", "169.254.169.254", "0.0.0.0"]
    addresses = [ip_address(one) for one in asked]
    assert [OPERATOR.allows(one) for one in addresses] == [True, True, True, True, False, False]
    assert [STRICT.allows(one) for one in addresses] == [False, False, False, True, False, False]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "::1", "2130706433", "0x7f.1", "127.1"]
)
def test_loopback_is_known_under_all_its_names(host: str) -> None:
    with pytest.raises(SourceForbidden, match="loopback addresses are not allowed here"):
        STRICT.resolve(host, 80, "the yard")
    assert AddressPolicy().resolve(host, 80, "the yard")[0].is_loopback


def test_a_host_that_is_not_known() -> None:
    with pytest.raises(SourceUnreadable, match=r"the yard: no host called 'nowhere\.invalid'"):
        OPERATOR.resolve("nowhere.invalid", 80, "the yard")
    with pytest.raises(SourceUnreadable, match="no host called"):
        OPERATOR.resolve("a" * 70 + ".invalid", 80, "the yard")
