// The report of a training run: one HTML file that opens offline, for a projector, a desk and a phone.
// Node only; leans on png.ts, and on d3-scale and d3-shape for the geometry of the curves, which are
// loaded only when a report is made. Charts are SVG, tables are tables, pictures are data: addresses; colours
// are CSS variables, so that one file serves light and dark. A content security policy forbids every request.

import { encodePng, type PlainImage, type TransparentImage } from "./png.ts";

export interface ReportData {
  readonly title: string;
  /** Key figures and options, in the order they are shown. */
  readonly summary: Readonly<Record<string, string | number>>;
  /** Points of the training curves, steps ascending. Every further key gets a chart of its own. */
  readonly history: readonly {
    readonly step: number;
    readonly epoch: number;
    readonly loss?: number;
    /** In 0 to 1. */
    readonly accuracy?: number;
    readonly [metric: string]: number | undefined;
  }[];
  /** Test results; each stands at the last step of `history` whose epoch is not greater. Accuracy in 0 to 1. */
  readonly evaluations: readonly { readonly epoch: number; readonly loss: number; readonly accuracy: number }[];
  /** Counts `[classes][classes]`: rows are true classes, columns predicted ones. */
  readonly confusion?: { readonly labels: readonly string[]; readonly matrix: readonly (readonly number[])[] };
  /** Shown the most confident first. Confidence in 0 to 1. */
  readonly mistakes?: readonly {
    readonly image: PlainImage;
    readonly predicted: string;
    readonly actual: string;
    readonly confidence: number;
  }[];
  readonly filters?: { readonly title: string; readonly images: readonly PlainImage[] };
  /** Preformatted text. */
  readonly modelSummary?: string;
}

/** Report data whose parts do not fit each other. */
export class ReportDataError extends Error {
  override readonly name = "ReportDataError";
}

type D3 = typeof import("d3-scale") & typeof import("d3-shape");
type Point = readonly [x: number, y: number];
type History = ReportData["history"];

interface Series {
  readonly name: string;
  /** Its colour in the style sheet. */
  readonly className: "train" | "test" | "other";
  readonly points: readonly Point[];
}

interface Axis {
  readonly title: string;
  readonly domain: Point;
  /** Undefined: round numbers of steps. */
  readonly ticks: readonly { readonly x: number; readonly label: string }[] | undefined;
}

/**
 * A whole HTML document, to be stored as UTF-8. All text is escaped.
 * @throws ReportDataError where the confusion matrix does not fit its labels; ImageDataError for a malformed picture
 */
