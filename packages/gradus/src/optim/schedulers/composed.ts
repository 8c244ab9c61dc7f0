// Schedulers made of others: one after the other, or all at once.

import { ArgumentError } from "../../tensor/index.ts";
import { LRScheduler, type ScheduledOptimizer, type SchedulerState } from "./scheduler.ts";

/** The state of a scheduler that is made of others. */
export interface ComposedState extends SchedulerState {
  /** The states of the parts. */
  readonly schedulers: readonly SchedulerState[];
}

/** A scheduler of any kind but ReduceLROnPlateau. */
export type AnyScheduler = LRScheduler<never> | LRScheduler;

abstract class ComposedScheduler extends LRScheduler<ComposedState> {
  /** The parts, as they were given. */
  readonly schedulers: readonly LRScheduler[];

  constructor(optimizer: ScheduledOptimizer | undefined, schedulers: readonly AnyScheduler[]) {
    // The derived class's name is not known before `super`.
    if (optimizer === undefined || schedulers.length === 0) {
      throw new ArgumentError("optim", "there are no schedulers to compose", "Pass at least one.");
    }
    super(optimizer);
    const other = schedulers.findIndex((scheduler) => scheduler.optimizer !== optimizer);
    if (other >= 0) {
      throw new ArgumentError(
        this.constructor.name,
        `scheduler ${other} is of another optimizer`,
        "Make all of them for one optimizer.",
      );
    }
    this.schedulers = schedulers as readonly LRScheduler[];
  }

  /** Not asked: the parts write the rates. */
  protected override rate(current: number): number {
    return current;
  }

  override stateDict(): ComposedState {
    return { ...super.stateDict(), schedulers: this.schedulers.map((scheduler) => scheduler.stateDict()) };
  }

  override loadStateDict(state: ComposedState): void {
    if (state.schedulers?.length !== this.schedulers.length) {
      throw new ArgumentError(
        this.constructor.name,
        `the state is of ${state.schedulers?.length ?? 0} schedulers, there are ${this.schedulers.length}`,
        "Make it of the same schedulers.",
      );
    }
    this.schedulers.forEach((scheduler, i) => {
      scheduler.loadStateDict(state.schedulers[i]);
    });
    // Last, for every part has written the rates that it knew.
    super.loadStateDict(state);
  }
}

/**
 * Schedulers one after the other. Each begins anew at its milestone, from the rates that the groups began with.
 *
 * @example
 * const warmUp = new optim.LinearLR(optimizer, { startFactor: 0.1, totalIters: 5 });
 * const fall = new optim.CosineAnnealingLR(optimizer, 95);
 * const scheduler = new optim.SequentialLR(optimizer, [warmUp, fall], [5]);
 */
export class SequentialLR extends ComposedScheduler {
  /** @param milestones the epochs at which the second scheduler and those after it begin */
  constructor(
    optimizer: ScheduledOptimizer,
    schedulers: readonly AnyScheduler[],
    readonly milestones: readonly number[],
  ) {
    super(optimizer, schedulers);
    if (milestones.length !== schedulers.length - 1) {
      throw new ArgumentError(
        "SequentialLR",
        `there are ${milestones.length} milestones for ${schedulers.length} schedulers`,
        "Give one for each scheduler but the first.",
      );
    }
    if (milestones.some((epoch, i) => i > 0 && epoch < milestones[i - 1])) {
      throw new ArgumentError(
        "SequentialLR",
        `the milestones ${milestones.join(", ")} do not rise`,
        "Put them in order.",
      );
    }
    this.begin();
  }

  override begin(): void {
    this.lastEpoch = 0;
    // Making the schedulers has changed the rates.
    for (const group of this.groups) group.lr = group.initialLr ?? group.lr;
    this.schedulers[0].begin();
  }

  override restart(): void {
    this.begin();
  }

  override step(): void {
    this.lastEpoch++;
    const index = this.milestones.filter((epoch) => epoch <= this.lastEpoch).length;
    const scheduler = this.schedulers[index];
    if (index > 0 && this.milestones[index - 1] === this.lastEpoch) scheduler.restart();
    else scheduler.step();
  }
}

/**
 * Several schedulers at once, each changing what the one before has made of the rates.
 *
 * @example
 * const scheduler = new optim.ChainedScheduler([
 *   new optim.LinearLR(optimizer, { totalIters: 4 }),
 *   new optim.ExponentialLR(optimizer, 0.9),
 * ]);
 */
export class ChainedScheduler extends ComposedScheduler {
  /**
   * @param schedulers in the order in which they change the rates; all of one optimizer
   * @throws ArgumentError for none, or for schedulers of different optimizers
   */
  constructor(schedulers: readonly AnyScheduler[]) {
    super(schedulers[0]?.optimizer, schedulers);
  }

  override begin(): void {
    this.lastEpoch = 0;
    for (const scheduler of this.schedulers) scheduler.begin();
  }

  override step(): void {
    this.lastEpoch++;
    for (const scheduler of this.schedulers) scheduler.step();
  }
}
