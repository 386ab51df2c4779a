"""Histograms as SVG: well-formed, with text for each bar, and nothing of others as markup."""

import xml.etree.ElementTree as ET

import numpy as np

from cotbuild.builder.pages.svg import histogram_svg
from cotbuild.builder.view.histogram import Bin, make_histogram

_SVG = "{http://www.w3.org/2000/svg}"


def parse(markup: str) -> ET.Element:
    xml = str(markup).replace("<svg ", f'<svg xmlns="{_SVG[1:-1]}" ', 1)
    return ET.fromstring(xml)


def test_each_bar_is_a_link_to_its_rows_with_its_numbers() -> None:
    histogram = make_histogram("chars", np.array([1, 1, 2, 5], np.int64))
    svg = histogram_svg(
        histogram, "plot", "Length", lambda one: f"/rows?min={one.low}&a=1"
    )
    root = parse(svg)
    links = root.findall(f"{_SVG}a")
    assert [link.get("href") for link in links] == [
        "/rows?min=1&a=1",
        "/rows?min=2&a=1",
        "/rows?min=5&a=1",
    ]
    assert links[0].get("aria-label") == "1: 2 rows"
    title = root.find(f"{_SVG}title")
    assert title is not None
    assert title.get("id") == root.get("aria-labelledby")
    assert title.text == "Length"
    assert "style=" not in svg


def test_without_addresses_there_are_bars_alone() -> None:
    histogram = make_histogram("chars", np.arange(100))

    def nowhere(_: Bin) -> None:
        return None

    root = parse(histogram_svg(histogram, "plot", "Length", nowhere))
    assert root.findall(f"{_SVG}a") == []
    assert len(root.findall(f"{_SVG}rect")) == len(histogram.bins)


def test_text_is_escaped() -> None:
    histogram = make_histogram("chars", np.array([1], np.int64))
    svg = histogram_svg(histogram, "plot", "<b>&", lambda _: '"><script>')
    assert "<script>" not in svg
    assert "&lt;b&gt;&amp;" in svg


def test_no_rows_have_no_picture() -> None:
    histogram = make_histogram("chars", np.zeros(0, np.int64))
    assert histogram_svg(histogram, "plot", "Length", lambda _: None) == ""
