"""What the corpus is made of: words, names, charsets, agents, attachments, and planted probes."""

# ruff: noqa: SIM905 - lists of words read best as text
from __future__ import annotations

from collections.abc import Sequence

#: Words planted at a known rate (fraction of messages that *introduce* the
#: word in their own text; quoted copies in replies come on top).
PROBES: dict[str, float] = {
    "xylophage": 0.0001,
    "brontide": 0.001,
    "quagmire": 0.01,
}

ENGLISH = """the to and a of in is you for we it that on this with have be not your as are at our from can
but will please when if an was by or any has after there order account email my they then still would
what which been error page time new server all just one know now problem support how team see get out
invoice payment customer password login reset delivery address update version request password issue
message working install today yesterday again tried before since screen button click number product
license renew upgrade refund charge card bank transfer subscription plan monthly annual cancel trial
user users admin permission group role access denied failed timeout network connection slow database
backup restore file files upload download export import report dashboard chart table column filter
search result results mobile application browser chrome firefox windows linux mac phone tablet printer
device serial warranty replacement shipment tracking parcel courier warehouse stock item items quantity
discount coupon price tax vat receipt statement contract agreement policy privacy data security token
certificate key keys api endpoint webhook integration plugin module setting settings configuration
default option enable disable change changed help documentation guide manual example step steps
reproduce log logs trace crash freeze restart reboot process memory disk space usage limit quota
exceeded warning notification alert reminder schedule calendar meeting call contact office department
manager colleague business company school hospital project deadline urgent important soon tomorrow
week month thanks thank regards hello dear question answer reply attached screenshot photo document
signature form field value values wrong missing correct incorrect duplicate empty broken fixed solved
unfortunately however because although while during without within between another several every each
""".split()
GERMAN = """der die das und in zu den ist nicht von Sie wir mit es sich auf für eine auch als an dem nach
wird bei einer um am sind noch wie einem über einen so zum haben nur oder aber vor zur bis mehr durch
Bestellung Rechnung Konto Fehler Lieferung Anfrage Kunde Passwort Zugang Gerät Zahlung Überweisung
Kündigung Verlängerung möglich können müssen möchte würde bitte leider gestern heute wieder Störung
Übersicht Größe Straße Prüfung geändert geöffnet gelöscht funktioniert Bestätigung Rückgabe Gewährleistung
Anhang Bildschirm Drucker Lizenz Vertrag Gebühr Währung Änderung Verfügbarkeit Schlüssel""".split()
FRENCH = """le la les de des du un une et est en que pour dans ce qui ne pas sur se plus par je avec tout
nous votre vos mon être avoir fait cette mais commande facture compte erreur livraison client mot passe
accès réseau paiement remboursement problème mise à jour écran écrire réponse dernière première créé
supprimé reçu envoyé déjà après très même êtes où français numéro téléphone société contrat données
sécurité clé clés garantie échange délai réception adresse abonnement résiliation pièce jointe étape
impossible merci bonjour cordialement malgré aujourd'hui hier bientôt problèmes réglé vérifié""".split()
RUSSIAN = """и в не на я что с по это мы вы он как за но из для от так же уже бы если или при нет ещё заказ
счёт оплата доставка ошибка пароль вход аккаунт клиент письмо вопрос ответ помощь поддержка сервер
страница обновление версия запрос проблема работает кнопка номер товар лицензия возврат деньги карта
банк перевод подписка тариф отмена доступ файл загрузка отчёт таблица поиск результат приложение
телефон принтер устройство гарантия замена склад количество скидка цена налог договор данные безопасность
ключ настройка пример журнал сбой перезагрузка память диск место предупреждение уведомление срочно
завтра сегодня вчера неделя месяц спасибо здравствуйте пожалуйста вложение снимок документ подпись""".split()
JAPANESE = """注文 請求書 支払い 配送 住所 エラー パスワード ログイン アカウント お客様 質問 回答 サポート サーバー 画面 更新
バージョン 問題 ボタン 番号 製品 ライセンス 返金 銀行 契約 解約 権限 ファイル 保存 報告 検索 結果 携帯 印刷 保証 交換
在庫 数量 割引 価格 税金 設定 手順 再起動 容量 通知 至急 明日 今日 昨日 先週 添付 写真 書類 確認 連絡 お願い できません
しました です ます について ください という から まで ので""".split()
CHINESE = """订单 发票 付款 配送 地址 错误 密码 登录 账户 客户 问题 回答 支持 服务器 页面 更新 版本 请求 按钮 号码 产品 许可证 退款
银行 转账 订阅 取消 权限 文件 上传 下载 报告 搜索 结果 手机 浏览器 打印机 设备 保修 更换 库存 数量 折扣 价格 税 合同 数据 安全
密钥 设置 步骤 日志 重启 内存 磁盘 通知 紧急 明天 今天 昨天 附件 照片 文档 确认 联系 请 无法 已经 关于 我们 您 的 了 和""".split()

