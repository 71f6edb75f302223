"""What the scripted customers have to say."""

from __future__ import annotations

from typing import NamedTuple


class Story(NamedTuple):
    """A customer, what they write, and what they say to each answer in turn; after the last they are content."""

    name: str
    address: str
    subject: str
    text: str
    answers: tuple[str, ...]


BEFORE: tuple[Story, ...] = (
    Story(
        "Maria Petrova", "m.petrova@acme.example", "VPN drops every 20 minutes",
        "Hello,\n\n"
        "since the update on Monday the tunnel drops every 20 minutes on both sites. It comes back by itself "
        "after a minute, but every call is cut.\n\nThe router says:\n\n"
        "    ike: peer 192.0.2.17 not responding, DPD timeout\n    ERR-4711 phase 2 rekey failed\n\nMaria",
        (
            "Thank you for looking into it so soon. If it helps: the MTU is 1500 on both sites.",
            "It has run for an hour at 1400 without one drop. Thank you!",
        ),
    ),
    Story(
        "陈强", "chen.qiang@nord.example", "重置密码后无法登录",
        "您好,\n\n重置密码之后还是无法登录,页面显示“令牌已过期”。\n已经换过浏览器,问题一样。请帮忙看一下,今天要提交报告。\n\n陈强",
        (
            "收到。请问重置之后需要等多久?",
            "现在可以登录了,非常感谢!",
        ),
    ),
    Story(
        "Jonas Fischer", "j.fischer@nord.example", "Invoice 2026-0417 shows the wrong VAT id",
        "Good morning,\n\n"
        "our VAT id changed in September (DE 999 999 999), the invoice of October still shows the old one. "
        "Could you send a corrected invoice? Our accounting cannot book it otherwise.\n\nKind regards\n"
        "Jonas Fischer",
        (
            "Thank you. Will the corrected invoice have the same number?",
            "It has arrived, and it is right. You can close this.",
        ),
    ),
    Story(
        "Aisha Jones", "aisha@bluefin.example", "Question about the export",
        "Hi!\n\n"
        "Does the CSV export include archived projects? I need all of them for an audit, including the ones "
        "from 2023.\n\nThanks,\nAisha",
        (
            "Found it! Does that work for a schedule too?",
            "Perfect, thanks. That is all I need.",
        ),
    ),
    Story(
        "Otto Brandt", "otto@brandt.example", "Feature idea: dark PDF",
        "Reports at night are blinding. A dark variant of the PDF would be lovely. No hurry at all :)\n\n-- \n"
        "Otto Brandt\nBrandt Lighting",
        (
            "Happy to hear it. I can test it when there is something.",
        ),
    ),
    Story(
        "Renée Lefèvre", "renee.lefevre@atelier.example", "Commande 88213 : colis arrivé ouvert",
        "Bonjour,\n\nle colis est arrivé ouvert et il manque deux câbles. J'ai des photos si besoin.\n\n"
        "Cordialement,\nRenée Lefèvre",
        (
            "Merci. Faut-il vous renvoyer le colis ?",
            "Les câbles sont là. Merci beaucoup !",
        ),
    ),
    Story(
        "Иван Смирнов", "i.smirnov@sever.example", "Ошибка 0x80070057 при установке",
        "Здравствуйте!\n\n"
        "При установке версии 4.2 появляется ошибка 0x80070057. Ещё вчера всё работало. Что делать?\n\nИван",
        (
            "Попробовал, ошибка та же. Прислать журнал установки?",
            "Помогло, спасибо!",
        ),
    ),
    Story(
        "Grace Okafor", "grace.okafor@harbor.example", "URGENT: checkout is down",
        "Nobody can pay since 13:40. The page hangs on \"Confirming\" and then shows HTTP 502.\n\n"
        "We lose about 40 orders an hour. Please call me: +44 20 7946 0123\n\nGrace",
        (
            "Still 502, about every second attempt. What can we tell our customers?",
            "Orders come in again. Thank you for being quick.",
        ),
    ),
    Story(
        "佐藤 花子", "sato@mizu.example", "請求書の宛名変更について",
        "お世話になっております。\n\n請求書の宛名を「水株式会社 経理部」に変更していただけますでしょうか。\n\nよろしくお願いいたします。\n佐藤",
        (
            "ご対応ありがとうございます。今月分から変わりますか。",
            "承知いたしました。ありがとうございました。",
        ),
    ),
    Story(
        "Sam Whitfield", "sam@whitfield.example", "Printer prints hieroglyphs",
        "The label printer prints this since this morning:\n\n    ^XA^FO50,50^ADN,36,20^FD...\n\n"
        "Turning it off and on changed nothing.",
        (
            "It is a Zebra, the driver was updated last night. Does that matter?",
            "The older driver did it. Cheers!",
        ),
    ),
    Story(
        "Lena Köhler", "lena.koehler@uni.example", "Zugang für zwei neue Kolleginnen",
        "Guten Tag,\n\nkönnen Sie bitte für Frau Böhm und Frau Weiß Zugänge anlegen? Gleiche Rechte wie ich.\n\n"
        "Mit freundlichen Grüßen\nLena Köhler",
        (
            "Vielen Dank! Bekommen die beiden eine eigene Mail?",
            "Beide konnten sich anmelden, danke!",
        ),
    ),
    Story(
        "Ben Adams", "ben.adams@acme.example", "Two-factor codes are always wrong",
        "My phone fell into a lake. New phone, new app, old codes do not work, and support chat sends me in "
        "circles.\n\nBen",
        (
            "In again. Can I keep two phones, for the next lake?",
            "Done, both work. Thanks!",
        ),
    ),
)  # fmt: skip
"""Who has written before anybody looks; what was said since is furniture of the sample desk."""

