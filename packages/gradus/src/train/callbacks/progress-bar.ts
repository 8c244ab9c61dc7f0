// Shows how far a run is: a bar on a terminal, plain lines elsewhere. Node only; leans on progress.ts for the drawing.

import type { Callback, EpochResult } from "../callback.ts";
import type { Measurements } from "../history.ts";
import { createProgress, formatDuration, formatMetric, type Progress, type ProgressOptions } from "../progress.ts";

/**
 * A callback that draws the running means of the epoch, and one line for each epoch that is complete.
 * @param stream where to. Default: the standard output
 */
export function showProgress(stream: ProgressOptions["stream"] = process.stdout): Callback {
  let progress: Progress | undefined;
  return {
    onStart(training) {
      const { epochs, stepsPerEpoch, epoch, stepInEpoch } = training;
      progress = createProgress({ stream, epochs, stepsPerEpoch, startEpoch: epoch, startStep: stepInEpoch });
    },
    onStep(training) {
      progress?.update(training.stepInEpoch, training.history.running);
    },
    onEpochEnd(training, result) {
      progress?.endEpoch(`Epoch ${training.epoch}/${training.epochs}: ${summaryOf(result)}`);
    },
    onLog(line) {
      if (progress) progress.log(line);
      else stream.write(`${line}\n`);
    },
    onEnd() {
      progress?.close();
    },
    close() {
      progress?.close();
    },
  };
}

function summaryOf({ training, evaluation, seconds }: EpochResult): string {
  const list = (measured: Measurements, prefix: string): string[] =>
    Object.entries(measured).map(([name, value]) => `${prefix}${name} ${formatMetric(value)}`);
  return [...list(training, ""), ...list(evaluation ?? {}, "test "), formatDuration(seconds * 1000)].join(", ");
}
