"""Exports as people really have them: twelve deals in the dress of many systems, languages and programs.

`CONTACTS` holds (name of the file, its bytes, what must be told before it can be read); nothing told: read at once.
"""

import csv
import datetime as dt
import gzip
import io
import json
import zipfile

import openpyxl

WON, LOST, OPEN = 4, 5, 3
TOTAL = 12 * 2000.0 + 1500.0
Contact = tuple[str, bytes, dict[str, str]]


class Deal:
    """One deal: its number, the place of its stage, its outcome, times and amount."""

    def __init__(self, n: int) -> None:
        self.id, self.name, self.account, self.owner = 1001 + n, f"Deal {n}", f"Acme {n % 4}", ("Ann", "Bob")[n % 2]
        self.place, self.status = n % 4, ("won", "lost", "open", "lost", "won", "lost")[n % 6]
        if n == 9:
            self.status = "open"
        self.created = dt.datetime(2025, 1, 13 + n, 9, 30) + dt.timedelta(days=20 * n)
        self.times = [self.created + dt.timedelta(days=4 * k) for k in range(self.place + 1)]
        self.closed = None if self.status == "open" else self.created + dt.timedelta(days=30)
        self.close = self.closed or self.created + dt.timedelta(days=60)
        self.amount = 2000 + (1500 if n == 5 else 0)

    def word(self, *words):
        """Return the word for won, lost or open."""
        return dict(zip(("won", "lost", "open"), words, strict=True))[self.status]

    def stage(self, *names, won=None, lost=None):
        """Return its stage; where the words are given, that of its outcome."""
        return {"won": won, "lost": lost}.get(self.status) or names[self.place]


TRUTH = [Deal(n) for n in range(12)]
CONTACTS: list[Contact] = []
STEPS = ("Lead", "Qualified", "Proposal", "Negotiation")


def _text(header, rows, mark=","):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=mark, lineterminator="\r\n")
    writer.writerows([header.split("|"), *rows])
    return stream.getvalue()


def _day(form):
    return lambda time: "" if time is None else time.strftime(form)


def _comma(number, thousands="."):
    return f"{number:,.2f}".replace(",", "_").replace(".", ",").replace("_", thousands)


def _put(name, content, **told):
    CONTACTS.append((name, content if isinstance(content, bytes) else content.encode(), told))


def _table(name, header, row, *, mark=",", code="utf-8", before="", after="", **told):
    text = before + _text(header, [row(deal) for deal in TRUTH], mark) + after
    _put(name, text.encode(code), **told)


