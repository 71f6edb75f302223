"""An agent's Markdown in the few signs that chat clients draw (XEP-0393, Message Styling)."""

from __future__ import annotations

import re

_KEPT = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`|https?://[^\s)>\]]+", re.S)
"""What is written as it stands: code and addresses."""

_IMAGE = re.compile(r"!\[([^\]\n]*)\]\(([^)\s]+)\)")
_LINK = re.compile(r"\[([^\]\n]+)\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.M)
_BOTH = re.compile(r"\*\*\*(?=\S)(.+?)(?<=\S)\*\*\*")
_STRONG = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*|__(?=\S)(.+?)(?<=\S)__")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![\w*])")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!~>|])")
_SHELTERED = re.compile("[\ue100-\ue17f]")

_BOLD = "\ue000"
"""Stands for the star of bold until emphasis is done: a sign of nobody's (private use)."""


def styled(markdown: str) -> str:
    """`markdown` as Message Styling: *bold*, _emphasis_, ~struck~; links as "words (address)"."""
    markdown = _IMAGE.sub(lambda m: f"{m[1]} ({m[2]})" if m[1] else m[2], markdown.replace(_BOLD, ""))
    markdown = _LINK.sub(lambda m: m[2] if m[1] == m[2] else f"{m[1]} ({m[2]})", markdown)
    out, end = [], 0
    for kept in _KEPT.finditer(markdown):
        out += [_words(markdown[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join([*out, _words(markdown[end:])])


def _words(text: str) -> str:
    # What was escaped is no sign: it is out of reach until all signs are done.
    text = _ESCAPED.sub(lambda m: chr(0xE100 + ord(m[1])), _SHELTERED.sub("", text))
    text = _HEADING.sub(lambda m: f"**{m[1].replace('**', '')}**", text)
    text = _BOTH.sub(rf"{_BOLD}_\1_{_BOLD}", text)
    text = _STRONG.sub(lambda m: f"{_BOLD}{m[1] or m[2]}{_BOLD}", text)
    text = _EMPHASIS.sub(r"_\1_", text)
    text = _STRUCK.sub(r"~\1~", text)
    return _SHELTERED.sub(lambda m: chr(ord(m[0]) - 0xE100), text).replace(_BOLD, "*")


__all__ = ["styled"]
