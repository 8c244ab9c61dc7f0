// Writes what a run measures to metrics.jsonl. Node only; leans on metrics-log.ts for the file.

import type { Callback } from "../callback.ts";
import type { Measurements } from "../history.ts";
import { MetricsLog } from "../metrics-log.ts";

/** How often `logMetrics` and `tensorBoard` write. */
export interface LogIntervalOptions {
  /** Every how many steps. Default 10. */
  readonly every?: number;
}

/**
 * A callback that adds a line every few steps (loss, metrics and learning rate of that step), and one for each epoch with
 * the means (`epochLoss`, ...) and what the test set gave (`testLoss`, ...). A resumed run drops what was logged after
 * its checkpoint.
 * @param path the file; its directory must exist
 */
export function logMetrics(path: string, { every = 10 }: LogIntervalOptions = {}): Callback {
  let log: MetricsLog | undefined;
  return {
    onStart(training) {
      log = new MetricsLog(path, { resumeAtStep: training.step });
    },
    onStep(training, { measured, learningRate }) {
      if (training.step % every !== 0) return;
      log?.write({ step: training.step, epoch: training.progress, ...measured, learningRate });
    },
    onEpochEnd(training, result) {
      log?.write({
        step: training.step,
        epoch: training.epoch,
        ...prefixed("epoch", result.training),
        ...prefixed("test", result.evaluation ?? {}),
        seconds: Math.round(result.seconds * 1000) / 1000,
      });
    },
    close() {
      log?.close();
    },
  };
}

/** `loss` as `testLoss`. */
function prefixed(prefix: string, measured: Measurements): Measurements {
  return Object.fromEntries(
    Object.entries(measured).map(([name, value]) => [`${prefix}${name[0].toUpperCase()}${name.slice(1)}`, value]),
  );
}
