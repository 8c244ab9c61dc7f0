// Rates that change by factors: StepLR, MultiStepLR, ExponentialLR, ConstantLR, LinearLR, PolynomialLR.

import { ArgumentError } from "../../tensor/index.ts";
import { LRScheduler, type ScheduledOptimizer } from "./scheduler.ts";

/** @throws ArgumentError if a count of epochs is none */
export function checkEpochs(operation: string, name: string, value: number): void {
  if (!(Number.isInteger(value) && value > 0)) {
    throw new ArgumentError(operation, `${name} is ${value}`, "Use an integer from 1.");
  }
}

/** What follows from the present rate, for groups that were added later too. */
abstract class Decay extends LRScheduler {
  protected override get takesLaterGroups(): boolean {
    return true;
  }
}

/** Options of `StepLR` and `MultiStepLR`. */
export interface StepLROptions {
  /** What the rate is multiplied by. Default 0.1. */
  readonly gamma?: number;
}

/**
 * Times gamma every `stepSize` epochs.
 *
 * @example
 * const scheduler = new optim.StepLR(optimizer, 30, { gamma: 0.1 });
 */
export class StepLR extends Decay {
  private readonly gamma: number;

  /**
   * @param stepSize epochs from one change to the next
   * @throws ArgumentError unless it is an integer from 1
   */
  constructor(
    optimizer: ScheduledOptimizer,
    readonly stepSize: number,
    { gamma = 0.1 }: StepLROptions = {},
  ) {
    super(optimizer);
    checkEpochs("StepLR", "stepSize", stepSize);
    this.gamma = gamma;
  }

  protected override rate(current: number): number {
    return this.lastEpoch > 0 && this.lastEpoch % this.stepSize === 0 ? current * this.gamma : current;
  }
}

/** Times gamma at each milestone; one that stands twice counts twice. */
export class MultiStepLR extends Decay {
  private readonly gamma: number;

  /** @param milestones the epochs at which the rate changes, in any order */
  constructor(
    optimizer: ScheduledOptimizer,
    readonly milestones: readonly number[],
    { gamma = 0.1 }: StepLROptions = {},
  ) {
    super(optimizer);
    this.gamma = gamma;
    this.apply();
  }

  protected override rate(current: number): number {
    return current * this.gamma ** this.milestones.filter((epoch) => epoch === this.lastEpoch).length;
  }
}

/** Times gamma every epoch. */
export class ExponentialLR extends Decay {
  /** @param gamma what the rate is multiplied by */
  constructor(
    optimizer: ScheduledOptimizer,
    readonly gamma: number,
  ) {
    super(optimizer);
  }

  protected override rate(current: number): number {
    return this.lastEpoch > 0 ? current * this.gamma : current;
  }
}

/** Options of `ConstantLR`. */
export interface ConstantLROptions {
  /** Above 0 and up to 1. Default 1/3. */
  readonly factor?: number;
  /** For how many epochs it holds. Default 5. */
  readonly totalIters?: number;
}

/** The rate times a factor, for some epochs; then the whole rate. */
export class ConstantLR extends Decay {
  private readonly factor: number;
  private readonly totalIters: number;

  /** @throws ArgumentError for a factor that is not above 0 and up to 1 */
  constructor(optimizer: ScheduledOptimizer, { factor = 1 / 3, totalIters = 5 }: ConstantLROptions = {}) {
    super(optimizer);
    checkFactor("ConstantLR", "factor", factor);
    this.factor = factor;
    this.totalIters = totalIters;
    this.apply();
  }

  protected override rate(current: number): number {
    if (this.lastEpoch === 0) return current * this.factor;
    return this.lastEpoch === this.totalIters ? current / this.factor : current;
  }
}

/** Options of `LinearLR`. */
export interface LinearLROptions {
  /** What the rate is multiplied by at first, above 0 and up to 1. Default 1/3. */
  readonly startFactor?: number;
  /** What it is multiplied by in the end, from 0 to 1. Default 1. */
  readonly endFactor?: number;
  /** In how many epochs the factor changes. Default 5. */
  readonly totalIters?: number;
}

/**
 * The rate times a factor that changes linearly: a warm-up.
 *
 * @example
 * const warmUp = new optim.LinearLR(optimizer, { startFactor: 0.01, totalIters: 500 });
 */
export class LinearLR extends Decay {
  private readonly startFactor: number;
  private readonly endFactor: number;
  private readonly totalIters: number;

  /** @throws ArgumentError for factors out of their ranges, or a number of epochs that is no integer from 1 */
  constructor(optimizer: ScheduledOptimizer, options: LinearLROptions = {}) {
    super(optimizer);
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = options;
    checkFactor("LinearLR", "startFactor", startFactor);
    if (endFactor !== 0) checkFactor("LinearLR", "endFactor", endFactor);
    checkEpochs("LinearLR", "totalIters", totalIters);
    this.startFactor = startFactor;
    this.endFactor = endFactor;
    this.totalIters = totalIters;
    this.apply();
  }

  protected override rate(current: number): number {
    const { startFactor, endFactor, totalIters, lastEpoch } = this;
    if (lastEpoch === 0) return current * startFactor;
    if (lastEpoch > totalIters) return current;
    const rise = endFactor - startFactor;
    return current * (1 + rise / (totalIters * startFactor + (lastEpoch - 1) * rise));
  }
}

/** Options of `PolynomialLR`. */
export interface PolynomialLROptions {
  /** In how many epochs the rate reaches 0. Default 5. */
  readonly totalIters?: number;
  /** Default 1: linearly. */
  readonly power?: number;
}

/** The rate times (1 - epoch / totalIters)^power. */
export class PolynomialLR extends Decay {
  private readonly totalIters: number;
  private readonly power: number;

  /** @throws ArgumentError for a number of epochs that is no integer from 1 */
  constructor(optimizer: ScheduledOptimizer, { totalIters = 5, power = 1 }: PolynomialLROptions = {}) {
    super(optimizer);
    checkEpochs("PolynomialLR", "totalIters", totalIters);
    this.totalIters = totalIters;
    this.power = power;
  }

  protected override rate(current: number): number {
    const { totalIters, power, lastEpoch } = this;
    if (lastEpoch === 0 || lastEpoch > totalIters) return current;
    return current * ((1 - lastEpoch / totalIters) / (1 - (lastEpoch - 1) / totalIters)) ** power;
  }
}

function checkFactor(operation: string, name: string, value: number): void {
  if (!(value > 0 && value <= 1)) {
    throw new ArgumentError(operation, `${name} is ${value}`, "Use a number above 0 and up to 1.");
  }
}
