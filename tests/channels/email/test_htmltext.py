"""channels.kit.mail.htmltext: pages that mail programs make, as a person reads them."""

from __future__ import annotations

import pytest

from channels.kit.mail.htmltext import Links, html_text

PAGES = {
    "gmail": (
        '<div dir="ltr">Hello,<div><br></div><div>two</div><ul><li>a<ul><li>b</li></ul></li></ul></div>',
        "Hello,\n\ntwo\n\n- a\n  - b",
    ),
    "outlook": (
        '<div class="WordSection1"><p class="MsoNormal">Hello,<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p>'
        '<p class="MsoNormal">two<br>three</p></div>',
        "Hello,\n\ntwo\nthree",
    ),
    "apple": (
        '<div>Hello</div><blockquote type="cite"><div>one</div><blockquote type="cite"><div>two</div></blockquote></blockquote><div>below</div>',
        "Hello\n\n> one\n>\n> > two\n\nbelow",
    ),
    "layout": (
        '<table><tr><td><table><tr><td>Head</td></tr></table></td></tr><tr><td><p>One.</p><p>Two.</p></td></tr></table>',
        "Head\n\nOne.\n\nTwo.",
    ),
    "data": (
        "<p>Order:</p><table><tr><th>Item</th><th>Qty</th></tr><tr><td>Box</td><td>2</td></tr></table>",
        "Order:\n\n| Item | Qty |\n| --- | --- |\n| Box | 2 |",
    ),
    "preheader": ('<div style="display:none;max-height:0px">Hidden</div><div hidden>too</div><p>Shown</p>', "Shown"),
    "no height": ('<table><tr><td style="overflow:hidden; max-height:0;">Hidden</td></tr></table><p>Shown</p>', "Shown"),
    "see-through": ('<div style="opacity:0;">Hidden</div><p style="opacity:0.9;">Shown</p>', "Shown"),
    "sheet": (
        "<style>.teaser, p.more { display: none !important } @media screen { .wide { display: none } }</style>"
        '<!--[if mso]><style>.web{display:none}</style><![endif]--><div class="top teaser">Hidden</div><p class=more>too</p>'
        '<div class="wide">One</div><div class="web">two</div><div class="teaser" style="display:block">three</div>',
        "One\ntwo\nthree",
    ),
    "drawing": ("<p>One</p><svg><text>Logo</text></svg><p>two</p>", "One\n\ntwo"),
    "pictures": ('<p><img alt="Logo" src="cid:x"><img src="pixel.gif" alt=""></p><p>Text</p>', "[Logo]\n\nText"),
    "code": ("<p>See</p><pre>def x():\n    return 1</pre>", "See\n\n```\ndef x():\n    return 1\n```"),
    "numbers": ("<ol start=5><li>five</li><li>six</li></ol>", "5. five\n6. six"),
    "no marks": ("<p># one</p><p>1. two</p><p>- three</p><p>snake_case *four*</p>", "# one\n\n1. two\n\n- three\n\nsnake_case *four*"),
    "unseen": ("<script>a</script><style>b</style><!-- c --><p>d</p>", "d"),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_well(name: str) -> None:
    source, text = PAGES[name]
    assert html_text(source, Links()) == text


def test_a_link_may_leave_its_scheme_to_the_page() -> None:
    links = Links()
    assert html_text('<a href="//example.com/a">one</a>', links) == "one [1]"
    assert links.listing() == "[1] https://example.com/a"


def test_links_are_numbered_once_for_each_target() -> None:
    links = Links()
    page = '<a href="https://example.com/a">one</a> <a href="https://example.com/b">two</a> <a href="https://example.com/a">three</a>'
    assert html_text(page, links) == "one [1] two [2] three [1]"
    assert links.listing() == "[1] https://example.com/a\n[2] https://example.com/b"


@pytest.mark.parametrize(
    "link",
    [
        '<a href="https://example.com/">https://example.com/</a>',
        '<a href="mailto:max@example.com">max@example.com</a>',
        '<a href="#top">top</a>',
        '<a href="javascript:alert(1)">run</a>',
        '<a name="here">here</a>',
    ],
)
def test_links_that_say_where_they_go_or_go_nowhere_have_no_number(link: str) -> None:
    links = Links()
    html_text(link, links)
    assert links.numbers == {}
