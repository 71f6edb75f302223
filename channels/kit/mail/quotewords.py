"""The words by which mail programs of many languages mark quotes and telephones' signatures.

Fragments of regular expressions in lower case, put together and used by `visible`.
"""

from __future__ import annotations

WROTE = (
    r"wrote|napisan[ae] przez|writes|said|schrieb|hat geschrieben|schreibt|schreef|het volgende geschreven|geschreven|a écrit|écrivait|ecrit|escribió|escribio|escribe|ha scritto|scrive"
    r"|escreveu|va escriure|a scris|skrev|skrifaði|kirjoitti|kirjutas|rakstīja|rašė|napisał(?:a|\(a\)|/a)?|pisze|napsal(?:a|\(a\))?|napísal(?:a|\(a\))?|je napisao|je napisala|je napisal(?:/a|a)?|napisao je|napisala je|napisala?"
    r"|írta|ezt írta|yazdı|şunu yazdı|tarihinde şunları yazdı|đã viết|menulis|έγραψε|написала?|написал\(а\)|написа|пишет|писав|пише|піше|пишува|כתב(?:ה)?|كتب|ने लिखा|نوشت|је написао(?:/ла)?|је написала"
    r"|さんは書きました|は書きました|さんが書いた|のメール|写道|寫道|님이 작성|작성|씀|เขียนว่า|เขียน"
)
"""The verbs of "On ... wrote:"."""

OPENS = (
    r"on|wiadomość|am|le|el|il giorno|il|em|op|w dniu|dnia|den|på|pe|ha|dne|dňa|dana|op|vào|pada|στις|в|у|ke|a|on|mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim|pon|wt|śr|czw|pt|sob|niedz"
    r"|пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье|ma|ti|ke|to|pe|la|su|در|بتاريخ|في|ב-?|在|于|於|lúc"
)
"""What stands before its date."""

ORIGINAL = (
    r"original message|reply message|original appointment|original-nachricht|originalnachricht|ursprüngliche nachricht|antwort nachricht|weitere nachricht|message d'origine|message original|message initial"
    r"|mensaje original|messaggio originale|mensagem original|oorspronkelijk bericht|originele bericht|oorspronkelijke bericht|oryginalna wiadomość|wiadomość oryginalna|исходное сообщение|оригинальное сообщение"
    r"|originale? meddelelse|oprindelig (?:meddelelse|besked)|original(?:t)? meddelande|ursprungligt meddelande|opprinnelig melding|alkuperäinen viesti|původní zpráva|pôvodná správa|eredeti üzenet|mesaj original|orijinal mesaj|izvorna poruka"
    r"|originalna poruka|αρχικό μήνυμα|оригінальне повідомлення|הודעה מקורית|الرسالة الأصلية|原始邮件|原始郵件|原邮件|元のメッセージ|원본 메시지|원본 메일|ข้อความต้นฉบับ|thư gốc|pesan asli"
)
"""Titles of a copied mail, between hyphens."""

FORWARDED = (
    r"forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|messaggio inoltrato|mensagem encaminhada|doorgestuurd bericht|wiadomość przekazana dalej|пересылаемое сообщение|пересланное сообщение"
    r"|videresendt (?:meddelelse|melding)|vidarebefordrat meddelande|välitetty viesti|přeposlaná zpráva|továbbított üzenet|mesaj redirecționat|iletilen mesaj|转发的消息|轉寄的訊息|転送メッセージ|전달된 메시지"
)
FORWARDED_APPLE = (
    r"begin forwarded message:|anfang der weitergeleiteten nachricht:|début du message (?:réexpédié|transféré) ?:|inizio messaggio inoltrato:|inicio del mensaje reenviado:|begin doorgestuurd bericht:|start på videresendt besked:"
    r"|vidarebefordrat brev:|початок листа|начало переадресованного сообщения:|转发邮件信息：|転送されたメール：|início da mensagem reencaminhada:"
)
"""Titles of a forwarded mail; it stays visible."""

