"""Takes the API key out of what a server sends back."""

import html
import re

MIN_SECRET_CHARS = 8
"""Shorter API keys ("EMPTY") are no secret and may be any word of a text."""
PLACEHOLDER = "[key]"

_ENCODED = re.compile(r"[%\\&]")


class SecretFilter:
    """Replaces one API key in texts by "[key]".

    The key is found as it is, and with any of its characters percent-encoded or escaped
    as in JSON or HTML.

    Args:
        key: The key; None or a short one is no secret, and nothing is replaced.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key if key is not None and len(key) >= MIN_SECRET_CHARS else None
        self._encoded = re.compile("".join(map(_encodings, self._key or "")))

    def redact(self, text: str) -> str:
        """Return the text without the key."""
        if self._key is None:
            return text
        text = text.replace(self._key, PLACEHOLDER)
        if _ENCODED.search(text):
            text = self._encoded.sub(PLACEHOLDER, text)
        return text


def _encodings(char: str) -> str:
    """Return a pattern for one character of a key, plain or encoded.

    It matches a text in one way only, the longest first, so that the time stays linear.
    """
    code = f"{ord(char):02x}"
    forms = [
        rf"%(?:25)?(?i:{code})",
        rf"\\{{1,4}}(?:u00|x)(?i:{code})",
        rf"&\#0{{0,4}}{ord(char)};",
        rf"&\#x0{{0,4}}(?i:{code});",
    ]
    if html.escape(char) != char:
        forms.append(re.escape(html.escape(char)))
    escaped = "" if char == "\\" else r"(?:\\{1,4})?"
    forms.append(escaped + re.escape(char))
    return f"(?>{'|'.join(forms)})"
