// Rates that rise and fall, while the momentum does the opposite (Smith, 2017; Smith and Topin, 2018): OneCycleLR, CyclicLR.
// They are stepped after every batch.

import { ArgumentError } from "../../tensor/index.ts";
import { checkEpochs } from "./decay.ts";
import {
  forEachGroup,
  LRScheduler,
  type PerGroup,
  type ScheduledGroup,
  type ScheduledOptimizer,
  type SchedulerState,
} from "./scheduler.ts";

/** What both have: a momentum that cycles, or Adam's first beta. */
abstract class MomentumCycle extends LRScheduler {
  /** The momentum of each group at `lastEpoch`; null leaves it alone. */
  protected abstract momenta(): readonly number[] | null;

  protected override apply(): void {
    super.apply();
    this.applyMomenta();
  }

  override loadStateDict(state: SchedulerState): void {
    super.loadStateDict(state);
    this.applyMomenta();
  }

  private applyMomenta(): void {
    this.momenta()?.forEach((momentum, i) => {
      const group = this.groups[i];
      if (group.betas !== undefined) group.betas = [momentum, group.betas[1]];
      else group.momentum = momentum;
    });
  }

  /** @throws ArgumentError if a momentum is to cycle and a group has none */
  protected checkMomentum(cycleMomentum: boolean): void {
    const hasMomentum = ({ betas, momentum }: ScheduledGroup): boolean => betas !== undefined || momentum !== undefined;
    if (cycleMomentum && !this.groups.every(hasMomentum)) {
      throw new ArgumentError(
        this.constructor.name,
        "the optimizer has no momentum that could cycle",
        "Use one with a momentum or betas, or pass cycleMomentum: false.",
      );
    }
  }
}

/** Options of `OneCycleLR`. */
export interface OneCycleOptions {
  /** How many steps the cycle has in all; or give `epochs` and `stepsPerEpoch`. */
  readonly totalSteps?: number;
  /** How many epochs the cycle has, where `totalSteps` is not given. */
  readonly epochs?: number;
  /** How many steps each of them has. */
  readonly stepsPerEpoch?: number;
  /** The part of the cycle in which the rate rises, from 0 to 1. Default 0.3. */
  readonly pctStart?: number;
  /** How the rate gets from one end to the other. Default "cos". */
  readonly annealStrategy?: "cos" | "linear";
  /** Whether the momentum (or Adam's first beta) runs against the rate. Default true. */
  readonly cycleMomentum?: boolean;
  /** The momentum at the highest rate. Default 0.85. */
  readonly baseMomentum?: PerGroup<number>;
  /** The momentum at the first and the last rate. Default 0.95. */
  readonly maxMomentum?: PerGroup<number>;
  /** The first rate is maxLr / divFactor. Default 25. */
  readonly divFactor?: number;
  /** The last rate is the first / finalDivFactor. Default 1e4. */
  readonly finalDivFactor?: number;
  /** Whether the rate falls to the first as it has risen, and only then to the last. Default false. */
  readonly threePhase?: boolean;
}

const anneal = {
  cos: (start: number, end: number, part: number) => end + ((start - end) / 2) * (1 + Math.cos(Math.PI * part)),
  linear: (start: number, end: number, part: number) => start + (end - start) * part,
} as const;

/** Where a rate or a momentum is at each corner of the cycle: at first, at the top, and in the end. */
type Corners = readonly [first: number, top: number, last: number];

/** Up to which step the cycle goes from where to where. */
type Phase = readonly [until: number, from: number, to: number];

/**
 * Up to a high rate and down to a very low one, once (Smith and Topin, 2018).
 *
 * @example
 * const scheduler = new optim.OneCycleLR(optimizer, 0.1, { epochs: 10, stepsPerEpoch: loader.length });
 */
