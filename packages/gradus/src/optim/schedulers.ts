// Learning rates that change from epoch to epoch or from step to step (`torch.optim.lr_scheduler`). A scheduler writes
// `lr` into the optimizer's groups when it is made and at each `step()`; a changed rate makes no new program.

import { ArgumentError } from "../tensor/index.ts";
import type { LearningRate, ParamGroup } from "./optimizer.ts";

export interface SchedulerState {
  readonly lastEpoch: number;
  readonly baseLrs: readonly number[];
  readonly lastLr: readonly number[];
}

/** A parameter group of any optimizer, as far as a scheduler looks at it. */
type Group = ParamGroup<LearningRate> & { betas?: readonly [number, number]; momentum?: number };
interface AnyOptimizer {
  readonly paramGroups: readonly unknown[];
}

/** The base of schedulers: a subclass says the rate of each group at `lastEpoch`. */
export abstract class LRScheduler {
  /** How often `step` was called. */
  lastEpoch = 0;
  protected baseLrs: readonly number[];
  protected readonly groups: readonly Group[];

  constructor(readonly optimizer: AnyOptimizer) {
    this.groups = optimizer.paramGroups as readonly Group[];
    for (const group of this.groups) group.initialLr ??= group.lr;
    this.baseLrs = this.groups.map((group) => group.initialLr!);
  }

  /** The rate of a group at `lastEpoch`. @param current the rate it has now @param base the one it began with */
  protected abstract rate(current: number, base: number, index: number): number;

  /** Goes on to the next epoch. Call it after `optimizer.step()`. */
  step(): void {
    this.lastEpoch++;
    this.apply();
  }

  protected apply(): void {
    this.groups.forEach((group, i) => {
      group.lr = this.rate(group.lr, this.baseLrs[i], i);
    });
  }

  /** The rate of every group. */
  getLastLr(): number[] {
    return this.groups.map(({ lr }) => lr);
  }

  stateDict(): SchedulerState {
    return { lastEpoch: this.lastEpoch, baseLrs: this.baseLrs, lastLr: this.getLastLr() };
  }

  loadStateDict(state: SchedulerState): void {
    if (state.baseLrs.length !== this.groups.length) {
      throw new ArgumentError(
        this.constructor.name,
        `the state is of ${state.baseLrs.length} parameter groups, the optimizer has ${this.groups.length}`,
      );
    }
    this.lastEpoch = state.lastEpoch;
    this.baseLrs = state.baseLrs;
    this.groups.forEach((group, i) => {
      group.lr = state.lastLr[i];
    });
  }
}

/** Times gamma every `stepSize` epochs. */
export class StepLR extends LRScheduler {
  private readonly gamma: number;

  constructor(
    optimizer: AnyOptimizer,
    readonly stepSize: number,
    { gamma = 0.1 }: { gamma?: number } = {},
  ) {
    super(optimizer);
    this.gamma = gamma;
  }

  protected override rate(current: number): number {
    return this.lastEpoch % this.stepSize === 0 ? current * this.gamma : current;
  }
}

/** Times gamma at each milestone. */
export class MultiStepLR extends LRScheduler {
  private readonly gamma: number;

  constructor(
    optimizer: AnyOptimizer,
    readonly milestones: readonly number[],
    { gamma = 0.1 }: { gamma?: number } = {},
  ) {
    super(optimizer);
    this.gamma = gamma;
  }

  protected override rate(current: number): number {
    // A milestone that stands twice counts twice.
    return current * this.gamma ** this.milestones.filter((epoch) => epoch === this.lastEpoch).length;
  }
}

/** Times gamma every epoch. */
export class ExponentialLR extends LRScheduler {
  constructor(
    optimizer: AnyOptimizer,
    readonly gamma: number,
  ) {
    super(optimizer);
  }

  protected override rate(current: number): number {
    return current * this.gamma;
  }
}

/** Half a cosine from the first rate down to `etaMin` in `tMax` epochs, and up again (Loshchilov and Hutter, 2017). */
export class CosineAnnealingLR extends LRScheduler {
  private readonly etaMin: number;

  constructor(
    optimizer: AnyOptimizer,
    readonly tMax: number,
    { etaMin = 0 }: { etaMin?: number } = {},
  ) {
    super(optimizer);
    this.etaMin = etaMin;
  }

  protected override rate(_current: number, base: number): number {
    return this.etaMin + ((base - this.etaMin) * (1 + Math.cos((Math.PI * this.lastEpoch) / this.tMax))) / 2;
  }
}

