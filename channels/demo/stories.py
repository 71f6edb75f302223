"""What the scripted customers have to say: (name, address, subject, text)."""

from __future__ import annotations

STORIES: tuple[tuple[str, str, str, str], ...] = (
    (
        "Maria Petrova", "m.petrova@acme.example", "VPN drops every 20 minutes",
        "Hello,\n\nsince the update on Monday the tunnel drops every 20 minutes on both sites. "
        "It comes back by itself after a minute, but every call is cut.\n\nThe router says:\n\n"
        "    ike: peer 192.0.2.17 not responding, DPD timeout\n    ERR-4711 phase 2 rekey failed\n\nMaria",
    ),
    ("陈强", "chen.qiang@nord.example", "重置密码后无法登录", "您好,\n\n重置密码之后还是无法登录,页面显示“令牌已过期”。\n已经换过浏览器,问题一样。请帮忙看一下,今天要提交报告。\n\n陈强"),
    (
        "Jonas Fischer", "j.fischer@nord.example", "Invoice 2026-0417 shows the wrong VAT id",
        "Good morning,\n\nour VAT id changed in September (DE 999 999 999), the invoice of October still shows the old one. "
        "Could you send a corrected invoice? Our accounting cannot book it otherwise.\n\nKind regards\nJonas Fischer",
    ),
    ("Aisha Jones", "aisha@bluefin.example", "Question about the export", "Hi!\n\nDoes the CSV export include archived projects? "
     "I need all of them for an audit, including the ones from 2023.\n\nThanks,\nAisha"),
    (
        "Otto Brandt", "otto@brandt.example", "Feature idea: dark PDF",
        "Reports at night are blinding. A dark variant of the PDF would be lovely. No hurry at all :)\n\n-- \nOtto Brandt\nBrandt Lighting",
    ),
    (
        "Renée Lefèvre", "renee.lefevre@atelier.example", "Commande 88213 : colis arrivé ouvert",
        "Bonjour,\n\nle colis est arrivé ouvert et il manque deux câbles. J'ai des photos si besoin.\n\nCordialement,\nRenée Lefèvre",
    ),
    (
        "Иван Смирнов", "i.smirnov@sever.example", "Ошибка 0x80070057 при установке",
        "Здравствуйте!\n\nПри установке версии 4.2 появляется ошибка 0x80070057. Ещё вчера всё работало. Что делать?\n\nИван",
    ),
    (
        "Grace Okafor", "grace.okafor@harbor.example", "URGENT: checkout is down",
        "Nobody can pay since 13:40. The page hangs on \"Confirming\" and then shows HTTP 502.\n\n"
        "We lose about 40 orders an hour. Please call me: +44 20 7946 0123\n\nGrace",
    ),
    (
        "佐藤 花子", "sato@mizu.example", "請求書の宛名変更について",
        "お世話になっております。\n\n請求書の宛名を「水株式会社 経理部」に変更していただけますでしょうか。\n\nよろしくお願いいたします。\n佐藤",
    ),
    (
        "Sam Whitfield", "sam@whitfield.example", "Printer prints hieroglyphs",
        "The label printer prints this since this morning:\n\n    ^XA^FO50,50^ADN,36,20^FD...\n\nTurning it off and on changed nothing.",
    ),
    ("Lena Köhler", "lena.koehler@uni.example", "Zugang für zwei neue Kolleginnen", "Guten Tag,\n\nkönnen Sie bitte für Frau Böhm und "
     "Frau Weiß Zugänge anlegen? Gleiche Rechte wie ich.\n\nMit freundlichen Grüßen\nLena Köhler"),
    (
        "Ben Adams", "ben.adams@acme.example", "Two-factor codes are always wrong",
        "My phone fell into a lake. New phone, new app, old codes do not work, and support chat sends me in circles.\n\nBen",
    ),
    (
        "Priya Nair", "priya@lotus.example", "API returns 429 although we are within limits",
        "Hi team,\n\nwe send 40 requests a minute (limit: 60) and still get:\n\n```\nHTTP/1.1 429 Too Many Requests\nRetry-After: 17\n```\n\n"
        "Token ends in 9f3. Started 09:12 UTC.\n\nPriya",
    ),
    ("Tom Baker", "tom@baker.example", "Cancel my subscription", "Please cancel my subscription to the end of the month and confirm. Thank you."),
)  # fmt: skip

ANSWERS: tuple[str, ...] = (
    "Thank you, that did it!",
    "Thanks for the quick answer. I tried it twice, and it still happens. What next?",
    "Great, I will try that tomorrow morning and let you know.",
    "That helped, but now a colleague has the same problem. Can you look at her account too?",
    "Perfect. You can close this.",
)