export async function renderReport(data: ReportData): Promise<string> {
  const [scale, shape] = await Promise.all([import("d3-scale"), import("d3-shape")]);
  const { confusion, filters, mistakes = [], modelSummary } = data;
  const sections = [
    section("Training", curves({ ...scale, ...shape }, data)),
    confusion && section("Confusion matrix", confusionMatrix(confusion)),
    mistakes.length > 0 && section("Worst mistakes", mistakeCards(mistakes)),
    filters && filters.images.length > 0 && section(filters.title, filterGrid(filters.images)),
    section("Key figures and options", definitions(data.summary)),
    modelSummary && section("Model", `<pre tabindex="0">${escapeHtml(modelSummary)}</pre>`),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(data.title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(data.title)}</h1>${headline(data)}</header>
${sections.filter(Boolean).join("\n")}
<footer>A training report by Gradus</footer>
</main>
</body>
</html>
`;
}

function section(title: string, body: string): string {
  return body && `<section><h2>${escapeHtml(title)}</h2>${body}</section>`;
}

// Headline figures.

function headline({ evaluations, history, confusion }: ReportData): string {
  const last = evaluations.at(-1);
  const best = evaluations.reduce((a, b) => (b.accuracy > a.accuracy ? b : a), evaluations[0]!);
  const lastPoint = history.at(-1);
  const counts = confusion?.matrix.flat() ?? [];
  const correct = sum(confusion?.matrix.map((row, c) => row[c] ?? 0) ?? []);
  const tiles = [
    last && ["Test accuracy", percent(last.accuracy), `best ${percent(best.accuracy)}, epoch ${number(best.epoch)}`],
    last && ["Test loss", lossFigure(last.loss), `after epoch ${number(last.epoch)}`],
    confusion && ["Right", number(correct), `of ${number(sum(counts))} test samples`],
    lastPoint && ["Steps", number(lastPoint.step), `in ${plural(Math.ceil(last?.epoch ?? lastPoint.epoch), "epoch")}`],
  ].filter((tile) => tile !== undefined);
  const html = tiles.map(([name, value, note]) => `<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`);
  return html.length > 0 ? `<dl class="tiles">${html.join("")}</dl>` : "";
}

// Curves.

const NOT_METRICS = new Set(["step", "epoch", "loss", "accuracy"]);

function curves(d3: D3, { history, evaluations }: ReportData): string {
  const axis = horizontalAxis(history, evaluations);
  const trained = (metric: string): Point[] =>
    history.flatMap((point) => (point[metric] === undefined ? [] : [[point.step, point[metric]]]));
  const tested = (metric: "loss" | "accuracy"): Point[] =>
    evaluations.map((evaluation) => [stepOfEpoch(history, evaluation.epoch), evaluation[metric]]);
  const both = (metric: "loss" | "accuracy"): Series[] => [
    { name: "training", className: "train", points: trained(metric) },
    { name: "test", className: "test", points: tested(metric) },
  ];
  const others = [...new Set(history.flatMap(Object.keys))].filter((metric) => !NOT_METRICS.has(metric));
  const charts = [
    chart(d3, "Loss", axis, both("loss"), lossFigure),
    chart(d3, "Accuracy", axis, both("accuracy"), percent),
    ...others.map((name) => chart(d3, name, axis, [{ name, className: "other", points: trained(name) }], number)),
  ].filter(Boolean);
  return charts.length > 0 ? `<div class="charts">${charts.join("")}</div>` : "";
}

function stepOfEpoch(history: History, epoch: number): number {
  return history.length === 0 ? epoch : (history.findLast((point) => point.epoch <= epoch)?.step ?? 0);
}

/** Counts epochs where there are a few at least, or else steps. */
function horizontalAxis(history: History, evaluations: ReportData["evaluations"]): Axis {
  const epochs = new Set([...history, ...evaluations].map((point) => Math.ceil(point.epoch)));
  const steps = [...history.map((point) => point.step), ...evaluations.map((e) => stepOfEpoch(history, e.epoch))];
  const domain: Point = [steps.reduce((a, b) => Math.min(a, b), Infinity), steps.reduce((a, b) => Math.max(a, b), 1)];
  if (epochs.size < 3) return { title: history.length > 0 ? "step" : "epoch", domain, ticks: undefined };
  const stride = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => epochs.size / n <= 10) ?? epochs.size;
  const ticks = [...epochs].filter((epoch) => epoch % stride === 0);
  return { title: "epoch", domain, ticks: ticks.map((e) => ({ x: stepOfEpoch(history, e), label: String(e) })) };
}

const CHART = { width: 460, height: 270, left: 56, right: 14, top: 12, bottom: 40 } as const;
/** More points than this are drawn as means of neighbours: a screen shows no more, and the file stays small. */
const MOST_POINTS = 400;
/** From this many points on a curve is noise around a trend: the trend is drawn over it. */
const NOISY_POINTS = 60;

function chart(d3: D3, title: string, axis: Axis, all: readonly Series[], format: (value: number) => string): string {
  const series = all.filter(({ points }) => points.length > 0).map((one) => ({ ...one, ...trend(one.points) }));
  const gaps = sum(series.map(({ points }) => points.filter(([, y]) => !Number.isFinite(y)).length));
  const values = series.flatMap(({ raw, smooth }) => [...raw, ...smooth].map(([, y]) => y)).filter(Number.isFinite);
  if (values.length === 0) return "";
  const { width, height, left, right, top, bottom } = CHART;
  const x = d3.scaleLinear(axis.domain, [left, width - right]);
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const isFraction = format === percent;
  const isLogarithmic = format === lossFigure && low > 0 && high / low > 50;
  const bounds: Point = isFraction ? [Math.floor(low * 10) / 10, Math.max(1, high)] : [Math.min(0, low), high];
  const range = [height - bottom, top];
  const y = isLogarithmic ? d3.scaleLog([low, high], range).nice() : d3.scaleLinear(bounds, range).nice(5);
  const yFormat = isLogarithmic ? y.tickFormat(5, "~g") : isFraction ? y.tickFormat(5, "~%") : number;
  const yTicks = y.ticks(5).map((value) => ({ at: y(value), label: yFormat(value) }));
  const xFormat = x.tickFormat(6, "~s");
  const xTicks = axis.ticks ?? x.ticks(6).map((step) => ({ x: step, label: xFormat(step) }));
  const path = d3
    .line<Point>()
    .defined(([, value]) => Number.isFinite(value))
    .x((point) => x(point[0]))
    .y((point) => y(point[1]))
    .digits(1);
  const lines = series.map(({ className, raw, smooth, points }) => {
    const faint = raw === smooth ? "" : `<path class="${className} faint" d="${path(raw)}"/>`;
    const dots = points.length > NOISY_POINTS ? [] : points.filter(([, value]) => Number.isFinite(value));
    const marks = dots.map(
      ([at, value]) =>
        `<circle class="${className}" cx="${x(at).toFixed(1)}" cy="${y(value).toFixed(1)}" r="3">` +
        `<title>step ${number(at)}: ${format(value)}</title></circle>`,
    );
    return `${faint}<path class="${className}" d="${path(smooth)}"/>${marks.join("")}`;
  });
  const keys = series.map(({ name, className, last }) => {
    return name === title ? "" : `<span class="${className}">${name} <b>${format(last)}</b></span>`;
  });
  const notes = [
    isLogarithmic ? "logarithmic scale" : "",
    gaps > 0 ? `${plural(gaps, "point")} not finite, left out` : "",
  ].filter(Boolean);
  return `<figure><figcaption><h3>${escapeHtml(title)}</h3>${keys.join("")}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)} by ${axis.title}">
