"""channels.kit.mail.visible: what the sender wrote this time."""

from __future__ import annotations

import time

import pytest

from channels.kit.mail.visible import visible

OWN = "Hello,\nthe blue one is still broken.\n\nThanks\nMax"
QUOTE = "> Which one is it?\n>\n> Robin\n"


@pytest.mark.parametrize(
    "attribution",
    [
        "On Mon, 1 Jan 2024 at 10:00, Robin Ash <help@example.com> wrote:",
        "On Mon, 1 Jan 2024 at 10:00, Robin Ash of the Support Team\n<help@example.com> wrote:",
        "On Mon, 1 Jan 2024 at 10:00,\nRobin Ash of the Support Team\n<help@example.com> wrote:",
        "Am 01.01.2024 um 10:00 schrieb Robin Ash <help@example.com>:",
        "Am Mo., 1. Jan. 2024 um 10:00 Uhr schrieb Robin Ash <\nhelp@example.com>:",
        "Le lun. 1 janv. 2024 à 10:00, Robin Ash <help@example.com> a écrit :",
        "El lun, 1 ene 2024 a las 10:00, Robin Ash (<help@example.com>) escribió:",
        "Il giorno lun 1 gen 2024 alle ore 10:00 Robin Ash <help@example.com> ha scritto:",
        "Em seg., 1 de jan. de 2024 às 10:00, Robin Ash <help@example.com> escreveu:",
        "Op ma 1 jan 2024 om 10:00 schreef Robin Ash <help@example.com>:",
        "W dniu 1.01.2024 o 10:00, Robin Ash pisze:",
        "pon., 1 sty 2024 o 10:00 Robin Ash <help@example.com> napisał(a):",
        "пн, 1 янв. 2024 г. в 10:00, Robin Ash <help@example.com>:",
        "01.01.2024 10:00, Robin Ash пишет:",
        "2024年1月1日(月) 10:00 Robin Ash <help@example.com>:",
        "2024/01/01 10:00、Robin Ash のメール:",
        "Robin Ash <help@example.com> 于2024年1月1日周一 10:00写道：",
        "在 2024年1月1日，10:00，Robin Ash 写道：",
        "Den 1. jan. 2024 kl. 10.00 skrev Robin Ash <help@example.com>:",
        "ma 1. tammik. 2024 klo 10.00 Robin Ash (help@example.com) kirjoitti:",
        "Dne 1. 1. 2024 v 10:00 Robin Ash napsal(a):",
        "Robin Ash <help@example.com> ezt írta (időpont: 2024. jan. 1., H, 10:00):",
        "În lun., 1 ian. 2024 la 10:00, Robin Ash <help@example.com> a scris:",
        "Robin Ash <help@example.com>, 1 Oca 2024 Pzt, 10:00 tarihinde şunu yazdı:",
        "Στις Δευ 1 Ιαν 2024 στις 10:00 π.μ., ο χρήστης Robin Ash <help@example.com> έγραψε:",
        "2024년 1월 1일 (월) 오전 10:00, Robin Ash <help@example.com>님이 작성:",
        "Vào Th 2, 1 thg 1, 2024 vào lúc 10:00 Robin Ash <help@example.com> đã viết:",
        "\u202bבתאריך יום ב׳, 1 בינו׳ 2024 ב-10:00 מאת \u202aRobin Ash\u202c <\u202ahelp@example.com\u202c>:\u202c",
        "Robin Ash <help@example.com> schrieb am Mo., 1. Jan.\n2024 um 10:00:",
        "On Mon, 1 Jan 2024 at 10:00 Robin Ash\n\n<\nmailto:Robin Ash <help@example.com>\n> wrote:",
        '01.01.2024, 10:00, "Robin Ash" <help@example.com>:',
        "---- On Mon, 01 Jan 2024 10:00:00 +0100 Robin Ash <help@example.com> wrote ----",
        "2024-01-01 10:00 GMT+01:00 Robin Ash <help@example.com>:",
    ],
)
@pytest.mark.parametrize("gap", ["", "\n"])
def test_a_quote_and_its_attribution_go(attribution: str, gap: str) -> None:
    assert visible(f"{OWN}\n\n{attribution}\n{gap}{QUOTE}") == OWN


