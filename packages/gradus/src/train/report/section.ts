// Further sections of a report, for what a kind of run has to show beside curves: runs compared, pictures over time,
// histograms, tables. Leans on chart.ts and picture.ts.

import type { PlainImage } from "../png.ts";
import { type Axis, chart, type D3, type Point, type Series } from "./chart.ts";
import { picturesque } from "./picture.ts";
import { escapeHtml, lossFigure, number, percent } from "./text.ts";

/** A named curve of a chart. */
export interface ReportCurve {
  /** What the legend calls it. */
  readonly name: string;
  /** Pairs of x and y, x ascending; values that are not finite leave a gap. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A chart of up to eight named curves. */
export interface ReportChart {
  /** What stands above it. */
  readonly title: string;
  /** What the horizontal axis counts. Default "step". */
  readonly xTitle?: string;
  /** How values are written: losses with four digits, and on a logarithmic scale where they span much. Default "number". */
  readonly format?: "number" | "loss" | "percent";
  /** The curves, in the order of their colours. */
  readonly series: readonly ReportCurve[];
}

/** A table of a section. */
export interface ReportTable {
  /** The heads of the columns. */
  readonly columns: readonly string[];
  /** The first cell of a row is its head. */
  readonly rows: readonly (readonly (string | number)[])[];
}

/** A picture of a section. */
export interface ReportPicture {
  /** Its pixels, which are enlarged by a whole factor. */
  readonly image: PlainImage;
  /** What stands below it. */
  readonly caption: string;
  /** About how many pixels of the page it takes. Default 360. */
  readonly room?: number;
}

/** A section of a report, for what a kind of run has to show beside its curves. */
export interface ReportSection {
  /** What stands above it. */
  readonly title: string;
  /** A paragraph below the title. */
  readonly text?: string;
  /** Side by side where there is room. */
  readonly charts?: readonly ReportChart[];
  /** Above the charts. */
  readonly table?: ReportTable;
  /** In rows, below the charts. */
  readonly pictures?: readonly ReportPicture[];
}

const FORMATS = { number, loss: lossFigure, percent } as const;
const CURVE_COLOURS = 8;

/** The inside of a section; the page adds its title. */
export function sectionBody(d3: D3, { text, charts = [], table, pictures = [] }: ReportSection): string {
  const drawn = charts.map((one) => namedCurves(d3, one)).filter(Boolean);
  return [
    text && `<p class="note">${escapeHtml(text)}</p>`,
    table && tableOf(table),
    drawn.length > 0 && `<div class="charts">${drawn.join("")}</div>`,
    pictures.length > 0 && `<div class="gallery">${pictures.map(captioned).join("")}</div>`,
  ]
    .filter(Boolean)
    .join("");
}

function namedCurves(d3: D3, { title, xTitle = "step", format = "number", series }: ReportChart): string {
  const xs = series.flatMap(({ points }) => points.map(([x]) => x));
  if (xs.length === 0) return "";
  const domain: Point = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))];
  const axis: Axis = {
    title: xTitle,
    domain: domain[0] < domain[1] ? domain : [domain[0], domain[0] + 1],
    ticks: undefined,
  };
  const curves = series.map(({ name, points }, i): Series => {
    return { name, className: `curve${i % CURVE_COLOURS}`, points };
  });
  return chart(d3, title, axis, curves, FORMATS[format]);
}

function tableOf({ columns, rows }: ReportTable): string {
  const written = (value: string | number): string => escapeHtml(typeof value === "number" ? number(value) : value);
  const heads = columns.map((column) => `<th scope="col">${escapeHtml(column)}</th>`).join("");
  const body = rows.map(([head, ...cells]) => {
    return `<tr><th scope="row">${written(head)}</th>${cells.map((cell) => `<td>${written(cell)}</td>`).join("")}</tr>`;
  });
  return `<div class="scroll" tabindex="0"><table class="figures"><thead><tr>${heads}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}

function captioned({ image, caption, room = 360 }: ReportPicture): string {
  return `<figure>${picturesque(image, room, caption)}<figcaption><small>${escapeHtml(caption)}</small></figcaption></figure>`;
}