${yTicks.map(({ at, label }) => label && `<path class="grid" d="M${left} ${at.toFixed(1)}H${width - right}"/><text x="${left - 8}" y="${at.toFixed(1)}" dy="4" text-anchor="end">${label}</text>`).join("")}
${xTicks.map((tick) => `<text x="${x(tick.x).toFixed(1)}" y="${height - bottom + 18}" text-anchor="middle">${tick.label}</text>`).join("")}
<text x="${(left + width - right) / 2}" y="${height - 4}" text-anchor="middle">${axis.title}</text>
${lines.join("\n")}
</svg>${notes.length > 0 ? `<p class="note">${notes.join("; ")}</p>` : ""}</figure>`;
}

interface Trend {
  readonly raw: readonly Point[];
  readonly smooth: readonly Point[];
  /** Where the curve ends, noise averaged out. */
  readonly last: number;
}

/** What is drawn of a curve: its points, and a centred moving mean of them where they are many. */
function trend(points: readonly Point[]): Trend {
  const size = Math.ceil(points.length / MOST_POINTS);
  const means = Array.from({ length: Math.ceil(points.length / size) }, (_, i) =>
    meanPoint(points.slice(i * size, (i + 1) * size)),
  );
  const raw = size === 1 ? points : means;
  if (points.length <= NOISY_POINTS) return { raw, smooth: raw, last: raw.at(-1)![1] };
  const widest = Math.ceil(raw.length / 50);
  const smooth = raw.map(([x, y], i): Point => {
    const reach = Math.min(widest, i, raw.length - 1 - i); // as far to the left as to the right, or a slope would bend
    return [x, Number.isFinite(y) ? meanPoint(raw.slice(i - reach, i + reach + 1))[1] : y];
  });
  return { raw, smooth, last: meanPoint(raw.slice(-widest))[1] };
}

/** Of those that are finite, unless none is. */
function meanPoint(points: readonly Point[]): Point {
  const finite = points.filter(([, y]) => Number.isFinite(y));
  return [sum(points.map(([x]) => x)) / points.length, sum(finite.map(([, y]) => y)) / finite.length];
}

// Confusion matrix.

/** With more classes than this, counts cannot be read: a picture of one pixel a cell, and the worst pairs in words. */
const MOST_COUNTED_CLASSES = 20;
const WORST_PAIRS = 12;

function confusionMatrix({ labels, matrix }: NonNullable<ReportData["confusion"]>): string {
  if (matrix.length !== labels.length || matrix.some((row) => row.length !== labels.length)) {
    const columns = [...new Set(matrix.map((row) => row.length))].join(" or ") || "0";
    throw new ReportDataError(
      `The confusion matrix has ${matrix.length} rows of ${columns} columns for ${labels.length} labels. ` +
        "Give one row and one column a label.",
    );
  }
  const most = matrix.flat().reduce((a, b) => Math.max(a, b), 1);
  const strength = (count: number): number => Math.log1p(count) / Math.log1p(most);
  const key = `<p class="note"><i class="right"></i> recognized <i class="wrong"></i> mistaken; the stronger the colour, the more (logarithmic). Rows are what a sample is, columns what it was taken for.</p>`;
  if (labels.length > MOST_COUNTED_CLASSES) return key + confusionPicture(labels, matrix, strength);
  const cell = (count: number, row: number, column: number): string => {
    const t = strength(count);
    const depth = t > 0.85 ? " deep middling" : t > 0.6 ? " middling" : ""; // where the count changes its colour to stay legible
    const kind = (row === column ? "right" : "wrong") + depth;
    const title = `${labels[row]} taken for ${labels[column]}: ${count}`;
    return `<td class="${kind}" style="--t:${t.toFixed(2)}" title="${escapeHtml(title)}">${count || ""}</td>`;
  };
  const heads = labels.map((label) => `<th scope="col"><span>${escapeHtml(label)}</span></th>`).join("");
  const rows = matrix.map(
    (counts, row) =>
      `<tr><th scope="row">${escapeHtml(labels[row]!)}</th>${counts.map((count, column) => cell(count, row, column)).join("")}</tr>`,
  );
  return `${key}<div class="scroll" tabindex="0"><table class="confusion" style="--n:${labels.length}"><thead><tr><td></td>${heads}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function confusionPicture(
  labels: readonly string[],
  matrix: readonly (readonly number[])[],
  strength: (count: number) => number,
): string {
  const size = labels.length;
  const cells = matrix.flatMap((counts, row) => counts.map((count, column) => ({ row, column, count })));
  const pixels = cells.flatMap(({ row, column, count }) => [
    ...(row === column ? [46, 139, 110] : [217, 96, 38]),
    Math.round(255 * strength(count)),
  ]);
  const picture = picturesque(
    { width: size, height: size, channels: 4, data: Uint8Array.from(pixels) },
    600,
    "confusion matrix",
  );
  const pairs = cells
    .filter(({ row, column, count }) => row !== column && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, WORST_PAIRS)
    .map(
      ({ row, column, count }) =>
        `<li>${escapeHtml(labels[row]!)} taken for ${escapeHtml(labels[column]!)}: <b>${number(count)}</b></li>`,
    );
  return `<div class="pair"><div class="heat">${picture}</div><div><h3>Most often</h3><ol>${pairs.join("")}</ol></div></div>`;
}

