"""The scoring URL."""

from __future__ import annotations

from ipaddress import ip_address

import httpx


def scoring_url(text: str, *, secret: bool) -> str:
    """Return the URL, with ``/score`` where it has no path.

    Raises ValueError if it is no address, or if a secret would travel without TLS.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("The URL is not an address; give one as https://host/score.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("The URL needs http:// or https:// and a host, as in https://host/score.")
    if url.userinfo:
        raise ValueError(
            "The URL contains a password; name a key by --key-env, or give it as the credential."
        )
    if secret and url.scheme == "http" and not _is_local(url.host):
        raise ValueError("A key is not sent without TLS; give an https:// address.")
    return str(url.copy_with(path="/score") if url.path == "/" else url)


def mounts(url: str) -> dict[str, None]:
    """Return httpx's ``mounts`` for the URL: this machine is reached past any proxy, which would
    see a key that travels without TLS."""
    address = httpx.URL(url)
    return {f"all://{address.netloc.decode()}": None} if _is_local(address.host) else {}


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
