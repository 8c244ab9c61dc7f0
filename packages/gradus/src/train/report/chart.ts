// One chart of a report: curves over steps as SVG. Leans on d3-scale and d3-shape for the geometry.

import { escapeHtml, lossFigure, number, percent, plural, sum } from "./text.ts";

export type D3 = typeof import("d3-scale") & typeof import("d3-shape");
export type Point = readonly [x: number, y: number];

export interface Series {
  readonly name: string;
  /** Its colour in the style sheet. */
  readonly className: string;
  readonly points: readonly Point[];
}

export interface Axis {
  readonly title: string;
  /** What the numbers of its domain count. Default: what the title says. */
  readonly unit?: string;
  readonly domain: Point;
  /** Undefined: round numbers of steps. */
  readonly ticks: readonly { readonly x: number; readonly label: string }[] | undefined;
}

const CHART = { width: 460, height: 270, left: 56, right: 14, top: 12, bottom: 40 } as const;
/** More points than this are drawn as means of neighbours: a screen shows no more, and the file stays small. */
const MOST_POINTS = 400;
/** From this many points on a curve is noise around a trend: the trend is drawn over it. */
const NOISY_POINTS = 60;

export function chart(
  d3: D3,
  title: string,
  axis: Axis,
  all: readonly Series[],
  format: (value: number) => string,
): string {
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
        `<title>${axis.unit ?? axis.title} ${number(at)}: ${format(value)}</title></circle>`,
    );
    return `${faint}<path class="${className}" d="${path(smooth)}"/>${marks.join("")}`;
  });
  const keys = series.map(({ name, className, last }) => {
    return name === title ? "" : `<span class="${className}">${escapeHtml(name)} <b>${format(last)}</b></span>`;
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