FROM = r"from|von|de|от|від|от кого|差出人|送信者|发件人|發件人|寄件者|寄件人|보낸 ?사람|da|van|od|fra|från|lähettäjä|mittente|feladó|de la|kimden|από|מאת|من|từ|dari|šalje|odesílatel|odosielateľ|จาก|expéditeur|remitente"
DATED = (
    r"sent|date|gesendet|datum|envoyé|date d'envoi|message du|отправлено|дата|надіслано|送信日時|送信日|日時|日付|发送时间|發送時間|日期|时间|時間|寄件日期|보낸 ?날짜|날짜|enviado(?: el)?|fecha|inviato|data|enviada(?: em)?|verzonden|wysłano|sendt|dato|skickat"
    r"|lähetetty|päivämäärä|elküldve|dátum|küldve|trimis|gönderildi|gönderme tarihi|tarih|στάλθηκε|ημερομηνία|נשלח|תאריך|تاريخ الإرسال|تم الإرسال|التاريخ|gửi|ngày|dikirim|tanggal|odesláno|odoslané|poslano|poslané|ส่ง|วันที่"
)
OTHERS = (
    r"to|cc|bcc|subject|reply-to|an|kopie|kopie \(cc\)|betreff|priorität|à|copie à|objet|кому|копия|копія|тема|宛先|cc|件名|收件人|收件者|抄送|副本|主题|主旨|主題|받는 ?사람|참조|제목|para|asunto|a|oggetto|assunto|aan|onderwerp|do|dw|temat"
    r"|til|emne|till|kopia|ämne|vastaanottaja|kopio|aihe|címzett|másolatot kap|tárgy|către|subiect|kime|bilgi|konu|προς|θέμα|אל|נושא|إلى|الموضوع|đến|tới|chủ đề|kepada|perihal|subjek|za|komu|předmět|predmet|ถึง|เรื่อง|importance|wichtigkeit"
)
"""The labels of a copied header: its sender, its date, and the rest."""

PHONE = (
    r"sent (?:from|via|with|using|by) (?!the (?!samsung|new|galaxy|mobile mail)|our |us )\S.{0,80}",
    r"get (?:outlook|\[outlook) for .{0,80}",
    r"outlook (?:for (?:ios|android)|für \w+ (?:beziehen|herunterladen|abrufen)|voor \w+ downloaden).{0,60}",
    r"from my (?:i?phone|ipad|mobile|android|blackberry|galaxy)\b.{0,40}",
    r"von (?:meinem .{1,40}|iphone|ipad|android).{0,30}gesendet.{0,40}",
    r"gesendet (?:von|mit|über|aus) .{1,60}",
    r"diese nachricht wurde von meinem .{1,60} gesendet.?",
    r"holen sie sich outlook für .{1,40}",
    r"envoyé (?:de|depuis|à partir de|via) .{1,60}",
    r"télécharge[rz] outlook pour .{1,60}",
    r"obtenez outlook pour .{1,60}",
    r"enviado (?:desde|do|de|a partir do|via|pelo|con) .{1,60}",
    r"obtener outlook para .{1,60}",
    r"obter o outlook para .{1,60}",
    r"inviato da.{1,60}",
    r"scarica outlook per .{1,60}",
    r"ottieni outlook per .{1,60}",
    r"verstuurd vanaf .{1,60}",
    r"verzonden (?:vanaf|met|via|vanuit) .{1,60}",
    r"wysłan[eoy] z .{1,60}",
    r"pobierz (?:program )?outlook .{1,60}",
    r"отправлено (?:с|из|через) .{1,60}",
    r"надіслано з .{1,60}",
    r"sendt fra .{1,60}",
    r"skickat från .{1,60}",
    r"hämta outlook för .{1,60}",
    r"hent outlook til .{1,60}",
    r"lähetetty .{1,60}",
    r"odesláno z.{1,60}",
    r"odoslané z.{1,60}",
    r"trimis de pe .{1,60}",
    r"从我的.{1,20}(?:发送|发出)",
    r"发自.{1,30}",
    r"發自.{1,30}",
    r"從我的.{1,20}傳送",
    r"đã gửi từ .{1,40}",
    r"gửi từ .{1,40}",
    r"dikirim dari .{1,40}",
    r"εστάλη από .{1,40}",
    r"στάλθηκε από .{1,40}",
    r"נשלח מה.{1,40}",
    r"أُ?رسلت من .{1,40}",
)
PHONE_LAST = ("から送信", "에서 보냄", "gönderildi", "gönderildi.", "-omról küldve", "-ról küldve")
"""The last lines of telephones' mails: how they begin, and how they end."""
