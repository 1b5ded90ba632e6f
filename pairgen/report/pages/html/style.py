"""The style of the page: the fonts of the system, one column of text, and boxes that scroll where they are too wide."""

from pairgen.report.pages.html.palette import variables

_SERIF = "Charter,'Bitstream Charter','Sitka Text',Cambria,Georgia,serif"
_SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_MONO = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"

_PAGE = f"""
*{{box-sizing:border-box}}
html{{-webkit-text-size-adjust:100%;scroll-padding-top:1rem}}
body{{margin:0 auto;padding:2.5rem 1.5rem 4rem;max-width:64rem;background:var(--paper);color:var(--ink);
font:1.0625rem/1.55 {_SERIF};overflow-wrap:anywhere}}
h1{{font-size:2.1rem;line-height:1.15;letter-spacing:-.01em;margin:0 0 1.25rem;font-weight:600}}
h2{{font-size:1.55rem;line-height:1.2;margin:0 0 .75rem;font-weight:600}}
h3{{font-size:1.15rem;line-height:1.3;margin:2.5rem 0 .75rem;font-weight:600}}
h4{{font-size:1rem;line-height:1.35;margin:1.75rem 0 .5rem;font-weight:600}}
h5{{font:600 .8125rem/1.4 {_SANS};margin:1.25rem 0 .35rem}}
p,ul{{max-width:42rem;margin:.75rem 0}}
ul{{padding-left:1.25rem}}
li{{margin:.2rem 0}}
a{{color:var(--link);text-decoration-thickness:1px;text-underline-offset:2px}}
code,pre{{font-family:{_MONO};font-size:.86em}}
pre{{background:var(--panel);padding:.75rem 1rem;margin:.75rem 0;white-space:pre-wrap;border-radius:3px}}
:focus-visible{{outline:2px solid var(--link);outline-offset:2px}}
nav{{font-size:1rem;border-block:1px solid var(--rule);padding:.75rem 0}}
nav ul{{list-style:none;padding:0;margin:0;max-width:none}}
nav>ul>li+li{{margin-top:.5rem}}
nav ul ul{{font:.875rem/1.7 {_SANS};display:flex;flex-wrap:wrap;column-gap:1.1rem}}
nav ul ul li{{margin:0}}
.kind{{font:.75rem/1.4 {_SANS};color:var(--muted);letter-spacing:.07em;text-transform:uppercase;margin:0 0 .25rem}}
nav .kind{{letter-spacing:.04em;text-transform:none}}
.part{{margin-top:3.5rem;padding-top:1.5rem;border-top:2px solid var(--ink)}}
.note,footer{{color:var(--muted);font:.875rem/1.5 {_SANS}}}
footer{{margin-top:4rem;border-top:1px solid var(--rule)}}
"""

_TABLES = f"""
.scroll{{overflow-x:auto;margin:1rem 0;max-width:100%}}
table{{border-collapse:collapse;font:.875rem/1.4 {_SANS};font-variant-numeric:tabular-nums lining-nums;
border-top:1px solid var(--ink);border-bottom:1px solid var(--ink)}}
caption{{text-align:left;color:var(--muted);padding-bottom:.4rem;caption-side:top}}
th,td{{padding:.28rem 1.1rem .28rem 0;text-align:left;vertical-align:baseline;overflow-wrap:break-word;min-width:2.5rem;
max-width:24rem}}
th:last-child,td:last-child{{padding-right:0}}
thead th{{border-bottom:1px solid var(--rule);font-weight:600;vertical-align:bottom}}
tbody th{{font-weight:400}}
.n{{text-align:right;white-space:nowrap}}
thead .n{{white-space:normal}}
dl{{margin:.75rem 0;font:.875rem/1.5 {_SANS};font-variant-numeric:tabular-nums}}
dl div{{display:flex;gap:1rem;padding:.1rem 0}}
dt{{flex:0 0 9.5rem;color:var(--muted)}}
dd{{margin:0;min-width:0}}
figure{{margin:1.5rem 0}}
figure svg{{display:block;width:100%;min-width:34rem;max-width:46rem;height:auto;fill:var(--ink)}}
figure svg *{{stroke-linejoin:round;stroke-linecap:butt}}
details{{font:.875rem/1.5 {_SANS};margin:.5rem 0}}
summary{{cursor:pointer;color:var(--muted)}}
"""

