// Writes report.html when a run is done: curves, confusion matrix, worst mistakes, filters. Node only; leans on report.ts
// for the page and on review.ts for what is in it.

import { writeFileAtomic } from "../../io/atomic-file.ts";
import type { Callback } from "../callback.ts";
import { firstLayerFilters } from "../filters.ts";
import type { HistoryPoint } from "../history.ts";
import { type ReportSection, renderReport } from "../report.ts";
import { ClassificationReview } from "../review.ts";
import type { Training } from "../training.ts";

/** What a report says of a run besides what was measured. */
export interface ReportOptions {
  /** Default "Training". */
  readonly title?: string;
  /** Options and key figures to list. */
  readonly summary?: Readonly<Record<string, string | number>>;
  /** The names of the classes. Default: their indices. */
  readonly classes?: readonly string[];
  /** What else there is to see of the run: asked for at its end. */
  readonly sections?: (training: Training) => readonly ReportSection[] | Promise<readonly ReportSection[]>;
  /** The model's table of layers. */
  readonly modelSummary?: string;
}

/**
 * A callback that writes the report of a run that has not been stopped by hand.
 * @param path the file; its directory must exist
 */
export function writeReport(path: string, options: ReportOptions = {}): Callback {
  let review = new ClassificationReview();
  let isComplete = false;
  return {
    async onEvaluationBatch(_training, batch) {
      if (isComplete) review = new ClassificationReview();
      isComplete = false;
      await review.update(batch);
    },
    onEpochEnd() {
      isComplete = true;
    },
    async onEnd(training) {
      if (training.epoch === 0 || training.stepInEpoch > 0) return;
      // A run that was resumed at its very end has not seen its test set yet.
      if (!isComplete) {
        review = new ClassificationReview();
        await training.evaluate();
      }
      await writeFileAtomic(path, await render(training, review, options));
    },
  };
}

async function render(training: Training, review: ClassificationReview, options: ReportOptions): Promise<string> {
  const { title = "Training", summary = {}, classes, sections, modelSummary } = options;
  const { points, evaluations } = training.history;
  const { confusion } = review;
  const matrix = confusion?.matrix();
  const labels = matrix?.map((_, c) => classes?.[c] ?? String(c)) ?? [];
  const filters = await firstLayerFilters(training.model);
  return renderReport({
    title,
    summary: { ...summary, ...(training.stopReason === null ? {} : { ended: training.stopReason }) },
    history: points,
    evaluations: evaluations.filter(hasAccuracy),
    confusion: matrix && { labels, matrix },
    mistakes: review.mistakes.map(({ predicted, actual, ...mistake }) => ({
      ...mistake,
      predicted: labels[predicted],
      actual: labels[actual],
    })),
    filters: filters.length > 0 ? { title: "The first layer's filters", images: filters } : undefined,
    sections: await sections?.(training),
    modelSummary,
  });
}

function hasAccuracy(point: HistoryPoint): point is HistoryPoint & { readonly accuracy: number } {
  return point.accuracy !== undefined;
}
