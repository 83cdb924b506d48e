"""The address on which the API listens: whether it is free, and whether other machines can reach it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Address", "AddressTakenError", "UnprotectedAddressError", "is_loopback"]


class AddressTakenError(Exception):
    """The API cannot listen on the address: another process does, or this process is not allowed to."""


class UnprotectedAddressError(Exception):
    """Other machines can reach the address, and without authentication they could do everything."""


# Clients name the host that they ask for, and few of them.
@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address is one that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Address:
    """The host and the port on which the API listens."""

    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def url(self) -> str:
        """The URL that clients use."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def require_loopback(self) -> None:
        """Raise UnprotectedAddressError unless only this machine can reach the address."""
        if not is_loopback(self.host):
            raise UnprotectedAddressError(
                f"refusing to listen on {self.host} without authentication; "
                "set PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS, or listen on 127.0.0.1"
            )

    def require_free(self) -> None:
        """Raise AddressTakenError unless a server can listen here. Callers check this before they do other work."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    reason = (
                        f"port {self.port} on {self.host} is taken; choose another, for example PORT={self.port + 1}"
                    )
                else:
                    reason = f"cannot listen on {self.host} port {self.port}: {error.strerror}"
                raise AddressTakenError(reason) from error
