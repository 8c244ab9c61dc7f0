// Callbacks: plain objects that see a training run from outside. Those that write files are in `gradus/node`; any object
// with some of these methods is one.

import type { Tensor } from "../tensor/index.ts";
import type { Measurements, StepMeasurements } from "./history.ts";
import type { Training } from "./training.ts";

/** A training step that was taken. */
export interface StepResult {
  /** The loss, and the metrics, of this step's samples. */
  readonly measured: StepMeasurements;
  /** The learning rate that it was taken with. */
  readonly learningRate: number;
}

/** An epoch that is complete. */
export interface EpochResult {
  /** Means over the epoch's training samples. */
  readonly training: Measurements;
  /** What the test set gave; null without one. */
  readonly evaluation: Measurements | null;
  /** How long it took, evaluation included. */
  readonly seconds: number;
}

/** A batch of the test set. All three tensors are computed. */
export interface EvaluationBatch {
  /** What the model was given. */
  readonly input: Tensor;
  /** What it gave. */
  readonly output: Tensor;
  /** What it should have given. */
  readonly target: Tensor;
}

/** What a callback gives back: nothing, or a promise that is awaited. */
export type CallbackAnswer = void | Promise<void>;

/**
 * Sees a training run. What it gives back is awaited; an error that it throws ends the run.
 *
 * @example
 * const stopWhenGood: train.Callback = {
 *   onEpochEnd(training, { evaluation }) {
 *     if (evaluation !== null && evaluation.accuracy > 0.99) training.stop("accurate enough");
 *   },
 * };
 */
export interface Callback {
  /** Before the first step, after a checkpoint was taken over. */
  onStart?(training: Training): CallbackAnswer;
  /** After every step. */
  onStep?(training: Training, result: StepResult): CallbackAnswer;
  /** After every epoch and its evaluation. */
  onEpochEnd?(training: Training, result: EpochResult): CallbackAnswer;
  /** For each batch while the test set is evaluated. */
  onEvaluationBatch?(training: Training, batch: EvaluationBatch): CallbackAnswer;
  /** When all epochs are done, or the run was stopped; `training.stopReason` tells. */
  onEnd?(training: Training): CallbackAnswer;
  /** A line for whoever watches. */
  onLog?(line: string): void;
  /** At the very end, also after an error. */
  close?(): void;
}
