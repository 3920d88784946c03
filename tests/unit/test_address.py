from __future__ import annotations

import pytest

from nlu.address import is_loopback


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:50051", True),
        ("127.1.2.3:0", True),
        ("localhost:50051", True),
        ("[::1]:50051", True),
        ("unix:/run/softspoken.sock", True),
        ("unix-abstract:softspoken", True),
        ("dns:///localhost:50051", True),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", True),
        ("ipv6:[::1]:1", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        (":50051", False),
        ("10.0.0.1:50051", False),
        ("nlu.example.com:50051", False),
        ("localhost.example.com:50051", False),
        ("dns:///nlu.example.com:50051", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
    ],
)
def test_only_what_stays_on_this_machine_is_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
