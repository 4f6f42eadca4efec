"""Spreadsheets that no library at hand writes: OpenDocument from rows; one xls, kept as its bytes."""

import base64
import datetime
import io
import zipfile
import zlib
from xml.sax.saxutils import escape

# Sheets "Overview" (a title, and one number beside a word) and "Deals", in the form of 1997.
_XLS = (
    "c-rk)O-NKx6h8O;=*%>ZqiLXlh|r&DSV6VXsj%GSPi^cE^yyq<(B8;%GHOwl%`ymD6>S7tw6WUsLj|>K5g4@yf<Oz}v<eDZsIPO*+&8IB;6M"
    "oz?|a<y?mhRMbI*O}+<V`9ucymqChk|y!ZNgg4hwD&iWcz%mY~;&0`|KuRlR!vi|eDH5DZ`-i%fV@@~W6(Nb#Np4el8)kOF+fauSB2BWcUpR"
    "m6Vw!4l*{voJ9CG`NK&0#)o+In#coYnk3<*{4kRGUqDOW|W-~$6-3wQNKs!@lmag`yxmMJY=2s%-If=@RIWQ;x&<xHDRBVu!ah(qs9osBw$F"
    "}q%9q4m%?ob0USd#wzoI7w$4BWhI<meyR`t{ymkG&*5|J-UjXudEaeyffgiviF6Up@41h6kdj%zP8h7SiBeNZMj!I`VA<w3v1U{R@Goe*lLn"
    "Cw02Vrc6GrM+IVpt9(Y>8@}!_vmAiKA3cB91yEDeII(PQN3ql#Jv4V4Y5$u~RxgQ`2tLI3%q&=3XB%x|256`cbQMU_d${Ixl#Ci7we+N_f?U"
    "k;b8v>t($5qUg)qov&}&`?_L1%o*b|C3Es@plN~&mq-JZBiy4iCE0qWTbW*FtLwR5&9nlij`xjSm8x=ZoMo<X??xPFC*y5w)1vxjtf#*mepH"
    "kG6x)LJskYhk6;tnG6HtdIVI1}88ixkaAa33uJdSyHq4uZ`Osjs|uL4?B&CONEYbngr3PqGLB?*mZw^Tx733?_Mw2*p!JLt^T%HaWZ;{Nvws"
    "}ThwOA9p$M$RaZM5aYgN6)r2Y#G^>jxAH!5;<%MwpFC$1>2%9JVW2;Tq}od(`504Mz*}D>p7zyP*yVW3TAVFtn5N7q^;-hL1*od($-mfjq*W"
    "f?H2YS!XtAgL9R^l;lqayA3l5(K7@LE*46u)sooBY)qkCNEDQc`lK&P*Ac<EBKPeA@jdusm<&{6{z!aV>u|gg1e<7h8M|WTlzemZB!MyVq-|"
    "ofY`K(wm`uCPlzT+?C<L5sf|0jP_AKw"
)
NAMES = {"table": "table:1.0", "office": "office:1.0", "text": "text:1.0"}


def xls_bytes():
    return zlib.decompress(base64.b85decode(_XLS))


def ods_bytes(sheets, tail=True):
    """Return an ods file of {title: rows}; `tail` adds the empty rows and cells up to the end of the sheet."""
    parts = []
    for title, rows in sheets.items():
        body = "".join(f"<table:table-row>{''.join(map(_cell, row))}</table:table-row>" for row in rows)
        empty = '<table:table-cell table:number-columns-repeated="16384"/>'
        end = f'<table:table-row table:number-rows-repeated="1048000">{empty}</table:table-row>' if tail else ""
        parts.append(f'<table:table table:name="{escape(title)}">{body}{end}</table:table>')
    return packed_ods("".join(parts))


def packed_ods(tables):
    """Return an ods file around the XML of its tables."""
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{prefix}="{urn}:{name}"' for prefix, name in NAMES.items())
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    content = f"<?xml version='1.0'?><office:document-content {spaces}>{body}</office:document-content>"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("styles.xml", "<x>" + "y" * 100 + "</x>")
    return stream.getvalue()


def _cell(value):
    if value is None:
        return "<table:table-cell/>"
    kind, name, text = "string", "", value
    if isinstance(value, (int, float)):
        kind, name, text = "float", f'office:value="{value}"', str(value)
    elif isinstance(value, datetime.datetime):
        kind, name, text = "date", f'office:date-value="{value.isoformat()}"', "x"
    lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in text.split("\n"))
    return f'<table:table-cell office:value-type="{kind}" {name}>{lines}</table:table-cell>'