// Pictures.

function mistakeCards(mistakes: NonNullable<ReportData["mistakes"]>): string {
  const cards = [...mistakes]
    .sort((a, b) => b.confidence - a.confidence)
    .map(
      ({ image, predicted, actual, confidence }) =>
        `<figure>${picturesque(image, 112, `${actual}, taken for ${predicted}`)}<figcaption><b class="wrong">${escapeHtml(predicted)}</b>` +
        `<i class="bar" style="--t:${confidence.toFixed(3)}"></i><small>${percent(confidence)} sure</small>` +
        `<span>is <b class="right">${escapeHtml(actual)}</b></span></figcaption></figure>`,
    );
  return `<div class="mistakes">${cards.join("")}</div>`;
}

function filterGrid(images: readonly PlainImage[]): string {
  return `<div class="filters">${images.map((image, i) => picturesque(image, 60, `filter ${i + 1}`)).join("")}</div>`;
}

/** Enlarged by a whole factor, so that every pixel is a square of the same size. */
function picturesque(image: PlainImage | TransparentImage, room: number, description: string): string {
  const factor = Math.max(1, Math.floor(room / image.width));
  const source = `data:image/png;base64,${Buffer.from(encodePng(image)).toString("base64")}`;
  return `<img src="${source}" width="${image.width * factor}" height="${image.height * factor}" alt="${escapeHtml(description)}">`;
}

// Words and numbers.

function definitions(summary: ReportData["summary"]): string {
  const rows = Object.entries(summary).map(
    ([name, value]) =>
      `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(typeof value === "number" ? number(value) : value)}</dd></div>`,
  );
  return rows.length > 0 ? `<dl class="summary">${rows.join("")}</dl>` : "";
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(2);
  return value.toLocaleString("en-US", Number.isInteger(value) ? {} : { maximumSignificantDigits: 4 });
}

/** Four digits, also where the last ones are 0: losses are compared with each other. */
function lossFigure(value: number): string {
  return Math.abs(value) >= 1e-4 && Math.abs(value) < 1e4 ? value.toPrecision(4) : number(value);
}

function percent(fraction: number): string {
  return Number.isFinite(fraction) ? `${(100 * fraction).toFixed(2)}%` : String(fraction);
}

function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

const STYLE = `
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
.scroll,pre{overflow-x:auto}
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
