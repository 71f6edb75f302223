"""Texts that speak of an attachment."""

from __future__ import annotations

import pytest

from desk.promised import promised


@pytest.mark.parametrize(
    "text",
    [
        "The log is attached.",
        "see the Attachments, please",
        "Enclosed you find the invoice",
        "Die Rechnung finden Sie im Anhang.",
        "anbei das Protokoll",
        "Vous trouverez ci-joint le devis",
        "en pièce jointe",
        "Adjunto el informe",
        "segue em anexo",
        "In allegato la fattura",
        "Zie de bijlage",
        "bifogar loggen",
        "W załączniku umowa",
        "v příloze posílám",
        "Файл вложен",
        "во вложении",
        "συνημμένο",
        "Ekteki dosya",
        "ログを添付します",
        "请看附件",
        "첨부 파일",
        "مرفق طيه",
        "מצורף הקובץ",
        "Xem tệp đính kèm",
    ],
)
def test_a_promise_is_found_in_many_languages(text: str) -> None:
    assert promised(text).lower() in text.lower()
    assert promised(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Please restart the router.",
        "> I attached the log\nThank you, we will look.",
        "Thank you.\n-- \nAll attachments are checked for viruses",
        "unattached cable",
        "Bitte hängen Sie nichts an.",
        "Je vous rejoins",
    ],
)
def test_no_promise_in_quotes_signatures_and_other_words(text: str) -> None:
    assert promised(text) == ""
