// Several trainings side by side: their curves in one chart, their results in one table.

import type { train } from "gradus";
import type { ReportSection } from "gradus/node";

/** One training among those that are compared. */
export interface Contender {
  readonly name: string;
  readonly result: train.FitResult;
}

const percent = (fraction: number | undefined): string =>
  fraction === undefined ? "none" : `${(100 * fraction).toFixed(2)}%`;

/** Test accuracy and losses of all, over training steps. */
export function comparison(title: string, contenders: readonly Contender[]): ReportSection {
  const curve = (points: readonly train.HistoryPoint[], metric: string): [number, number][] =>
    points.flatMap((point) => (point[metric] === undefined ? [] : [[point.step, point[metric]]]));
  const series = (pick: (history: train.History) => readonly train.HistoryPoint[], metric: string) =>
    contenders.map(({ name, result }) => ({ name, points: curve(pick(result.history), metric) }));
  return {
    title,
    table: {
      columns: ["", "test accuracy", "best", "test loss", "steps"],
      rows: contenders.map(({ name, result }) => {
        const { history, evaluation, step } = result;
        const best = history.evaluations.reduce((most, { accuracy }) => Math.max(most, accuracy ?? 0), 0);
        return [name, percent(evaluation?.accuracy), percent(best), evaluation?.loss ?? "none", step];
      }),
    },
    charts: [
      { title: "Test accuracy", format: "percent", series: series((history) => history.evaluations, "accuracy") },
      { title: "Test loss", format: "loss", series: series((history) => history.evaluations, "loss") },
      { title: "Training loss", format: "loss", series: series((history) => history.points, "loss") },
    ],
  };
}

/** The same as lines of text. */
export function table(contenders: readonly Contender[]): string {
  const width = Math.max(...contenders.map(({ name }) => name.length));
  return contenders
    .map(({ name, result }) => `  ${name.padEnd(width)}  test accuracy ${percent(result.evaluation?.accuracy)}`)
    .join("\n");
}
