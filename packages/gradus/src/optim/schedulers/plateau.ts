// Rates that fall when a measurement has stopped improving: ReduceLROnPlateau.

import { ArgumentError } from "../../tensor/index.ts";
import { forEachGroup, type PerGroup, type ScheduledGroup, type ScheduledOptimizer } from "./scheduler.ts";

/** Options of `ReduceLROnPlateau`. */
export interface PlateauOptions {
  /** Whether less is better, as of a loss, or more, as of an accuracy. Default "min". */
  readonly mode?: "min" | "max";
  /** What the rate is multiplied by, below 1. Default 0.1. */
  readonly factor?: number;
  /** How many measurements in a row may fail to improve. Default 10. */
  readonly patience?: number;
  /** By how much a measurement must be better to count. Default 1e-4. */
  readonly threshold?: number;
  /** Whether `threshold` is a part of the best measurement or a difference. Default "rel". */
  readonly thresholdMode?: "rel" | "abs";
  /** For how many measurements after a change nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** The lowest rate, one for all groups or one for each. Default 0. */
  readonly minLr?: PerGroup<number>;
  /** A rate that would change by no more is left alone. Default 1e-8. */
  readonly eps?: number;
}

/** What `ReduceLROnPlateau` needs to go on; JSON can hold it. */
export interface PlateauState {
  /** How often `step` was called. */
  readonly lastEpoch: number;
  /** The rates that the groups had. */
  readonly lastLr: readonly number[];
  /** The best measurement; null before there is one. */
  readonly best: number | null;
  /** How many measurements in a row have failed to improve. */
  readonly numBadEpochs: number;
  /** For how many measurements nothing is counted yet. */
  readonly cooldownCounter: number;
}

/** Whether a measurement is better than the best, by mode. */
const isBetter = {
  min: {
    rel: (value: number, best: number, threshold: number) => value < best * (1 - threshold),
    abs: (value: number, best: number, threshold: number) => value < best - threshold,
  },
  max: {
    rel: (value: number, best: number, threshold: number) => value > best * (1 + threshold),
    abs: (value: number, best: number, threshold: number) => value > best + threshold,
  },
} as const;

/**
 * Times a factor when a measurement has not improved for a while (`torch.optim.lr_scheduler.ReduceLROnPlateau`).
 *
 * @example
 * const plateau = new optim.ReduceLROnPlateau(optimizer, { patience: 3 });
 * const callback: train.Callback = { onEpochEnd: (_, { evaluation }) => plateau.step(evaluation!.loss) };
 */
export class ReduceLROnPlateau {
  /** How often `step` was called. */
  lastEpoch = 0;
  private best: number | null = null;
  private numBadEpochs = 0;
  private cooldownCounter = 0;
  private readonly groups: readonly ScheduledGroup[];
  private readonly lowest: readonly number[];
  private readonly options: Required<Omit<PlateauOptions, "minLr">>;

  /**
   * @param optimizer whose rates fall
   * @param options when, and by how much
   * @throws ArgumentError for a factor from 1 on, another mode, or another number of lowest rates than of groups
   */
  constructor(
    readonly optimizer: ScheduledOptimizer,
    { minLr = 0, ...options }: PlateauOptions = {},
  ) {
    this.groups = optimizer.paramGroups as readonly ScheduledGroup[];
    this.lowest = forEachGroup("ReduceLROnPlateau", "minLr", minLr, this.groups.length);
    this.options = {
      mode: "min",
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: "rel",
      cooldown: 0,
      eps: 1e-8,
      ...options,
    };
    const { mode, thresholdMode, factor } = this.options;
    if (!(factor < 1)) {
      throw new ArgumentError("ReduceLROnPlateau", `factor is ${factor}`, "Use a number below 1: the rate must fall.");
    }
    if (isBetter[mode]?.[thresholdMode] === undefined) {
      throw new ArgumentError(
        "ReduceLROnPlateau",
        `there is no mode "${mode}" with thresholdMode "${thresholdMode}"`,
        'Use "min" or "max", and "rel" or "abs".',
      );
    }
  }

  /** Takes in a measurement, such as the loss of the test set. One that is NaN is no improvement. */
  step(metric: number): void {
    const { mode, thresholdMode, threshold, patience, cooldown } = this.options;
    this.lastEpoch++;
    const worst = mode === "min" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    if (isBetter[mode][thresholdMode](metric, this.best ?? worst, threshold)) {
      this.best = metric;
      this.numBadEpochs = 0;
    } else this.numBadEpochs++;
    if (this.cooldownCounter > 0) {
      this.cooldownCounter--;
      this.numBadEpochs = 0;
    }
    if (this.numBadEpochs <= patience) return;
    this.reduce();
    this.cooldownCounter = cooldown;
    this.numBadEpochs = 0;
  }

  private reduce(): void {
    const { factor, eps } = this.options;
    this.groups.forEach((group, i) => {
      const rate = Math.max(group.lr * factor, this.lowest[i]);
      if (group.lr - rate > eps) group.lr = rate;
    });
  }

  /** The rate of every group. */
  getLastLr(): number[] {
    return this.groups.map(({ lr }) => lr);
  }

  /** What is needed to go on. JSON can hold it. */
  stateDict(): PlateauState {
    const { lastEpoch, best, numBadEpochs, cooldownCounter } = this;
    return { lastEpoch, lastLr: this.getLastLr(), best, numBadEpochs, cooldownCounter };
  }

  /** @throws ArgumentError if the state is of another number of parameter groups */
  loadStateDict(state: PlateauState): void {
    forEachGroup("ReduceLROnPlateau", "the state's rates", state.lastLr, this.groups.length);
    const { lastEpoch, lastLr, best, numBadEpochs, cooldownCounter } = state;
    Object.assign(this, { lastEpoch, best, numBadEpochs, cooldownCounter });
    this.groups.forEach((group, i) => {
      group.lr = lastLr[i];
    });
  }
}
