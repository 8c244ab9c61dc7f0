// Rates by functions of the epoch: LambdaLR, MultiplicativeLR.

import { forEachGroup, LRScheduler, type PerGroup, type ScheduledOptimizer } from "./scheduler.ts";

/** From the epoch to a factor. */
export type RateFactor = (epoch: number) => number;

/**
 * The first rate times a function of the epoch, one for all groups or one for each.
 *
 * @example
 * const scheduler = new optim.LambdaLR(optimizer, (epoch) => 1 / (1 + epoch));
 */
export class LambdaLR extends LRScheduler {
  private readonly factors: readonly RateFactor[];

  /** @param lrLambda from the epoch to a factor of the first rate; one for all groups, or one for each */
  constructor(optimizer: ScheduledOptimizer, lrLambda: PerGroup<RateFactor>) {
    super(optimizer);
    this.factors = forEachGroup("LambdaLR", "functions", lrLambda, this.groups.length);
    this.apply();
  }

  protected override rate(_current: number, base: number, index: number): number {
    return base * this.factors[index](this.lastEpoch);
  }
}

/** The present rate times a function of the epoch, one for all groups or one for each. */
export class MultiplicativeLR extends LRScheduler {
  private readonly factors: readonly RateFactor[];

  /** @param lrLambda from the epoch to a factor of the present rate; one for all groups, or one for each */
  constructor(optimizer: ScheduledOptimizer, lrLambda: PerGroup<RateFactor>) {
    super(optimizer);
    this.factors = forEachGroup("MultiplicativeLR", "functions", lrLambda, this.groups.length);
  }

  /** It has no first rate of its own: it goes on from what there is. */
  override restart(): void {
    this.begin();
  }

  protected override rate(current: number, _base: number, index: number): number {
    return this.lastEpoch > 0 ? current * this.factors[index](this.lastEpoch) : current;
  }
}
