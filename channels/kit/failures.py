"""Why a connection failed, in words that name the setting to look at."""

from __future__ import annotations

import ssl


def reason(exc: BaseException) -> str:
    """Why a connection failed, in words."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({exc.verify_message}); see ca_file"
    if isinstance(exc, ssl.SSLError):
        return f"it does not speak TLS there ({exc.reason or 'no handshake'}); see port and tls"
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or type(exc).__name__


__all__ = ["reason"]
