"""Secrets taken out of text before anybody reads it."""

from __future__ import annotations

import re

# The second form is a password with a slash in it: then FFmpeg and urllib find no user at all.
_USER_INFO = re.compile(r"(?<=//)(?:[^/?#\s]*@|[^/?#\s:@]*:(?!\d+[/?#])\S*@)")
_SECRET = re.compile(
    r"(?i)([?&;][^=&;\s]*(?:pass|pwd|token|secret|key|auth|sig)[^=&;\s]*=)[^&;#\s]*"
)


def redact(text: str) -> str:
    """The same text with user names, passwords and tokens of any address in it replaced."""
    return _SECRET.sub(r"\1***", _USER_INFO.sub("***@", text))