export class OneCycleLR extends MomentumCycle {
  /** How many steps the cycle has in all. */
  readonly totalSteps: number;
  private readonly highest: readonly number[];
  private readonly momentumBounds: readonly (readonly [low: number, high: number])[];
  private readonly options: Required<
    Omit<OneCycleOptions, "totalSteps" | "epochs" | "stepsPerEpoch" | "baseMomentum" | "maxMomentum">
  >;

  /** @param maxLr the highest rate, one for all groups or one for each */
  constructor(
    optimizer: ScheduledOptimizer,
    readonly maxLr: number | readonly number[],
    options: OneCycleOptions,
  ) {
    super(optimizer);
    const { totalSteps, epochs = 0, stepsPerEpoch = 0, baseMomentum = 0.85, maxMomentum = 0.95, ...rest } = options;
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
      divFactor: 25,
      finalDivFactor: 1e4,
      threePhase: false,
      ...rest,
    };
    const { pctStart, divFactor, cycleMomentum } = this.options;
    if (!(pctStart >= 0 && pctStart <= 1)) {
      throw new ArgumentError("OneCycleLR", `pctStart is ${pctStart}`, "Use a number from 0 to 1.");
    }
    this.checkMomentum(cycleMomentum);
    const count = this.groups.length;
    this.highest = forEachGroup("OneCycleLR", "maxLr", maxLr, count);
    const low = forEachGroup("OneCycleLR", "baseMomentum", baseMomentum, count);
    const high = forEachGroup("OneCycleLR", "maxMomentum", maxMomentum, count);
    this.momentumBounds = low.map((value, i) => [value, high[i]] as const);
    // Schedulers that are made after this one begin where it begins.
    this.groups.forEach((group, i) => {
      group.initialLr = this.highest[i] / divFactor;
    });
    this.baseLrs = this.groups.map((group) => group.initialLr!);
    this.apply();
  }

  /** The present value of what has these corners. */
  private along([first, top, last]: Corners): number {
    const { pctStart, annealStrategy, threePhase } = this.options;
    const peak = pctStart * this.totalSteps - 1;
    const end = this.totalSteps - 1;
    const up: Phase = [peak, first, top];
    const phases: readonly Phase[] = threePhase
      ? [up, [2 * peak, top, first], [end, first, last]]
      : [up, [end, top, last]];
    let begin = 0;
    for (const [i, [until, from, to]] of phases.entries()) {
      if (this.lastEpoch <= until || i === phases.length - 1) {
        const part = until === begin ? 1 : (this.lastEpoch - begin) / (until - begin);
        return anneal[annealStrategy](from, to, part);
      }
      begin = until;
    }
    return last;
  }

  /** @throws ArgumentError when the cycle is over */
  override step(): void {
    if (this.lastEpoch >= this.totalSteps) {
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
    const high = this.highest[index];
    const low = high / divFactor;
    return this.along([low, high, low / finalDivFactor]);
  }

  protected override momenta(): readonly number[] | null {
    if (!this.options.cycleMomentum) return null;
    return this.momentumBounds.map(([low, high]) => this.along([high, low, high]));
  }
}

/** Options of `CyclicLR`. */
export interface CyclicOptions {
  /** Steps from the lowest rate to the highest. Default 2000. */
  readonly stepSizeUp?: number;
  /** Steps back. Default: as many. */
  readonly stepSizeDown?: number;
  /** All cycles alike, each half as high as the one before, or falling by gamma each step. Default "triangular". */
  readonly mode?: "triangular" | "triangular2" | "expRange";
  /** For `mode: "expRange"`. Default 1. */
  readonly gamma?: number;
  /** How high the cycle is, instead of a mode: of its number, counted from 1, or of the number of the step. */
  readonly scaleFn?: (x: number) => number;
  /** What `scaleFn` is a function of. Default "cycle". */
  readonly scaleMode?: "cycle" | "iterations";
  /** Whether the momentum (or Adam's first beta) runs against the rate. Default true. */
  readonly cycleMomentum?: boolean;
  /** The momentum at the highest rate. Default 0.8. */
  readonly baseMomentum?: PerGroup<number>;
  /** The momentum at the lowest rate. Default 0.9. */
  readonly maxMomentum?: PerGroup<number>;
}

