"""Markdown as it is written into a document: what it says, how it looks, how it is rewritten."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument, QTextTable

from app.ui.transcript.body import Body
from app.ui.transcript.document import Writer
from app.ui.transcript.look import look
from tests.qt.test_transcript_blocks import MARKDOWN, whole

pytestmark = pytest.mark.usefixtures("qapp")


def document() -> QTextDocument:
    made = QTextDocument()
    made.setDefaultFont(look().body)
    made.setUndoRedoEnabled(False)
    made.setDocumentMargin(0)
    return made


def written(text: str) -> tuple[QTextDocument, Writer]:
    made = document()
    writer = Writer(made, look())
    writer.width = 600
    for block in whole(text):
        if not block.source.isspace():
            writer.write(block)
    return made, writer


def lines(made: QTextDocument) -> list[str]:
    """The paragraphs that say something."""
    texts, block = [], made.begin()
    while block.isValid():
        if block.text():
            texts.append(block.text().replace("\u2028", "\n"))
        block = block.next()
    return texts


def chars(made: QTextDocument) -> dict[str, object]:
    """The format of each run of text."""
    found, block = {}, made.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            found[fragment.text().strip()] = fragment.charFormat()
            iterator += 1
        block = block.next()
    return found


def tables(made: QTextDocument) -> list[QTextTable]:
    return [f for f in made.rootFrame().childFrames() if isinstance(f, QTextTable)]


def cells(table: QTextTable) -> list[list[str]]:
    def text(row: int, column: int) -> str:
        return table.cellAt(row, column).firstCursorPosition().block().text()

    return [[text(r, c) for c in range(table.columns())] for r in range(table.rows())]


def test_emphasis():
    made, _ = written("a **bold** and *italic* and ~~gone~~ word")
    found = chars(made)
    assert found["bold"].fontWeight() == 600
    assert found["italic"].fontItalic()
    assert found["gone"].fontStrikeOut()
    assert lines(made) == ["a bold and italic and gone word"]


def test_code_in_a_line_is_a_chip():
    made, writer = written("use `kind` here")
    ((start, end),) = writer.marks.chips
    assert made.toPlainText()[start:end] == "kind"
    assert made.toPlainText() == "use kind here"


def test_line_breaks_are_kept():
    assert lines(written("one\ntwo  \nthree")[0]) == ["one\ntwo\nthree"]


def test_headings():
    made, _ = written("# One\ntext\n\n### Three")
    found = chars(made)
    assert found["One"].font().pixelSize() == 20
    assert found["Three"].font().pixelSize() == 14
    assert found["Three"].fontWeight() == 600
    assert found["text"].fontWeight() == 400


def test_lists_have_marks_and_depth():
    made, writer = written("1. a\n2. b\n   - c\n     - d\n10. e\n\n- f")
    assert [mark for _, mark in writer.marks.items] == [
        "1.",
        "2.",
        "circle",
        "circle",
        "10.",
        "disc",
    ]
    depths = [made.findBlock(at).textList().format().indent() for at, _ in writer.marks.items]
    assert depths == [1, 1, 2, 3, 1, 1]


def test_long_numbers_have_room():
    made, writer = written("9. a\n1000. b")
    margins = [made.findBlock(at).blockFormat().leftMargin() for at, _ in writer.marks.items]
    assert margins[0] == 0
    assert margins[1] > 10


def test_tasks():
    made, writer = written("- [ ] to do\n- [x] done\n- [link] no task")
    assert [mark for _, mark in writer.marks.items] == ["to do", "done", "disc"]
    assert lines(made) == ["to do", "done", "[link] no task"]


def test_quotes():
    made, writer = written("> one\n>\n> > two\n\nout")
    assert [level for _, _, level in writer.marks.quotes] == [1, 2]
    assert lines(made) == ["one", "two", "out"]


def test_rule_and_shaded_code():
    made, writer = written("a\n\n---\n\n    x = 1\n    y = 2\n\n> ```py\n> z\n> ```")
    assert len(writer.marks.rules) == 1
    assert len(writer.marks.codes) == 2
    assert lines(made) == ["a", "x = 1\ny = 2", "z"]


def test_table():
    made, writer = written("| Day | Loaves |\n|---|--:|\n| **Fri** | 231 |\n\nafter")
    (table,) = tables(made)
    assert cells(table) == [["Day", "Loaves"], ["Fri", "231"]]
    right = table.cellAt(1, 1).firstCursorPosition().blockFormat().alignment()
    assert right & Qt.AlignmentFlag.AlignRight
    assert chars(made)["Day"].font().pixelSize() == 12
    assert len(writer.marks.tables) == 1
    assert lines(made)[-1] == "after"


def test_table_fits_the_width():
    for words, count in (("x", 3), ("many words in a cell", 9)):
        row = "|" + f" {words} |" * count
        made, writer = written(f"{row}\n{'|---' * count}|\n{row}")
        made.setTextWidth(600)
        writer.marks.tables[0].fit(600)
        assert made.size().width() <= 600
        writer.marks.tables[0].fit(400)
        made.setTextWidth(400)
        assert writer.marks.tables[0].width == 400


def test_very_wide_table_is_text():
    row = "|" + " x |" * 60
    made, _ = written(f"{row}\n{'|---' * 60}|\n{row}")
    assert tables(made) == []


def test_right_to_left_text_is_set_from_the_right():
    made, _ = written("مرحبا بالعالم")
    assert made.begin().textDirection() == Qt.LayoutDirection.RightToLeft


def test_links_lead_to_the_web_only():
    made, _ = written(
        "[web](https://example.org/a) [mail](mailto:a@b.c) [file](file:///etc/passwd) "
        "[js](javascript:alert\\(1\\)) [unc](\\\\\\\\server\\share) [data](data:text/html,x) "
        "[ftp](ftp://a.b) [here](#a) [rel](a/b) <https://auto.example> ![pic](https://img.example/x)"
    )
    hrefs = {name: char.anchorHref() for name, char in chars(made).items() if char.isAnchor()}
    assert hrefs == {
        "web": "https://example.org/a",
        "mail": "mailto:a@b.c",
        "https://auto.example": "https://auto.example",
    }
    text = made.toPlainText()
    for target in ("file:///etc/passwd", "javascript:alert", "ftp://a.b", "#a", "a/b"):
        assert target in text
    assert "pic (https://img.example/x)" in text


def test_html_is_text():
    text = '<script>alert(1)</script>\n\na <img src="file:///x"> <b>b</b> &lt;i&gt;'
    assert lines(written(text)[0]) == [
        "<script>alert(1)</script>",
        'a <img src="file:///x"> <b>b</b> <i>',
    ]


def test_definitions_stay_in_sight():
    assert lines(written("[1]: https://example.org")[0]) == ["[1]: https://example.org"]


@given(text=MARKDOWN, cuts=st.lists(st.integers(0, 100_000), max_size=8))
@example(text="- \n\n- \n", cuts=[])
@example(text="- ```\n", cuts=[])
@example(text="- \n  - \n\n- a", cuts=[2, 4, 6])
@example(text="| a |\n|--|\n| 1 |\n\nEnd.", cuts=[3, 5, 9, 12, 17])
@settings(max_examples=300, deadline=None)
def test_rewriting_the_tail_gives_what_writing_at_once_gives(text, cuts):
    """The document of each segment is the same after streaming as when written whole."""
    body, at, made = Body(), 0, {}
    for cut in [*sorted(c % (len(text) + 1) for c in cuts), len(text), None]:
        if cut is None:
            body.finish()
        else:
            body.feed(text[at:cut])
            at = cut
        follow(body, made)
    for segment, whole_segment in zip(body.segments, Body.of(text).segments, strict=True):
        once: dict[object, list[object]] = {}
        follow_one(whole_segment, once)
        if segment in made:
            streamed, writer = made[segment][:2]
            whole_document, whole_writer = once[whole_segment][:2]
            assert streamed.toRawText() == whole_document.toRawText()
            assert comparable(writer.marks) == comparable(whole_writer.marks)
            assert formats(streamed) == formats(whole_document)


def comparable(marks):
    return marks.chips, marks.codes, marks.quotes, marks.items, marks.rules, len(marks.tables)


def formats(made: QTextDocument) -> list[object]:
    found, block = [], made.begin()
    while block.isValid():
        made_format = block.blockFormat()
        found.append((made_format.topMargin(), made_format.indent(), made_format.leftMargin()))
        block = block.next()
    return found


def follow(body: Body, made: dict[object, list[object]]) -> None:
    for segment in body.segments:
        follow_one(segment, made)


def follow_one(segment, made) -> None:
    """What a ProseView does with its segment."""
    if segment.source is not None:
        return
    if segment not in made:
        new = document()
        made[segment] = [new, Writer(new, look()), 0]
    _, writer, written_blocks = made[segment]
    writer.rewind()
    for block in segment.blocks[written_blocks:]:
        writer.write(block)
    writer.commit()
    made[segment][2] = len(segment.blocks)
    for block in segment.tail:
        writer.write(block)
