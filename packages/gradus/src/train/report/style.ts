// The look of a report: colours are variables, so that one file serves light and dark.

export const STYLE = `
:root{color-scheme:light dark;--page:#f6f5f1;--card:#fff;--ink:#1d1f24;--soft:#666b75;--line:#e3e1da;--train:#2f6fd0;--test:#d4570f;--other:#7a4fc0;--right:#1f8a68;--wrong:#d4570f;--on-deep:#fff}
@media(prefers-color-scheme:dark){:root{--page:#14161a;--card:#1d2026;--ink:#eceef2;--soft:#9aa1ad;--line:#31353d;--train:#7fb0ff;--test:#ff9f5c;--other:#bd9cff;--right:#4fcf9f;--wrong:#ff9f5c;--on-deep:#14161a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px}
h1{font-size:clamp(24px,4.5vw,36px);line-height:1.15;margin:0 0 20px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:20px;margin:0 0 12px} h3{font-size:16px;margin:0;flex:1} dl,dd,figure,ol{margin:0}
section,.tiles>div{background:var(--card);border:1px solid var(--line);border-radius:12px} section{padding:20px;margin-top:16px}
dt,small,.note,footer{color:var(--soft);font-size:13px}
small{display:block;font-weight:400;letter-spacing:0;line-height:1.3} .note{margin:0 0 10px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px} .tiles>div{padding:14px 16px}
.tiles dd{font-size:30px;font-weight:650;line-height:1.2;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:24px}
.charts figcaption{display:flex;flex-wrap:wrap;gap:0 14px;align-items:baseline;font-size:14px;white-space:nowrap;margin-bottom:4px}
.charts span::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;background:currentColor;margin-right:6px;vertical-align:middle}
.charts .note{margin:2px 0 0}
span.train,circle.train{color:var(--train)}span.test,circle.test{color:var(--test)}span.other,circle.other{color:var(--other)}
svg{display:block;width:100%;height:auto} svg text{fill:var(--soft);font-size:13px;font-variant-numeric:tabular-nums}
svg path{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
svg path.grid{stroke:var(--line);stroke-width:1} svg path.train{stroke:var(--train)}svg path.test{stroke:var(--test)}svg path.other{stroke:var(--other)}
svg path.faint{stroke-width:1;opacity:.35} svg circle{fill:currentColor;stroke:var(--card);stroke-width:1}
.curve0{--curve:var(--train)}.curve1{--curve:var(--test)}.curve2{--curve:var(--right)}.curve3{--curve:var(--other)}.curve4{--curve:#b8860b}.curve5{--curve:#c2447a}.curve6{--curve:#2aa0a8}.curve7{--curve:var(--soft)}
span[class^=curve],circle[class^=curve]{color:var(--curve)} svg path[class^=curve]{stroke:var(--curve)}
.scroll,pre{overflow-x:auto}
.figures{border-collapse:collapse;font-size:15px;font-variant-numeric:tabular-nums;margin-bottom:16px} .figures th,.figures td{padding:6px 14px 6px 0;text-align:right;border-bottom:1px solid var(--line)} .figures th:first-child{text-align:left;font-weight:500} .figures thead th{color:var(--soft);font-weight:500;font-size:13px}
.gallery{display:flex;flex-wrap:wrap;gap:18px}
.confusion{border-collapse:separate;border-spacing:2px;table-layout:fixed;width:calc(var(--n)*88px + 130px);max-width:100%;min-width:calc(var(--n)*24px + 76px);font-size:15px;font-variant-numeric:tabular-nums}
.confusion thead>tr>td{width:130px} .confusion th{font-weight:500;text-align:right;padding:0 6px 0 0;overflow-wrap:anywhere;line-height:1.15}
.confusion thead th{vertical-align:bottom;padding:0 0 6px}
.confusion th span{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;max-height:110px;margin:0 auto;display:block;overflow-wrap:normal}
.confusion tbody td{height:42px;padding:0;text-align:center;border-radius:5px;background:color-mix(in srgb,var(--kind) calc(var(--t)*100%),var(--page))}
.confusion td.deep{color:var(--on-deep)}
@media(prefers-color-scheme:dark){.confusion td.middling{color:var(--on-deep)}}
.right{--kind:var(--right)}.wrong{--kind:var(--wrong)} b.right,b.wrong{color:var(--kind)}
i.right,i.wrong{display:inline-block;width:12px;height:12px;border-radius:3px;background:var(--kind);vertical-align:-1px} i.wrong{margin-left:8px}
img{display:block;image-rendering:pixelated;border-radius:4px;max-width:100%;height:auto}
.pair{display:flex;flex-wrap:wrap;gap:24px} .pair ol{padding-left:24px;margin-top:6px} .heat{background:var(--page);align-self:start} .mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(100px,1fr));gap:18px 10px}
.mistakes figcaption{font-size:14px;line-height:1.3;margin-top:6px;overflow-wrap:anywhere}
.mistakes span,.mistakes b.wrong{display:block}
i.bar{display:block;max-width:112px;height:5px;margin:4px 0;border-radius:3px;background:linear-gradient(to right,var(--wrong) calc(var(--t)*100%),var(--line) 0)}
.filters{display:flex;flex-wrap:wrap;gap:8px}
.summary{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(45%,220px),1fr));gap:10px 24px} .summary>div{border-top:1px solid var(--line);padding-top:6px} .summary dd{overflow-wrap:anywhere}
pre{margin:0;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
footer{margin-top:20px;text-align:center}
@media(max-width:560px){.charts figcaption{font-size:13px;gap:0 10px}.charts span::before{width:10px;margin-right:4px}.charts h3{font-size:15px}main{padding:20px 12px}section{padding:14px 12px}.tiles{grid-template-columns:1fr 1fr;gap:8px}.tiles>div{padding:10px 12px}.tiles dd{font-size:24px}.confusion{font-size:10px;border-spacing:1px}.confusion thead>tr>td{width:62px}.confusion tbody td{height:27px;border-radius:3px}pre{font-size:11px}}
`;
