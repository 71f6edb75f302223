"""The words by which reports of servers and answers of programs are known, in many languages.

All in lower case, for text in lower case: patterns that ignore case cost several times as much.
"""

from __future__ import annotations

import re

DAEMON = re.compile(
    r"(?:^|[<\s\"'(])(?:mailer[-_ ]?daemon|post[-_]?master|mail[-_ ]?daemon|mdaemon|mailerdaemon|mail\.delivery\.system)(?:@|$|[>\s\"(])"
    r"|mail deliver(?:y|er)? (?:sub)?system|mail delivery (?:service|agent|system|status)|system administrator|mail administrator|microsoft outlook\b|ndr administrator",
)
"""Who signs a report."""

NOBODY = (
    "no-reply",
    "noreply",
    "no_reply",
    "no.reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "bounce",
    "mailer",
    "sysadmin",
)
"""Senders that nobody can answer."""

_FAILED = (
    r"undeliver(?:ed|able)|delivery (?:status|failure|failed|has failed|incomplete|report|delayed|error|problem|warning|notification)"
    r"|(?:mail|message) (?:delivery|status|could not be|not) (?:failed|failure|system|problem|error|warning|delivered|status|delayed|notification|report)"
    r"|mail (?:system error|failure|error)|returned (?:mail|to sender|e-?mail)|return(?:ed|ing) (?:mail|message)|failure notice|failure delivery|could not be delivered|couldn't be delivered|nondeliver|non-?delivery|failed mail"
    r"|warning: (?:message|could not send)|error sending|message (?:you sent )?(?:blocked|rejected|delayed|bounced)|rejected (?:mail|message)|user unknown|bounced? (?:mail|message|e-?mail)"
    r"|delayed (?:mail|message)|your message to .{1,80} (?:has been delayed|could not|was not)"
    r"|unzustellbar|nicht zugestellt|zustellung|übermittlung fehlgeschlagen|rückläufer|mail-?zustellfehler|onbestelbaar|kan niet worden bezorgd|niet afgeleverd"
    r"|non remis|échec de (?:la )?(?:remise|distribution|livraison)|message non distribué|notification d'état de remise|courrier non remis"
    r"|no se pudo entregar|no se ha podido entregar|no entregado|devuelto|notificación de estado de entrega|error de entrega"
    r"|mancata consegna|non recapitabile|impossibile recapitare|notifica stato recapito|messaggio non consegnato"
    r"|não (?:foi )?(?:entregue|entregável)|falha na entrega|devolvido|não pôde ser entregue"
    r"|nie (?:został|można) dostarcz|niedostarcz|zwrot poczty|nedoručiteln|nedoručen|nem kézbesíthető|kézbesíthetetlen|sikertelen kézbesítés"
    r"|ikke leveres|kunne ikke leveres|ikke leveret|kunde inte levereras|går inte att leverera|olevererbar|toimittamatta|ei voitu toimittaa|teslim edilemedi|iletilemedi"
    r"|не доставлен|недоставлен|не может быть доставлен|невозможно доставить|сообщение не доставлено|возвращен"
    r"|退信|无法投递|無法投遞|未送达|未送達|配信不能|配信エラー|配信できません|不達|メールエラー|送信できません|エラー通知|반송|전송 실패|배달되지 않음"
)
FAILED = re.compile(_FAILED)
"""What subjects of reports say."""

OPENING = re.compile(rf"(?:\W*(?:{_FAILED})|warning: )")
"""A subject that begins with such words: not one that a person put "Re" or "Fwd" before."""

REPLY = re.compile(r"\s*(?:re|aw|fw|fwd|wg|sv|vs|tr|rv|i|r|antw)\s*(?:\[\d+\])?\s*:")

