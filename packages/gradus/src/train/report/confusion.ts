// Which classes were taken for which, as a table or, for many classes, as a picture. Leans on picture.ts.

import { picturesque } from "./picture.ts";
import { escapeHtml, number } from "./text.ts";

/** Report data whose parts do not fit each other. */
export class ReportDataError extends Error {
  /** What stands before the message. */
  override readonly name = "ReportDataError";
}

/** Counts `[classes][classes]`: rows are true classes, columns predicted ones. */
export interface ConfusionData {
  /** The names of the classes. */
  readonly labels: readonly string[];
  /** How many samples of each true class were taken for each class. */
  readonly matrix: readonly (readonly number[])[];
}

/** With more classes than this, counts cannot be read: a picture of one pixel a cell, and the worst pairs in words. */
const MOST_COUNTED_CLASSES = 20;
const WORST_PAIRS = 12;

export function confusionMatrix({ labels, matrix }: ConfusionData): string {
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