STORIES: tuple[Story, ...] = (
    Story(
        "Priya Nair", "priya@lotus.example", "API returns 429 although we are within limits",
        "Hi team,\n\nwe send 40 requests a minute (limit: 60) and still get:\n\n```\n"
        "HTTP/1.1 429 Too Many Requests\nRetry-After: 17\n```\n\nToken ends in 9f3. Started 09:12 UTC.\n\nPriya",
        (
            "We have one token for four workers. Is the limit counted by token?",
            "That was it: one token each, and no 429 since. Thank you.",
        ),
    ),
    Story(
        "Tom Baker", "tom@baker.example", "Cancel my subscription",
        "Please cancel my subscription to the end of the month and confirm. Thank you.",
        (
            "Thanks. Until when can I fetch my data?",
            "Got it. All the best to you.",
        ),
    ),
    Story(
        "Mei Tanaka", "mei@kogane.example", "Export stops at 99%",
        "Hello,\n\n"
        "the export of our archive stops at 99% every time. Smaller ones are fine. The last line of the "
        "log:\n\n    write /tmp/export-7731.zip: no space left on device\n\nMei",
        (
            "It is on your servers, as far as I can see. Can you look there?",
            "It ran through. 41,208 files, all there. Thank you!",
        ),
    ),
    Story(
        "Carlos Ibáñez", "carlos@puerto.example", "No llega el correo de confirmación",
        "Buenos días:\n\n"
        "He cambiado mi dirección y el correo de confirmación no llega. Ya miré en la carpeta de spam.\n\n"
        "Un saludo,\nCarlos",
        (
            "Sigue sin llegar. ¿Puede confirmarla usted?",
            "Ya funciona. ¡Muchas gracias!",
        ),
    ),
    Story(
        "Hannah Weiss", "hannah.weiss@werk.example", "Two charges for October",
        "Hi,\n\nour card was charged twice for October (2 x 149.00). Please refund one of them.\n\nHannah",
        (
            "Thank you. How many days does that take?",
            "The refund has arrived. You can close this.",
        ),
    ),
    Story(
        "Noor Haddad", "noor@cedarworks.example", "Webhook signature does not match",
        "Since yesterday evening every webhook fails our signature check:\n\n```\n"
        "expected 9c1f...e2, got 41aa...07\n```\n\nDid the secret change?\n\nNoor",
        (
            "We did not change anything. Which of the two secrets is in use?",
            "With the new secret all is well again. Thanks!",
        ),
    ),
    Story(
        "Marta Nowak", "marta@lipa.example", "Nie mogę dodać załącznika",
        "Dzień dobry,\n\nprzy dodawaniu pliku PDF (6 MB) pojawia się „błąd 413”. Wczoraj działało.\n\nMarta",
        (
            "Plik ma dokładnie 6,2 MB. Jaki jest limit?",
            "Działa, dziękuję!",
        ),
    ),
    Story(
        "David Osei", "david@osei.example", "Who changed our plan?",
        "We are on a smaller plan since this morning and nobody here did that. Can you see who it was?\n\nDavid",
        (
            "That address belongs to somebody who left us. Can you lock it?",
            "Plan and access are right again. Thank you.",
        ),
    ),
    Story(
        "Lucia Ferrari", "lucia@ferrari.example", "Search finds nothing in attachments",
        "Ciao,\n\nthe search used to find words in PDFs. Since last week it only finds file names.\n\nLucia",
        (
            "Only files of this month, yes. The older ones are found.",
            "Now all are found. Grazie!",
        ),
    ),
    Story(
        "Ada Lindqvist", "ada@fjord.example", "Please delete my account",
        "Under article 17 please delete my account and what you keep about me, and confirm it.\n\nAda Lindqvist",
        (
            "I confirm that it is me: the address is the one I signed up with.",
            "Thank you for the confirmation.",
        ),
    ),
    Story(
        "Victor Hale", "victor@hale.example", "Clock is an hour off",
        "Every entry in the log is an hour early since the clocks went back. Time zone is Europe/Lisbon.",
        (
            "It is the entries of the API alone, the ones of the site are right.",
            "Right to the minute now. Thanks.",
        ),
    ),
    Story(
        "Inès Moreau", "ines@moreau.example", "Le bouton « Payer » reste gris",
        "Bonjour,\n\nle bouton reste gris alors que tous les champs sont remplis (Firefox 140, Linux).\n\nInès",
        (
            "Avec un autre navigateur, cela marche.",
            "C'est réparé, merci !",
        ),
    ),
)  # fmt: skip
"""Who writes while one looks."""

KNOWN = {story.address: story for story in (*BEFORE, *STORIES)}
"""Every customer by address."""