_PAIRS = f"""
.controls,.pager{{display:flex;flex-wrap:wrap;gap:.6rem .9rem;align-items:end;font:.875rem/1.4 {_SANS};margin:1rem 0}}
.controls[hidden],.pager[hidden],.pair[hidden]{{display:none}}
.controls label{{display:grid;gap:.15rem;color:var(--muted)}}
input,select,button{{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--muted);
border-radius:3px;padding:.3rem .5rem;max-width:100%}}
input{{width:14rem}}
button{{padding:.3rem .9rem;cursor:pointer}}
button:disabled{{opacity:.45;cursor:default}}
.pair{{border-top:1px solid var(--rule);padding:1rem 0 .5rem}}
.pair h4{{font:600 .8125rem/1.4 {_MONO};margin:0 0 .5rem}}
.text{{white-space:pre-wrap;unicode-bidi:plaintext;max-width:46rem;margin:0 0 .5rem}}
.prompt{{color:var(--muted)}}
.label{{font:.75rem/1.4 {_SANS};color:var(--muted);margin:.5rem 0 .1rem}}
.omitted{{color:var(--muted);font:.8em {_SANS}}}
del,ins,.key{{text-decoration:none;padding:.05em .15em;border-radius:2px;-webkit-box-decoration-break:clone;
box-decoration-break:clone}}
del,.key.chosen{{background:var(--chosen);border-bottom:2px solid var(--chosen-line)}}
ins,.key.rejected{{background:var(--rejected);border-bottom:2px dashed var(--rejected-line)}}
.pair dl{{margin:.5rem 0;display:flex;flex-wrap:wrap;gap:.1rem 1.5rem;font-size:.8125rem}}
.pair dl div{{display:flex;gap:.45rem;max-width:100%}}
.pair dt{{flex:none}}
"""

_TOKENS = f"""
.tokens{{display:flex;flex-wrap:wrap;gap:.5rem 2px;margin:.25rem 0 .75rem;font:.6875rem/1.3 {_SANS};
font-variant-numeric:tabular-nums lining-nums}}
.token{{display:flex;flex-direction:column;align-items:center;min-width:2.35rem;max-width:100%;
padding:2px 0 0}}
.token.edit b{{box-shadow:inset 0 0 0 2px var(--ink)}}
.key-box{{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;align-items:center}}
.key-box .note{{flex:1 1 18rem;margin:0}}
.token .r{{color:var(--muted)}}
.token b{{font:.9375rem/1.35 {_MONO};padding:.15rem .25rem;align-self:stretch;text-align:center;border-radius:2px;
margin-top:1px;white-space:pre-wrap;unicode-bidi:isolate}}
.token .d{{font-weight:600}}
.token i{{color:var(--muted);font-style:normal}}
.break{{flex-basis:100%;height:0}}
.run b{{color:var(--ink)}}
.same-start{{align-self:end;color:var(--muted);font-size:.8125rem;padding:0 .5rem .35rem 0}}
.key-row{{display:flex;flex-wrap:wrap;gap:.25rem;font:.75rem/1.4 {_SANS};margin:.5rem 0 1rem}}
.key-row span{{padding:.15rem .5rem;border-radius:2px}}
"""

_STEPS = (
    "".join(f".{way}-{at}{{background:var(--{way}-{at})}}" for way in ("fall", "rise") for at in range(1, 5))
    + ".same{background:var(--same)}"
)

_NARROW = """
@media(max-width:40rem){body{padding:1.25rem 1rem 3rem;font-size:1rem}h1{font-size:1.6rem}h2{font-size:1.35rem}
dl div{display:block;padding:.2rem 0}table{width:max-content}th,td{max-width:15rem}input{width:100%}
.controls label{flex:1 1 8rem;min-width:0}}
@media print{body{max-width:none}.controls,.pager{display:none}.scroll{overflow:visible}}
"""

STYLE = (variables() + _PAGE + _TABLES + _PAIRS + _TOKENS + _STEPS + _NARROW).replace("\n", "")