us, iso, dotted, slashed, hanzi = map(_day, ("%m/%d/%Y", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y年%m月%d日"))
korean, english, dashed, moment = map(_day, ("%Y. %m. %d.", "%b %d, %Y", "%d-%b-%Y", "%Y-%m-%d %H:%M:%S"))

# --- systems ---------------------------------------------------------------------------------------------------------

_table("sap-c4c.csv", "ID|Name|Account|Owner|Sales Phase|Status|Expected Value|Start Date|Close Date|Chance of Success",
       lambda d: [d.id, d.name, d.account, d.owner, d.stage("Identify", "Qualify", "Quotation", "Decision"),
                  d.word("Won", "Lost", "In Process"), f"{d.amount:,.2f}", us(d.created), us(d.close),
                  f"{(10, 30, 50, 75)[d.place]}%"])  # fmt: skip
_table("sap-de.csv", "Opportunity-ID|Bezeichnung|Kunde|Verantwortlicher Mitarbeiter|Vertriebsphase|Status|"
       "Erwarteter Wert|Währung|Startdatum|Abschlussdatum",
       lambda d: [d.id, d.name, "Köhler", d.owner, d.stage("Kontakt", "Bedarf", "Angebot", "Verhandlung"),
                  d.word("Gewonnen", "Verloren", "In Bearbeitung"), _comma(d.amount), "EUR", dotted(d.created),
                  dotted(d.close)],
       mark=";", code="cp1252", before="sep=;\r\n", encoding="cp1252", stages="Kontakt,Bedarf,Angebot,Verhandlung",
       )  # fmt: skip
_table("zendesk-sell.csv", "id|name|stage|value|currency|owner|company name|created_at|estimated_close_date",
       lambda d: [d.id, d.name, d.stage("Incoming", "Qualified", "Quote", "Closure", won="Won", lost="Lost"), d.amount,
                  "USD", d.owner, d.account, f"{d.created} UTC", iso(d.close)],
       stages="Incoming,Qualified,Quote,Closure,Won")  # fmt: skip
_table("insightly.csv", "Opportunity Record ID|Opportunity Name|Organization|Opportunity State|Pipeline Current Stage|"
       "Opportunity Value|Actual Close Date|Forecast Close Date|Date Of Creation|User Responsible",
       lambda d: [d.id, d.name, d.account, d.word("WON", "LOST", "OPEN"),
                  d.stage("Phase 1 - Discovery", "Phase 2 - Solution", "Phase 3 - Proposal", "Phase 4 - Contract"),
                  d.amount, dashed(d.closed), dashed(d.close), dashed(d.created), d.owner])  # fmt: skip
_table("capsule.csv", "Id|Name|Opportunity For|Milestone|Probability|Value|Expected Close|Closed|Owner|Created",
       lambda d: [d.id, d.name, d.account, d.stage("New", "Bid", "Proposal", "Negotiation", won="Won", lost="Lost"),
                  d.word(100, 0, (10, 30, 50, 80)[d.place]), d.amount, iso(d.close), iso(d.closed), d.owner,
                  iso(d.created)])  # fmt: skip
_table("streak.csv", "Name|Stage|Assigned To|Deal Size|Close Date|Date Created|Box Key",
       lambda d: [d.name, d.stage(*STEPS, won="Closed: Won", lost="Closed: Lost"), d.owner, d.amount, us(d.close),
                  us(d.created), f"ag{d.id}"], stages="Lead,Qualified,Proposal,Negotiation,Closed: Won")  # fmt: skip
_put("activecampaign.json", json.dumps({"deals": [
    {"id": str(d.id), "title": d.name, "value": str(d.amount * 100), "currency": "usd", "stage": str(5 + d.place),
     "status": d.word("1", "2", "0"), "cdate": f"{d.created.isoformat()}-06:00", "mdate": "2025-12-01T10:00:00-06:00"}
    for d in TRUTH], "meta": {"currencies": [{"currency": "usd", "total": "3"}]}}), stages="5,6,7,8")  # fmt: skip
_table("salesforce-classic.tsv", "Opportunity Name|Stage|Amount Currency|Amount|Probability (%)|Close Date|"
       "Created Date|Opportunity Owner|Opportunity ID",
       lambda d: [d.name, d.stage(*STEPS, won="Closed Won", lost="Closed Lost"), "EUR", _comma(d.amount),
                  d.word(100, 0, (10, 20, 65, 90)[d.place]), slashed(d.close), slashed(d.created), d.owner, d.id],
       mark="\t", code="utf-16", after="\r\n\r\nConfidential Information\r\nCopyright (c) 2000-2025\r\n")  # fmt: skip
_table("power-bi.csv", "Deals[Deal ID]|Deals[Stage]|Sum of Amount|Deals[Created Date]|Deals[Close Date]|First Owner",
       lambda d: [d.id, d.stage(*STEPS, won="Closed Won", lost="Closed Lost"), d.amount, iso(d.created),
                  iso(d.closed), d.owner],
       after="\r\nApplied filters:\r\nYear is 2025\r\n", stages="Lead,Qualified,Proposal,Negotiation,Closed Won",
       )  # fmt: skip
_table("sheets-with-emoji.csv", "Deal|Company|Stage|Rep|$ Value|Opened|Closed",
       lambda d: [d.name, d.account, d.stage("🌱 Lead", "🔍 Qualified", "📄 Proposal", "🤝 Negotiation", won="✅ Won",
                  lost="❌ Lost"), d.owner, f"${d.amount:,.2f}", iso(d.created), iso(d.closed)],
       before="Pipeline tracker – Sales EMEA,,,,,,\r\n\"updated weekly, ask Ann\",,,,,,\r\n,,,,,,\r\n",
       stages="Lead,Qualified,Proposal,Negotiation,Won")  # fmt: skip

# --- languages -------------------------------------------------------------------------------------------------------

_table("french.csv", "N° affaire|Intitulé|Client|Commercial|Étape|Statut|Montant HT (€)|Date de création|Clôturé le",
       lambda d: [d.id, d.name, d.account, d.owner, d.stage("Contact", "Découverte", "Proposition", "Négociation"),
                  d.word("Gagnée", "Perdue", "En cours"), _comma(d.amount, "\u202f") + " €",
                  d.created.strftime("%d ") + ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août",
                  "septembre")[d.created.month - 1] + " 2025", slashed(d.closed)],
       mark=";", code="utf-8-sig", stages="Contact,Découverte,Proposition,Négociation,Gagnée")  # fmt: skip
_table("polish.csv", "Numer szansy|Klient|Opiekun|Etap|Status|Wartość (PLN)|Data utworzenia|Data zamknięcia",
       lambda d: [d.id, "Łódź", d.owner, d.stage("Kontakt", "Analiza potrzeb", "Oferta", "Negocjacje"),
                  d.word("Wygrana", "Przegrana", "Otwarta"), _comma(d.amount, " ") + " zł", dotted(d.created),
                  dotted(d.closed)],
       mark=";", code="cp1250", encoding="cp1250", stages="Kontakt,Analiza potrzeb,Oferta,Negocjacje")  # fmt: skip
_table("japanese.csv", "商談ID|商談名|取引先|担当者|フェーズ|状況|金額（円）|作成日|完了日",
       lambda d: [d.id, d.name, d.account, d.owner, d.stage("1.初回訪問", "2.ヒアリング", "3.提案", "4.見積"),
                  d.word("受注", "失注", "商談中"), f"{d.amount:,}", hanzi(d.created), hanzi(d.closed)],
       code="cp932")  # fmt: skip
_table("korean.csv", "영업기회번호|영업기회명|고객사|담당자|단계|상태|예상금액|등록일|종료일",
       lambda d: [d.id, d.name, d.account, d.owner, d.stage("1단계 발굴", "2단계 제안", "3단계 협상", "4단계 계약"),
                  d.word("수주", "실주", "진행중"), f"{d.amount:,}원", korean(d.created), korean(d.closed)],
       code="cp949")  # fmt: skip
_table("rd-station.csv", "ID|Nome|Empresa|Responsável|Etapa|Estado|Valor Único|Data de criação|Data de fechamento",
       lambda d: [d.id, d.name, d.account, d.owner, d.stage("Contato", "Reunião", "Proposta", "Negociação"),
                  d.word("Vendida", "Perdida", "Em Andamento"), "R$ " + _comma(d.amount), slashed(d.created),
                  slashed(d.closed)], stages="Contato,Reunião,Proposta,Negociação,Vendida")  # fmt: skip
_table("1c.csv", "Номер|Наименование|Клиент|Менеджер|Этап|Статус|Сумма, руб.|Дата начала|Дата окончания",
       lambda d: [f"0000-{d.id}", d.name, "Ромашка", d.owner, d.stage("1. Контакт", "2. Потребности", "3. КП",
                  "4. Переговоры"), d.word("Выиграна", "Проиграна", "В работе"), _comma(d.amount, "\xa0"),
                  dotted(d.created), dotted(d.closed)],
       mark=";", code="cp1251", encoding="cp1251")  # fmt: skip
_table("chinese-flags.csv", "项目编号|项目名称|客户|销售|跟进阶段|是否成交|是否丢单|预计金额|创建日期|成交/丢单日期",
       lambda d: [d.id, d.name, "华东客户", d.owner, d.stage("初步接触", "需求确认", "方案报价", "商务谈判"),
                  *d.word("是否", "否是", "否否"), f"¥{d.amount / 1e4:.2f}万", hanzi(d.created), hanzi(d.closed)],
       code="gb18030", stages="初步接触,需求确认,方案报价,商务谈判")  # fmt: skip
_table("dutch.csv", "Nr|Naam|Klant|Verkoper|Fase|Status|Bedrag|Aanmaakdatum|Sluitingsdatum",
       lambda d: [d.id, d.name, d.account, d.owner, d.stage("1. Lead", "2. Demo", "3. Offerte", "4. Contract"),
                  d.word("Gewonnen", "Verloren", "Openstaand"), f"€ {_comma(d.amount)}", dotted(d.created),
                  dotted(d.closed)], mark=";")  # fmt: skip

_table("zoho-ar.csv", "معرف الصفقة|اسم الصفقة|اسم الحساب|المرحلة|المبلغ|تاريخ الإنشاء|تاريخ الإغلاق|مالك الصفقة",
       lambda d: [d.id, d.name, d.account, d.stage("1. تأهيل", "2. عرض", "3. تفاوض", "4. عقد", won="مغلقة - مكسوبة",
                  lost="مغلقة - خاسرة"), d.amount, iso(d.created), iso(d.closed), d.owner],
       code="utf-8-sig")  # fmt: skip
_table("turkish.csv", "Fırsat No|Fırsat Adı|Müşteri|Aşama|Durum|Tutar (TL)|Oluşturma Tarihi|Kapanış Tarihi|Sorumlu",
       lambda d: [d.id, d.name, d.account, d.stage("1-İlk Temas", "2-Teklif", "3-Pazarlık", "4-Sözleşme"),
                  d.word("Kazanıldı", "Kaybedildi", "Açık"), _comma(d.amount), dotted(d.created), dotted(d.closed),
                  d.owner], mark=";")  # fmt: skip
_table("czech.csv", "Číslo příležitosti|Zákazník|Obchodník|Fáze|Stav|Částka (Kč)|Vytvořeno|Uzavřeno",
       lambda d: [d.id, d.account, d.owner, d.stage("1. Kontakt", "2. Analýza", "3. Nabídka", "4. Jednání"),
                  d.word("Vyhráno", "Prohráno", "Otevřeno"), _comma(d.amount, " "), dotted(d.created),
                  dotted(d.closed)], mark=";")  # fmt: skip
_table("bitrix-ru.csv", "ID|Название|Стадия сделки|Сумма|Валюта|Дата создания|Дата закрытия|Ответственный|"
       "Сделка закрыта",
       lambda d: [d.id, d.name, d.stage("Новая", "Подготовка документов", "Счёт на предоплату", "В работе",
                  won="Сделка успешна", lost="Сделка провалена"), _comma(d.amount, ""), "RUB", dotted(d.created),
                  dotted(d.closed), d.owner, d.word("Y", "Y", "N")], mark=";")  # fmt: skip
_table("fxiaoke-form.csv", "商机名称（必填）|客户名称（必填）|商机金额|商机阶段（必填）|阶段状态|预计成交日期|创建时间|"
       "负责人（必填）",
       lambda d: [d.name, d.account, d.amount, d.stage("1 验证客户", "2 需求确定", "3 方案报价", "4 谈判审核",
                  won="赢单", lost="输单"), d.word("赢单", "输单", "进行中"), hanzi(d.close), hanzi(d.created),
                  d.owner],
       before="商机导出,,,,,,,\r\n导出时间：2025-12-01,,,,,,,\r\n", code="gb18030")  # fmt: skip
_table("salesforce-sorted.csv", "Stage  ↑|Opportunity Name|Opportunity ID|Amount|Created Date|Close Date",
       lambda d: [d.stage(*STEPS, won="Closed Won", lost="Closed Lost"), d.name, f"006{d.id}", d.amount,
                  us(d.created), us(d.close)], stages="Lead,Qualified,Proposal,Negotiation,Closed Won")  # fmt: skip

# --- forms -----------------------------------------------------------------------------------------------------------

_API = [{"id": str(d.id), "properties": {
    "dealname": d.name, "amount": str(d.amount), "createdate": f"{d.created.isoformat()}.123Z",
    "dealstage": d.stage("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent",
                         won="closedwon", lost="closedlost"),
    "closedate": f"{d.close.isoformat()}Z", "hs_object_id": str(d.id)}, "archived": False} for d in TRUTH]  # fmt: skip
_PAGES = [{"results": _API[:6], "paging": {"next": {"after": "6"}}}, {"results": _API[6:]}]
_put("hubspot-pages.json", json.dumps(_PAGES))
_put("hubspot-pages.jsonl", "\n".join(map(json.dumps, _PAGES)))
_HEADER = "deal_id|stage|amount|created_at|closed_at"
_ROWS = [[d.id, d.stage(*STEPS, won="Won", lost="Lost"), d.amount, moment(d.created), moment(d.closed)] for d in TRUTH]
_stream = io.BytesIO()
with zipfile.ZipFile(_stream, "w") as _archive:
    _archive.writestr("2025-h1.csv", _text(_HEADER, _ROWS[:6]))
    _archive.writestr("2025-h2.csv", _text(_HEADER, _ROWS[6:]))
    _archive.writestr("__MACOSX/._2025-h1.csv", b"\0")
    _archive.writestr("README.txt", "hello")
_put("halves.zip", _stream.getvalue(), stages="Lead,Qualified,Proposal,Negotiation")
_table("serials.csv", "Deal ID|Stage|Amount|Create Date|Close Date",
       lambda d: [d.id, d.stage(*STEPS, won="Won", lost="Lost"), d.amount,
                  *("" if time is None else (time - dt.datetime(1899, 12, 30)).days for time in (d.created, d.closed))],
       stages="Lead,Qualified,Proposal,Negotiation")  # fmt: skip
_book = openpyxl.Workbook()
_book.active.append(["Opportunity", "Customer", "Salesperson", "Created on", "Closed Date", "Expected Revenue", "Stage",
                     "Won/Lost"])  # fmt: skip
for _d in TRUTH:
    _book.active.append([_d.name, _d.account, _d.owner, _d.created, _d.closed, _d.amount, _d.stage(*STEPS),
                         _d.word("Won", "Lost", "Pending")])  # fmt: skip
_stream = io.BytesIO()
_book.save(_stream)
_put("odoo.xlsx", _stream.getvalue(), stages="Lead,Qualified,Proposal,Negotiation")

# --- logs: the stages entered, and how deals ended -------------------------------------------------------------------

_MOVES = [(d, name, time) for d in TRUTH for name, time in zip(STEPS, d.times, strict=False)]
_ENDS = [(d, d.word("Won", "Lost", ""), d.closed) for d in TRUTH if d.closed]
_put("property-history.csv", _text("Record ID|Property name|Value|Change date", [
    *([d.id, "dealstage", name, moment(time)] for d, name, time in (*_MOVES, *_ENDS)),
    *([d.id, "amount", d.amount, moment(d.created)] for d in TRUTH)]))  # fmt: skip
_put(
    "sap-history.csv",
    _text(
        "Opportunity ID|Changed On|Changed By|Attribute|Old Value|New Value",
        [
            *(
                [d.id, time.strftime("%d.%m.%Y %H:%M"), "Ann", "Sales Phase", before, name]
                for d in TRUTH
                for before, name, time in zip(("", *STEPS), STEPS, d.times, strict=False)
            ),
            *(
                [d.id, time.strftime("%d.%m.%Y %H:%M"), "Ann", "Sales Phase", STEPS[d.place], name]
                for d, name, time in _ENDS
            ),
            *([d.id, d.created.strftime("%d.%m.%Y %H:%M"), "Ann", "Expected Value", "0", d.amount] for d in TRUTH),
        ],
    ),
)
_put("stays.csv", _text("deal|phase|start_time|end_time", [
    *([d.id, name, time.isoformat(), left.isoformat() if left else ""]
      for d in TRUTH for name, time, left in zip(STEPS, d.times, (*d.times[1:], d.closed), strict=False)),
    *([d.id, "Won", d.closed.isoformat(), ""] for d in TRUTH if d.status == "won")]))  # fmt: skip
_put("segment.jsonl.gz", gzip.compress("\n".join(
    json.dumps({"type": "track", "event": name, "userId": d.id, "anonymousId": f"a{d.id}", "timestamp": f"{time}Z",
                "receivedAt": f"{time}Z", "context": {"ip": "1.2.3.4"}})
    for d, name, time in (*_MOVES, *_ENDS)).encode()))  # fmt: skip
_put("snowplow.tsv", _text("app_id|collector_tstamp|event|event_id|user_id|domain_userid|event_name|derived_tstamp", [
    ["shop", moment(time), "struct", n, d.id, f"a{d.id}", name, moment(time)]
    for n, (d, name, time) in enumerate((*_MOVES, *_ENDS))], "\t"))  # fmt: skip
_put("epochs.json", json.dumps([
    {"uid": d.id, "eventType": name, "ts": str(int(time.replace(tzinfo=dt.UTC).timestamp() * 1000))}
    for d, name, time in (*_MOVES, *_ENDS)]))  # fmt: skip
