"""Which requests come from where they may: against web pages that talk to this machine.

A page of another origin can send requests to a server on loopback, and a name that
is made to point here (DNS rebinding) makes it the page's own. Browsers say where a
request comes from; what they say is checked here. Programs say nothing, and pass.

Browsers say so of requests to loopback addresses only. A picture that a page fetches
from any other host looks like the request of a program, so where the server has such
a name or address, a token is needed (HTTP-4).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from toolkit.base import ArgumentError, RequestError, either, quoted

_ORIGIN: Final = re.compile(r"https?://[^/?#@\s]+")
_HOST: Final = re.compile(r"[^/:?#@\s\[\]]+|\[[0-9a-f:.]+\]")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """Lets requests pass, or refuses them.

    Parameters
    ----------
    host
        Where the server listens.
    origins
        Origins of web pages that may send, such as ``"http://localhost:3000"``.
    hosts
        Further names this machine is called by.

    Raises
    ------
    ArgumentError
        If an origin or a host is not one.
    """

    def __init__(self, host: str, origins: Iterable[str] = (), hosts: Iterable[str] = ()) -> None:
        for role, allowed in (("origins", origins), ("hosts", hosts)):
            if isinstance(allowed, str) or not isinstance(allowed, Iterable):
                raise ArgumentError(f"{role}={quoted(allowed):.60}; it is a list of texts")
        self.origins = frozenset(_text("origins", each).rstrip("/").lower() for each in origins)
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ArgumentError(
                    f"{either('origins', '--origin')} has {origin!r}; an origin is such as "
                    "'http://localhost:3000': scheme, host and port, no path and no *"
                )
        names = {_text("hosts", name).lower() for name in hosts}
        for name in names:
            if not _HOST.fullmatch(name):
                raise ArgumentError(
                    f"{either('hosts', '--allow-host')} has {name!r}; a host is a name such as "
                    "'host.docker.internal', without scheme and port"
                )
        self._hosts = {*_LOOPBACK, host.lower(), *names}
        self._is_open = not is_loopback(host)
        #: Whether clients must know a token: not all names are loopback addresses (HTTP-4).
        self.needs_token = self._is_open or not all(is_loopback(name) for name in names)
        if self._is_open:
            self._hosts.add(socket.gethostname().lower())

    def check(self, headers: Mapping[str, str], *, is_silent: bool = False) -> str | None:
        """Return the origin of the page that sent a request, None if no page did.

        Parameters
        ----------
        headers
            Those of the request.
        is_silent
            Whether it is a request that old browsers send for a page and say nothing
            of: a GET. One that names a browser is refused, then, if it names no page.

        Raises
        ------
        RequestError
            403 if it may not send.
        """
        self._check_host(headers.get("Host", ""))
        origin = headers.get("Origin", "")
        if not origin and headers.get("Referer"):
            # What a page fetches as a picture or a script names no origin.
            origin = _origin_of(headers["Referer"])
        is_foreign = headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if origin.lower() in self.origins:
            return origin
        if origin.lower() == f"http://{headers.get('Host', '')}".lower():
            return None
        is_browser = headers.get("User-Agent", "").startswith("Mozilla/")
        is_hidden = is_silent and is_browser and "Sec-Fetch-Site" not in headers
        if origin or is_foreign or is_hidden:
            raise RequestError(
                403,
                f"a web page of {origin or 'another origin'} sent this, which the server does "
                "not allow. To allow it: toolkit.serve(…, origins=[…]) with the page's origin",
            )
        return None

    def _check_host(self, header: str) -> None:
        name = re.sub(r":\d*$", "", header.lower())
        if name in self._hosts or (self._is_open and _is_address(name)):
            return
        raise RequestError(
            403,
            f"the request is for the host {header[:100]!r}, which is not this server. To allow "
            "the name: toolkit.serve(…, hosts=[…])",
        )


def _text(argument: str, value: object) -> str:
    if not isinstance(value, str):
        raise ArgumentError(f"{argument} has {value!r}; texts are needed")
    return value


def _origin_of(address: str) -> str:
    """Return the origin of an address; "null", which is nobody's, if it cannot be read."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
