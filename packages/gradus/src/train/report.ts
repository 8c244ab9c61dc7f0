// The report of a training run: one HTML file that opens offline, for a projector, a desk and a phone.
// Node only; leans on png.ts, and on d3-scale and d3-shape for the geometry of the curves, which are
// loaded only when a report is made. Charts are SVG, tables are tables, pictures are data: addresses; colours
// are CSS variables, so that one file serves light and dark. A content security policy forbids every request.

import type { PlainImage } from "./png.ts";
import { type Axis, chart, type D3, type Point, type Series } from "./report/chart.ts";
import { type ConfusionData, confusionMatrix } from "./report/confusion.ts";
import { picturesque } from "./report/picture.ts";
import { type ReportSection, sectionBody } from "./report/section.ts";
import { STYLE } from "./report/style.ts";
import { escapeHtml, lossFigure, number, percent, plural, sum } from "./report/text.ts";

export { type ConfusionData, ReportDataError } from "./report/confusion.ts";
export type { ReportChart, ReportCurve, ReportPicture, ReportSection, ReportTable } from "./report/section.ts";

/** A point of the training curves. Every key but these gets a chart of its own. */
export interface ReportPoint {
  /** Training steps taken. */
  readonly step: number;
  /** Epochs, whole or in parts. */
  readonly epoch: number;
  /** The training loss. */
  readonly loss?: number;
  /** In 0 to 1. */
  readonly accuracy?: number;
  readonly [metric: string]: number | undefined;
}

/** What the test set gave. */
export interface ReportEvaluation {
  /** It stands at the last step of the history whose epoch is not greater. */
  readonly epoch: number;
  /** The mean loss. */
  readonly loss: number;
  /** In 0 to 1. */
  readonly accuracy: number;
}

/** A sample that was taken for another class. */
export interface ReportMistake {
  /** The sample. */
  readonly image: PlainImage;
  /** The name of the class that it was taken for. */
  readonly predicted: string;
  /** The name of its own class. */
  readonly actual: string;
  /** In 0 to 1. */
  readonly confidence: number;
}

/** Pictures of a model's first layer. */
export interface ReportFilters {
  /** What stands above them. */
  readonly title: string;
  /** One for each filter. */
  readonly images: readonly PlainImage[];
}

/** What a report shows. */
export interface ReportData {
  /** The headline, and the title of the page. */
  readonly title: string;
  /** Key figures and options, in the order they are shown. */
  readonly summary: Readonly<Record<string, string | number>>;
  /** Points of the training curves, steps ascending. Every further key gets a chart of its own. */
  readonly history: readonly ReportPoint[];
  /** Test results, in the order of their epochs. */
  readonly evaluations: readonly ReportEvaluation[];
  /** Which classes the test set's samples were taken for. */
  readonly confusion?: ConfusionData;
  /** Shown the most confident first. */
  readonly mistakes?: readonly ReportMistake[];
  /** What the first layer has learned. */
  readonly filters?: ReportFilters;
  /** What else there is to see, after the curves. */
  readonly sections?: readonly ReportSection[];
  /** Preformatted text. */
  readonly modelSummary?: string;
}

type History = ReportData["history"];

/**
 * A whole HTML document, to be stored as UTF-8. All text is escaped.
 * @throws ReportDataError where the confusion matrix does not fit its labels; ImageDataError for a malformed picture
 */

export async function renderReport(data: ReportData): Promise<string> {
  const [scale, shape] = await Promise.all([import("d3-scale"), import("d3-shape")]);
  const { confusion, filters, mistakes = [], modelSummary } = data;
  const d3 = { ...scale, ...shape };
  const sections = [
    section("Training", curves(d3, data)),
    ...(data.sections ?? []).map((one) => section(one.title, sectionBody(d3, one))),
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
  return {
    title: "epoch",
    unit: "step",
    domain,
    ticks: ticks.map((e) => ({ x: stepOfEpoch(history, e), label: String(e) })),
  };
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

// Words and numbers.

function definitions(summary: ReportData["summary"]): string {
  const rows = Object.entries(summary).map(
    ([name, value]) =>
      `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(typeof value === "number" ? number(value) : value)}</dd></div>`,
  );
  return rows.length > 0 ? `<dl class="summary">${rows.join("")}</dl>` : "";
}