TOLD = re.compile(
    r"could ?n(?:o|')t be delivered|can ?not be delivered|was(?: not|n't) delivered|unable to deliver|wasn't able to deliver|not able to deliver|undeliverable|not deliverable|failed to deliver|delivery (?:to|of|attempt|has|failed)"
    r"|the following (?:recipients?|address(?:es)?|error)|following recipient|did not reach|this is the (?:qmail-send|mail system|postfix|mail delivery)|error (?:occurred )?while (?:trying to|delivering|sending)|trouble delivering"
    r"|recipients? (?:address )?(?:rejected|unknown|failed)|user (?:is )?unknown|unknown user|no such (?:user|mailbox|address|recipient)|mailbox (?:is )?(?:full|unavailable|disabled|not found)|quota|permanent (?:fatal )?errors?"
    r"|invalid (?:user )?address|address(?:es)? had|does not (?:exist|accept)|requested action not taken|message was rejected|is returned|being returned|returned to (?:you|sender)|host unknown"
    r"|zugestellt werden|unzustellbar|nicht zustellbar|pu être (?:remis|distribué|livré)|no se (?:ha )?pud?o? ?(?:entregar|podido entregar)|non è stato possibile|não (?:pôde|foi possível)|не (?:может быть|был[оаи]?|удалось) достав"
    r"|送信できませんでした|配信できませんでした|送信に失敗|无法|無法|退回|退信",
)
"""What the text of a report says."""

REASON = re.compile(
    r"(?:^|[\s(\[<])[45]\d\d[ -]|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])|delivered to:? *<?\S+@|mailbox is full|rcpt to|-----",
    re.MULTILINE,
)
"""Why it did not arrive, as servers put it."""

AWAY = re.compile(
    r"\W*(?:auto(?:matic|mated|matisk|matisch|mática|matica|matique)?[- ]?(?:reply|response|answer|svar|antwort|antwoord|respond(?:er)?)|(?:(?:i am |i'm |currently )*out[- ]of[- ](?:the )?office|ooo)(?: (?:auto-?)?(?:reply|response|message|notification))?"
    r"|auto(?:matische)? ?(?:antwort|antwoord|eingangsbestätigung)|(?:ich bin )?abwesen(?:heit(?:s(?:notiz|nachricht|meldung|assistent))?|d)\b|réponse automatique|absence du bureau|message d'absence|respuesta automática|fuera de (?:la )?oficina"
    r"|risposta automatica|fuori (?:sede|ufficio)|resposta automática|ausência temporária|afwezig(?:heid)?|automatisch antwoord|automatiskt svar|automatisk svar|frånvaro|fravær|ikke til stede|automaattinen vastaus|poissaolo"
    r"|odpowiedź automatyczna|automatyczna odpowiedź|poza biurem|automatická odpověď|mimo kancelář|automatikus válasz|házon kívül|otomatik yanıt|ofis dışında|răspuns automat|αυτόματη απάντηση"
    r"|автоответ(?:чик)?|автоматический ответ|автоматична відповідь|вне офиса|自动(?:回复|答复)|自動(?:応答|返信|回覆|回復)|不在通知|자동 ?(?:회신|응답)|부재중|ตอบกลับอัตโนมัติ|trả lời tự động|vacation (?:reply|response|message|notice|autoreply)|on vacation"
    r"|automātiskā atbilde|automatinis atsakymas|automaatvastus|automatski odgovor|samodejni odgovor|automatická odpoveď|автоматичен отговор|resposta automàtica|balasan otomatis"
    r"|(?:מענה|תשובה) אוטומטית?|(?:ال)?رد (?:ال)?تلقائي|.{1,80} (?:is (?:currently )?out of (?:the )?office|ist (?:nicht im büro|außer haus)|est absente? du bureau|está fuera de la oficina|è fuori ufficio))"
    r"\s*(?:[:：\]\-–(.!]|$|(?:until|till|from|re|bis|vom)\b)",
)
"""How the subjects of answers begin that a program gives for somebody."""

COMPLAINT = ("complaint about message from", "email feedback report", "abuse report", "spam report")
COMPLAINTS = re.compile(r"staff@|feedback|abuse|complaint|fbl|scomp@")
"""The subjects and senders of complaints about spam that have no form."""