/** How high a cycle is, by mode: of its number, counted from 1, and of the step's. */
const heights: Readonly<
  Record<NonNullable<CyclicOptions["mode"]>, (cycle: number, step: number, gamma: number) => number>
> = {
  triangular: () => 1,
  triangular2: (cycle) => 1 / 2 ** (cycle - 1),
  expRange: (_cycle, step, gamma) => gamma ** step,
};

/** Up and down between two rates, again and again (Smith, 2017, "Cyclical learning rates"). */
export class CyclicLR extends MomentumCycle {
  private readonly lowest: readonly number[];
  private readonly highest: readonly number[];
  private readonly momentumBounds: readonly (readonly [low: number, high: number])[] | null;
  private readonly up: number;
  private readonly total: number;
  private readonly height: (cycle: number, step: number) => number;

  /** @param baseLr the lowest rate @param maxLr the highest; each one for all groups or one for each */
  constructor(
    optimizer: ScheduledOptimizer,
    readonly baseLr: PerGroup<number>,
    readonly maxLr: PerGroup<number>,
    options: CyclicOptions = {},
  ) {
    const groups = optimizer.paramGroups as readonly ScheduledGroup[];
    const lowest = forEachGroup("CyclicLR", "baseLr", baseLr, groups.length);
    groups.forEach((group, i) => {
      group.lr = lowest[i];
    });
    super(optimizer);
    const { stepSizeUp = 2000, stepSizeDown = stepSizeUp, mode = "triangular", gamma = 1 } = options;
    const { scaleFn, scaleMode = "cycle", cycleMomentum = true, baseMomentum = 0.8, maxMomentum = 0.9 } = options;
    checkEpochs("CyclicLR", "stepSizeUp", stepSizeUp);
    checkEpochs("CyclicLR", "stepSizeDown", stepSizeDown);
    this.checkMomentum(cycleMomentum);
    if (heights[mode] === undefined && scaleFn === undefined) {
      const known = Object.keys(heights).join('", "');
      throw new ArgumentError("CyclicLR", `there is no mode "${mode}"`, `Use "${known}", or pass scaleFn.`);
    }
    this.lowest = lowest;
    this.highest = forEachGroup("CyclicLR", "maxLr", maxLr, groups.length);
    const low = forEachGroup("CyclicLR", "baseMomentum", baseMomentum, groups.length);
    const high = forEachGroup("CyclicLR", "maxMomentum", maxMomentum, groups.length);
    this.momentumBounds = cycleMomentum ? low.map((value, i) => [value, high[i]] as const) : null;
    this.up = stepSizeUp;
    this.total = stepSizeUp + stepSizeDown;
    this.height =
      scaleFn === undefined
        ? (cycle, step) => heights[mode](cycle, step, gamma)
        : (cycle, step) => scaleFn(scaleMode === "cycle" ? cycle : step);
    this.baseLrs = lowest;
    this.apply();
  }

  /** How far above its lowest the rate is: 0 at the lowest, 1 at the highest of a full cycle. */
  private get part(): number {
    const cycle = Math.floor(1 + this.lastEpoch / this.total);
    const x = 1 + this.lastEpoch / this.total - cycle;
    const ratio = this.up / this.total;
    const triangle = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
    return triangle * this.height(cycle, this.lastEpoch);
  }

  protected override rate(_current: number, _base: number, index: number): number {
    const low = this.lowest[index];
    return low + (this.highest[index] - low) * this.part;
  }

  protected override momenta(): readonly number[] | null {
    return this.momentumBounds?.map(([low, high]) => high - (high - low) * this.part) ?? null;
  }
}
