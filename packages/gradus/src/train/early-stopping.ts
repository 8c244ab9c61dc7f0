// Stops a run when the test set no longer improves. It keeps nothing of its own: what it needs is in the history, so a
// resumed run stops where an uninterrupted one would.

import { ArgumentError } from "../tensor/index.ts";
import type { Callback } from "./callback.ts";

/** Options of `earlyStopping`. */
export interface EarlyStoppingOptions {
  /** What to watch of the evaluations. Default "loss". */
  readonly metric?: string;
  /** Whether a smaller or a greater value is better. Default "min" for "loss", else "max". */
  readonly mode?: "min" | "max";
  /** Epochs without an improvement after which it stops. Default 3. */
  readonly patience?: number;
  /** How much better a value must be to count. Default 0. */
  readonly minDelta?: number;
}

/**
 * A callback that stops the run when the evaluation has not improved for `patience` epochs.
 * @throws ArgumentError for a patience that is no integer from 1
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { metric = "loss", patience = 3, minDelta = 0 } = options;
  const mode = options.mode ?? (metric === "loss" ? "min" : "max");
  if (!Number.isInteger(patience) || patience < 1) {
    throw new ArgumentError("earlyStopping", `a patience of ${patience} epochs is none`, "Use an integer from 1.");
  }
  const sign = mode === "min" ? -1 : 1;
  return {
    onEpochEnd(training) {
      let best = Number.NEGATIVE_INFINITY;
      let since = 0;
      for (const evaluation of training.history.evaluations) {
        const value = evaluation[metric];
        if (value === undefined) {
          const known = Object.keys(evaluation).filter((name) => name !== "step" && name !== "epoch");
          throw new ArgumentError("earlyStopping", `nothing measures "${metric}"`, `Watch one of ${known.join(", ")}.`);
        }
        const isBetter = sign * value > best + minDelta;
        since = isBetter ? 0 : since + 1;
        if (isBetter) best = sign * value;
      }
      if (since >= patience) training.stop(`the test ${metric} has not improved for ${since} epochs`);
    },
  };
}