NAMES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "en": (
        "Alice Ben Carol Dan Emma Frank Grace Henry Ivy Jack Kate Liam Mia Noah Olivia Paul Ruth Sam".split(),
        "Adams Baker Clark Davis Evans Foster Green Harris Irwin Jones King Lewis Moore Nash Owen Price".split(),
    ),
    "de": (
        "Jürgen Käthe Lukas Anja Günther Björn Sören Heike".split(),
        "Müller Schröder Weiß Köhler Groß Böhm Lange Vogt".split(),
    ),
    "fr": (
        "François Hélène Zoé André Chloé René Amélie Luc".split(),
        "Lefèvre Béranger Côté Dubois Moreau Gérard Noël Petit".split(),
    ),
    "ru": (
        "Иван Ольга Сергей Наталья Дмитрий Елена Юрий Анна".split(),
        "Иванов Петрова Смирнов Кузнецова Попов Волков Зайцев Орлов".split(),
    ),
    "ja": ("太郎 花子 健一 美咲 翔太 直子".split(), "佐藤 鈴木 高橋 田中 渡辺 伊藤".split()),
    "zh": ("伟 芳 娜 敏 静 强".split(), "王 李 张 刘 陈 杨".split()),
}
GREETING = {
    "en": "Hello,",
    "de": "Guten Tag,",
    "fr": "Bonjour,",
    "ru": "Здравствуйте,",
    "ja": "お世話になっております。",
    "zh": "您好,",
}
CLOSING = {
    "en": "Best regards,",
    "de": "Mit freundlichen Grüßen",
    "fr": "Cordialement,",
    "ru": "С уважением,",
    "ja": "よろしくお願いいたします。",
    "zh": "此致敬礼",
}
WROTE = {
    "en": "On {d}, {n} wrote:",
    "de": "Am {d} schrieb {n}:",
    "fr": "Le {d}, {n} a écrit :",
    "ru": "{d} {n} пишет:",
    "ja": "{d} {n} さんは書きました:",
    "zh": "{d},{n} 写道:",
}

#: share of customers by language
LANGUAGE_WEIGHTS = {"en": 62, "de": 10, "fr": 8, "ru": 10, "ja": 5, "zh": 5}
#: charsets a customer's program uses, by language, with weights
CHARSETS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "en": (("utf-8", "us-ascii", "iso-8859-1"), (60, 20, 20)),
    "de": (("utf-8", "iso-8859-1"), (55, 45)),
    "fr": (("utf-8", "iso-8859-1"), (55, 45)),
    "ru": (("utf-8", "koi8-r", "windows-1251"), (40, 30, 30)),
    "ja": (("utf-8", "iso-2022-jp"), (50, 50)),
    "zh": (("utf-8", "gb18030"), (50, 50)),
}
AGENTS = (
    "Robin Ash",
    "Kim Birch",
    "Sasha Cedar",
    "Alex Elm",
    "Jo Fir",
    "Max Hazel",
    "Lee Larch",
    "Pat Maple",
    "Chris Oak",
    "Sam Pine",
    "Toni Rowan",
    "Val Yew",
)
HTML_HEAD = (
    '<html><head><meta http-equiv="Content-Type" content="text/html; charset={charset}">\n<style type="text/css">\n'
    "body {{ font-family: Calibri, Arial, sans-serif; font-size: 11pt; color: #1f1f1f; margin: 0; }}\n"
    "p.MsoNormal {{ margin: 0cm; line-height: 115%; }}\n"
    ".sig {{ color: #666666; border-top: 1px solid #cccccc; padding-top: 6px; }}\n"
    "blockquote {{ border-left: 2px solid #b0b0b0; margin-left: 4px; padding-left: 8px; }}\n"
    '</style></head>\n<body lang="{lang}">\n'
)
ATTACHMENTS = (
    ("screenshot-{n}.png", "image/png", b"\x89PNG\r\n\x1a\n"),
    ("photo_{n}.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
    ("invoice-{n}.pdf", "application/pdf", b"%PDF-1.4\n"),
    ("app-{n}.log", "text/plain", b""),
    ("export {n}.csv", "text/csv", b""),
)
