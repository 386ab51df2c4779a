"""Files of others that are part of the page are those that were published."""

import hashlib
import json
import re

from cotbuild.builder.pages.render import STATIC, TEMPLATES

HTMX_SHA256 = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
"""dist/htmx.min.js of the npm package htmx.org 4.0.1."""


def test_htmx_is_the_published_file() -> None:
    data = (STATIC / "htmx.min.js").read_bytes()
    assert hashlib.sha256(data).hexdigest() == HTMX_SHA256
    assert "4.0.1" in data.decode()


def test_the_licence_of_htmx_is_beside_it() -> None:
    notice = (STATIC / "htmx.LICENSE.txt").read_text(encoding="utf-8")
    assert notice.startswith("Zero-Clause BSD")


def test_htmx_adds_no_styles_and_loads_no_extensions() -> None:
    base = (TEMPLATES / "base.html.jinja").read_text(encoding="utf-8")
    match = re.search(r"name=\"htmx-config\" content='([^']+)'", base)
    assert match is not None
    config = json.loads(match[1])
    assert config["includeIndicatorCSS"] is False
    assert config["mode"] == "same-origin"


def test_no_template_has_a_script_a_style_or_a_handler_inside() -> None:
    offences = [
        f"{path.name}: {match[0]}"
        for path in sorted(TEMPLATES.glob("*.jinja"))
        for match in re.finditer(
            r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=|hx-on|javascript:",
            path.read_text(encoding="utf-8"),
        )
    ]
    assert offences == []


def test_no_template_switches_escaping_off() -> None:
    offences = [
        path.name
        for path in sorted(TEMPLATES.glob("*.jinja"))
        if re.search(r"\|\s*safe\b|autoescape", path.read_text(encoding="utf-8"))
    ]
    assert offences == []