@pytest.mark.parametrize(
    "tail",
    [
        "-----Original Message-----\nFrom: Robin\nSent: Monday\nTo: Max\nSubject: Blue\n\nWhich one?",
        "-----Ursprüngliche Nachricht-----\nVon: Robin\nGesendet: Montag\n\nWelcher?",
        "----- Исходное сообщение -----\nКоторый?",
        "------------------ 原始邮件 ------------------\n哪一个？",
        "________________________________\nFrom: Robin <help@example.com>\nSent: Monday\nTo: Max\nSubject: Blue\n\nWhich?",
        "________________________________\n\nVon: Robin\nGesendet: Montag\nAn: Max\nBetreff: Blau\n\nWelcher?",
        "De : Robin\nEnvoyé : lundi\nÀ : Max\nObjet : Bleu\n\nLequel ?",
        "De: Robin\nEnviado el: lunes\nPara: Max\nAsunto: Azul\n\n¿Cuál?",
        "Da: Robin\nInviato: lunedì\nA: Max\nOggetto: Blu\n\nQuale?",
        "Van: Robin\nVerzonden: maandag\nAan: Max\nOnderwerp: Blauw\n\nWelke?",
        "Od: Robin\nWysłano: poniedziałek\nDo: Max\nTemat: Niebieski\n\nKtóry?",
        "От: Robin\nОтправлено: понедельник\nКому: Max\nТема: Синий\n\nКоторый?",
        "差出人: Robin\n送信日時: 月曜日\n宛先: Max\n件名: 青\n\nどれ？",
        "发件人: Robin\n发送时间: 星期一\n收件人: Max\n主题: 蓝\n\n哪个？",
        "-------- Oprindelig besked --------\nHvilken?",
        "Fra: Robin <help@example.com>\nSendt: 1. januar 2024\nTil: Max\nEmne: Blå\n\nHvilken?",
        "Från: Robin\nSkickat: den 1 januari 2024\nTill: Max\nÄmne: Blå\n\nVilken?",
        "Kimden: Robin\nGönderildi: 1 Ocak 2024\nKime: Max\nKonu: Mavi\n\nHangisi?",
        "보낸 사람: Robin\n보낸 날짜: 2024년 1월 1일\n받는 사람: Max\n제목: 파랑\n\n무엇?",
        "From: Robin <help@example.com>\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nWhich?",
        "---- Robin Ash wrote ----\n\nWhich?",
        '01.01.2024, 10:00, "Robin" <help@example.com>:\n\nWhich?',
        "**From:** Robin\n**Sent:** Monday\n**To:** Max\n**Subject:** Blue\n\nWhich?",
        "من: Robin\n\u200f\u200fتم الإرسال: 10:00\nإلى: Max\n\u200f\u200fالموضوع: Blue\n\nWhich?",
        "\u2010\u2010\u2010\u2010 Original Message \u2010\u2010\u2010\u2010\nWhich?",
        "Wiadomość napisana przez Robin <help@example.com> w dniu 1 sty 2024, o godz. 10:00:\n\nWhich?",
        "बुध, 1 जन॰ 2024 को 10:00 बजे को Robin <help@example.com> ने लिखा:\n\nWhich?",
        "On 1 Jan 2024, at 10:00, Robin <help@example.com> wrote:\n\nWhich one is it?\nRobin",
    ],
)
def test_everything_below_a_copied_mail_goes(tail: str) -> None:
    assert visible(f"{OWN}\n\n{tail}\n") == OWN


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Gesendet von Outlook für Android",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Enviado do meu iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Wysłane z iPhone'a",
        "Отправлено с iPhone",
        "iPhoneから送信",
        "发自我的iPhone",
        "Get Outlook for iOS",
        "Get Outlook for iOS<https://example.com/ios>",
        "(Sent from my phone)",
        "Sendt fra min iPad",
        "Lähetetty iPhonesta",
        "나의 iPhone에서 보냄",
        "iPhone'umdan gönderildi",
        "\u202bأُرسلت من الـ iPhone\u202c",
    ],
)
def test_the_last_line_of_a_telephone_goes(line: str) -> None:
    assert visible(f"{OWN}\n\n{line}\n\nOn 1 Jan 2024, at 10:00, Robin <help@example.com> wrote:\n\n{QUOTE}") == OWN
    assert visible(f"{OWN}\n\n{line}\n") == OWN


