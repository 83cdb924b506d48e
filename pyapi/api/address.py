"""Where the API listens: an address, whether it is free, and whether others reach it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

__all__ = ["Address", "AddressTakenError", "UnprotectedAddressError", "is_loopback"]


class AddressTakenError(Exception):
    """Somebody else listens on the address, or this process may not."""


class UnprotectedAddressError(Exception):
    """Others could reach the address, and everybody who reaches it may do everything."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own, by which no other reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Address:
    """Where the API listens."""

    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def url(self) -> str:
        """The address as a client writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def require_loopback(self) -> None:
        """Raise UnprotectedAddressError unless only this machine reaches the address."""
        if not is_loopback(self.host):
            raise UnprotectedAddressError(
                f"refusing to listen on {self.host} without authentication; "
                "set PGREPRISE_JWT_SECRET or PGREPRISE_JWT_JWKS, or listen on 127.0.0.1"
            )

    def require_free(self) -> None:
        """Raise AddressTakenError unless a server can listen here: before any other work is done."""
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
