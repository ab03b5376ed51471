"""A model's card as it may be shown: what is kept, what never passes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.hub.card import MAX_CHARS, safe_card
from app.ui.transcript.markdown import is_web_link, parse
from tests.helpers.fuzz import fuzz


def links(markdown: str) -> list[str]:
    """Where everything leads, for the most eager reader there could be."""
    eager = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
    return [href for tokens in (eager.parse(markdown), parse(markdown)) for href in _hrefs(tokens)]


def _hrefs(tokens: list[Token]) -> list[str]:
    found = [str(t.attrGet("href")) for t in tokens if t.type == "link_open"]
    return found + [href for t in tokens for href in _hrefs(t.children or [])]


def kinds(markdown: str) -> set[str]:
    eager = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = eager.parse(markdown)
    return {t.type for t in tokens} | {c.type for t in tokens for c in t.children or ()}


def test_what_a_card_is_made_of_is_kept() -> None:
    card = """---
license: apache-2.0
tags: [a, b]
---
# Title

Some **bold**, *slanted*, ~~gone~~ and `code`.

- one
  - inner
- two

1. first
2. second

> said

| type | size |
|---|---:|
| Q4_K_M | 2.6 GB |

```python
print("**not bold** <b>")
```
"""
    assert safe_card(card) == (
        "# Title\n\nSome **bold**, *slanted*, ~~gone~~ and `code`.\n\n"
        "- one\n  - inner\n- two\n\n1. first\n2. second\n\n> said\n\n"
        "| type | size |\n| --- | --- |\n| Q4\\_K\\_M | 2.6 GB |\n\n"
        '```python\nprint("**not bold** <b>")\n```'
    )


def test_html_becomes_words_headings_and_links() -> None:
    card = """<div align="center">
<img src="https://a.example/logo.png" onerror="alert(1)">
<h1>Model &amp; more</h1>
<!-- not for people -->
<a href="https://a.example/docs"><b>Docs</b></a> <a href="javascript:alert(1)">Click</a>
<script>steal()</script><style>body { }</style>
</div>

Text with <a href='https://b.example'>a link</a>,<br>a tag <span onclick="x()">and words</span>.
"""
    assert safe_card(card) == (
        "# Model \\& more\n\n[**Docs**](https://a.example/docs) Click\n\n"
        "Text with [a link](https://b.example), a tag and words."
    )


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "file:///etc/passwd",
        "vbscript:x",
        "//host/share",
        "\\\\host\\share",
        "./LICENSE",
        "#usage",
        "ftp://a.example",
        "https://bank.example@evil.example/",
        "https://a%2eexample/",
        "http://",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "&#106;avascript:alert(1)",
    ],
)
@pytest.mark.parametrize(
    "form",
    ["[x]({})", "[x][r]\n\n[r]: {}", "<{}>", '<a href="{}">x</a>', "<p><a href={}>x</a></p>"],
)
def test_links_that_lead_elsewhere_lead_nowhere(form: str, target: str) -> None:
    assert links(safe_card(form.format(target))) == []


@pytest.mark.parametrize(
    "target", ["https://a.example/b_c", "http://a.example", "mailto:a@b.example"]
)
def test_links_that_may_be_opened_stay(target: str) -> None:
    assert links(safe_card(f"[x]({target}) [y][r]\n\n[r]: {target}\n")) == [target] * 4


def test_pictures_are_left_out() -> None:
    card = (
        "![a](https://a.example/p.png) [![badge](https://b.example/b.svg)](https://c.example)\n\nx"
    )
    assert safe_card(card) == "x"


def test_a_note_of_the_hub_s_own_kind() -> None:
    assert safe_card("> [!NOTE]\n> Read *this*.") == "> **Note:** Read *this*."
    assert safe_card("> [!OTHER] x") == "> \\[!OTHER\\] x"


def test_front_matter_without_an_end_is_text() -> None:
    assert "license" in safe_card("---\nlicense: mit\n\nwords")
    assert safe_card("\ufeff---\nlicense: mit\n---\nwords") == "words"
    assert safe_card("---\r\nlicense: mit\r\n---\r\nwords") == "words"


def test_text_that_looks_like_markdown_stays_text() -> None:
    card = r"1\. no list, \# no heading, \[no\](https://a.example) \*no\* &lt;b&gt; \| a \|"
    shown = safe_card(card)
    assert kinds(shown) == {"paragraph_open", "inline", "paragraph_close", "text"}


def test_hidden_characters_are_left_out() -> None:
    assert safe_card("a\u202eb\x00c\x1bd\u2066e") == "abcde"


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "*a ",
        "`a",
        "<a ",
        "![a](",
        "<",
        "<div>",
        "<!--",
        "> ",
        "- ",
        "|a",
        "**a ",
        "<p \n",
        "&",
        "[" * 100 + "\n",
        "<b>",
        "[a]: http://x\n",
        "<b></a>",
        "\n",
        " \t",
    ],
)
def test_huge_and_hostile_cards_end(piece: str) -> None:
    shown = safe_card(piece * (4 * MAX_CHARS // len(piece)))
    assert len(shown) < 3 * MAX_CHARS
    assert not links(shown)


_SPICES = st.sampled_from(
    [
        *("[", "](", ")", "![", "<", ">", "javascript:", "http://a.example", "file:///", "data:"),
        *(
            "`",
            "*",
            "|",
            "---",
            "\\",
            "&#58;",
            "&lt;",
            "</a>",
            "<!--",
            "-->",
            "<script>",
            "_",
            "~~",
        ),
        *("</script>", "[x]", "<a href=", "<img src=http://x>", '"', "\n", "\n\n", "    ", "- "),
        *("> ", "# ", "1. ", "]: "),
    ]
)


@given(pieces=st.lists(st.one_of(_SPICES, st.text(max_size=4)), max_size=40))
@fuzz
def test_nothing_dangerous_passes(pieces: list[str]) -> None:
    shown = safe_card("".join(pieces))
    assert all(is_web_link(href) for href in links(shown)), shown
    assert not kinds(shown) & {"image", "html_block", "html_inline"}, shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e]", shown)
    assert is_stable(shown)


def is_stable(shown: str) -> bool:
    """What was made safe once has the same links when it is read again."""
    return links(safe_card(shown)) == links(shown)