/** The first rate times a function of the epoch, one for all groups or one for each. */
export class LambdaLR extends LRScheduler {
  private readonly factors: readonly ((epoch: number) => number)[];

  constructor(optimizer: AnyOptimizer, lrLambda: ((epoch: number) => number) | readonly ((epoch: number) => number)[]) {
    super(optimizer);
    this.factors = typeof lrLambda === "function" ? this.groups.map(() => lrLambda) : lrLambda;
    if (this.factors.length !== this.groups.length) {
      throw new ArgumentError(
        "LambdaLR",
        `there are ${this.factors.length} functions for ${this.groups.length} parameter groups`,
        "Give one, or one for each group.",
      );
    }
    this.apply();
  }

  protected override rate(_current: number, base: number, index: number): number {
    return base * this.factors[index](this.lastEpoch);
  }
}

export interface OneCycleOptions {
  /** How many steps the cycle has in all; or give `epochs` and `stepsPerEpoch`. */
  readonly totalSteps?: number;
  readonly epochs?: number;
  readonly stepsPerEpoch?: number;
  /** The part of the cycle in which the rate rises. Default 0.3. */
  readonly pctStart?: number;
  readonly annealStrategy?: "cos" | "linear";
  /** Whether the momentum (or Adam's first beta) runs against the rate. Default true. */
  readonly cycleMomentum?: boolean;
  readonly baseMomentum?: number;
  readonly maxMomentum?: number;
  /** The first rate is maxLr / divFactor. Default 25. */
  readonly divFactor?: number;
  /** The last rate is the first / finalDivFactor. Default 1e4. */
  readonly finalDivFactor?: number;
}

const anneal = {
  cos: (start: number, end: number, part: number) => end + ((start - end) / 2) * (1 + Math.cos(Math.PI * part)),
  linear: (start: number, end: number, part: number) => start + (end - start) * part,
} as const;

/** Up to a high rate and down to a very low one, once (Smith and Topin, 2018). Stepped after every batch. */
export class OneCycleLR extends LRScheduler {
  readonly totalSteps: number;
  private readonly options: Required<Omit<OneCycleOptions, "totalSteps" | "epochs" | "stepsPerEpoch">>;

  constructor(
    optimizer: AnyOptimizer,
    readonly maxLr: number | readonly number[],
    options: OneCycleOptions,
  ) {
    super(optimizer);
    const { totalSteps, epochs = 0, stepsPerEpoch = 0 } = options;
    this.totalSteps = totalSteps ?? epochs * stepsPerEpoch;
    if (!(Number.isInteger(this.totalSteps) && this.totalSteps > 0)) {
      throw new ArgumentError(
        "OneCycleLR",
        `a cycle of ${this.totalSteps} steps is none`,
        "Give totalSteps, or epochs and stepsPerEpoch.",
      );
    }
    this.options = {
      pctStart: 0.3,
      annealStrategy: "cos",
      cycleMomentum: true,
      baseMomentum: 0.85,
      maxMomentum: 0.95,
      divFactor: 25,
      finalDivFactor: 1e4,
      ...options,
    };
    this.apply();
  }

  /** From low over high to last, where the cycle is now. */
  private along(low: number, high: number, last: number): number {
    const { pctStart, annealStrategy } = this.options;
    const peak = pctStart * this.totalSteps - 1;
    const end = this.totalSteps - 1;
    const curve = anneal[annealStrategy];
    return this.lastEpoch <= peak
      ? curve(low, high, peak === 0 ? 1 : this.lastEpoch / peak)
      : curve(high, last, (this.lastEpoch - peak) / (end - peak));
  }

  override step(): void {
    if (this.lastEpoch + 1 >= this.totalSteps + 1) {
      throw new ArgumentError(
        "OneCycleLR",
        `the cycle of ${this.totalSteps} steps is over`,
        "Make it as long as the training: epochs times batches.",
      );
    }
    super.step();
  }

  protected override rate(_current: number, _base: number, index: number): number {
    const { divFactor, finalDivFactor } = this.options;
    const high = typeof this.maxLr === "number" ? this.maxLr : this.maxLr[index];
    const low = high / divFactor;
    return this.along(low, high, low / finalDivFactor);
  }

  protected override apply(): void {
    super.apply();
    const { cycleMomentum, baseMomentum, maxMomentum } = this.options;
    if (!cycleMomentum) return;
    const momentum = this.along(maxMomentum, baseMomentum, maxMomentum);
    for (const group of this.groups) {
      if (group.betas !== undefined) group.betas = [momentum, group.betas[1]];
      else if (group.momentum !== undefined) group.momentum = momentum;
    }
  }
}