def test_a_signature_goes_up_to_the_quote() -> None:
    signature = "-- \nMax Kohl\nExample Ltd"
    assert visible(f"{OWN}\n{signature}\n") == OWN
    assert visible(f"{OWN}\n{signature}\n\nOn 1 Jan 2024 Robin wrote:\n{QUOTE}") == OWN
    assert visible(f"{OWN}\n--\nMax Kohl") == OWN


def test_a_name_behind_a_hyphen_at_the_end_goes() -> None:
    assert visible(f"{OWN}\n\n-Max\n") == OWN
    assert visible("The list:\n- box\n- bag\n") == "The list:\n- box\n- bag\n"
    assert visible("I want\n\n-Box\n\nand more.\n") == "I want\n\n-Box\n\nand more.\n"


def test_the_footer_of_a_list_goes() -> None:
    footer = "_" * 40 + "\ntalk mailing list\ntalk@example.com\n"
    assert visible(f"{OWN}\n\n{footer}") == OWN


def test_an_attribution_behind_the_last_word_goes() -> None:
    assert visible(f"It is blue. On Mon, Jan 1, 2024 at 10:00, help@example.com wrote:\n{QUOTE}") == "It is blue."


def test_a_quote_marked_by_bars_goes() -> None:
    quote = "| Which one?\n|\n| Robin\n"
    assert visible(f"{OWN}\n\nOn 1 Jan 2024 Robin wrote:\n{quote}") == OWN
    assert visible("The prices:\n| box | 3 |\n| bag | 4 |") == "The prices:\n| box | 3 |\n| bag | 4 |"


def test_a_line_with_an_address_above_an_attribution_stays() -> None:
    text = 'Ask @robin, 2 of us know it.\nOn 1 Jan 2024 10:00 "Robin" <help@example.com>\nwrote:\n'
    assert visible(text + QUOTE) == "Ask @robin, 2 of us know it."


def test_an_answer_below_the_quote_stays() -> None:
    assert visible(f"On 1 Jan 2024 Robin wrote:\n{QUOTE}\n{OWN}\n-- \nMax") == OWN


def test_answers_between_quotes_stay() -> None:
    text = "On 1 Jan 2024 Robin wrote:\n> Which one?\nThe blue one.\n> Since when?\n\nYesterday.\n\n> Robin\n"
    assert visible(text) == "The blue one.\n\nYesterday."


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        "",
        "> only a quote\n> and more\n",
        "On Monday John wrote:\nthis and that, and I disagree.\n",
        "The prices:\n- box: 3\n- bag: 4",
        "From: me to you\nwith love",
        "5 > 3 and 2 < 4",
        "-- \nno words above",
        "Sent from my iPhone",
        "Steps:\n--\n" + "one more line that matters\n" * 30,
        "See this:\n\n---------- Forwarded message ---------\nFrom: A <a@example.com>\nDate: x\nSubject: y\nTo: z\n\n> offer",
        "From: Robin\nSent: Monday\nTo: Max\nSubject: Blue\n\nforwarded without a word",
        "-------- Original Message --------\nSubject: Blue\nDate: 2024-01-01 10:00\nFrom: Robin\nTo: Max\n\nthe offer",
        "**Gesendet:** Montag\n\n**Von:** Robin\n\n**An:** Max\n\n**Betreff:** Blau\n\n\nIch nehme die blaue.",
    ],
)
def test_a_mail_without_quotes_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "On 1 1 \n" * 20_000,
        "From:\n" * 50_000,
        "-" * 500_000,
        "-- \nx\n" * 300,
        ("a" * 399 + ":\n") * 600,
        "\n" * 100_000,
        "> a\n" * 100_000,
    ],
    ids=["attributions", "labels", "hyphens", "signatures", "colons", "nothing", "quotes"],
)
def test_the_scan_is_linear(text: str) -> None:
    begin = time.process_time()
    visible("x\n" + text)
    assert time.process_time() - begin < 1.5
