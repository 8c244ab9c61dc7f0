// The base of learning-rate schedulers (`torch.optim.lr_scheduler`). A scheduler writes `lr` into the optimizer's groups when
// it is made and at each `step()`; a changed rate makes no new program. As in PyTorch the next rate follows from the present
// one, so that several schedulers may act on one optimizer.

import { ArgumentError } from "../../tensor/index.ts";
import type { LearningRate, ParamGroup } from "../optimizer.ts";

/** What a scheduler needs to go on; JSON can hold it. Schedulers that remember more add to it. */
export interface SchedulerState {
  /** How often `step` was called. */
  readonly lastEpoch: number;
  /** The rates that the groups began with. */
  readonly baseLrs: readonly number[];
  /** The rates that the groups had. */
  readonly lastLr: readonly number[];
}

/** A parameter group of any optimizer, as far as a scheduler looks at it. */
export type ScheduledGroup = ParamGroup<LearningRate> & {
  /** Adam's and those of its relatives: the first is the momentum that cycles. */
  betas?: readonly [number, number];
  /** That of SGD and its relatives. */
  momentum?: number;
};

/** Any of `optim`'s optimizers. */
export interface ScheduledOptimizer {
  /** The groups, into which rates are written. */
  readonly paramGroups: readonly unknown[];
}

/** One value for all parameter groups, or one for each. */
export type PerGroup<T> = T | readonly T[];

/** @throws ArgumentError if there is a value for each group, and their numbers differ */
export function forEachGroup<T>(operation: string, name: string, given: PerGroup<T>, groups: number): readonly T[] {
  const values = Array.isArray(given) ? (given as readonly T[]) : new Array<T>(groups).fill(given as T);
  if (values.length !== groups) {
    throw new ArgumentError(
      operation,
      `there are ${values.length} of ${name} for ${groups} parameter groups`,
      "Give one, or one for each group.",
    );
  }
  return values;
}

/** The base of schedulers: a subclass says the rate of each group at `lastEpoch`. */
export abstract class LRScheduler<State extends SchedulerState = SchedulerState> {
  /** How often `step` was called. */
  lastEpoch = 0;
  /** The rates that the groups began with. */
  protected baseLrs: readonly number[];
  /** The optimizer's groups. */
  protected readonly groups: readonly ScheduledGroup[];

  /**
   * A subclass whose rate at epoch 0 is not the optimizer's calls `apply` at the end of its own constructor.
   * @param optimizer whose groups' rates change
   */
  constructor(readonly optimizer: ScheduledOptimizer) {
    this.groups = optimizer.paramGroups as readonly ScheduledGroup[];
    for (const group of this.groups) group.initialLr ??= group.lr;
    this.baseLrs = this.groups.map((group) => group.initialLr!);
  }

  /** The rate of a group at `lastEpoch`. @param current the rate it has now @param base the one it began with */
  protected abstract rate(current: number, base: number, index: number): number;

  /** Whether the next rate follows from the present one alone, so that it is known for groups that were added later. */
  protected get takesLaterGroups(): boolean {
    return false;
  }

  /** The groups that have a rate by this scheduler. As in PyTorch, later ones may have none and keep their own. */
  private get scheduled(): readonly ScheduledGroup[] {
    return this.takesLaterGroups ? this.groups : this.groups.slice(0, this.baseLrs.length);
  }

  /** Goes on to the next epoch. Call it after `optimizer.step()`. */
  step(): void {
    this.lastEpoch++;
    this.apply();
  }

  /** Writes the rates of `lastEpoch`. */
  protected apply(): void {
    this.scheduled.forEach((group, i) => {
      group.lr = this.rate(group.lr, this.baseLrs[i], i);
    });
  }

  /** Makes this epoch the first, from the rates that the groups have. For schedulers made of others. */
  begin(): void {
    this.lastEpoch = 0;
    this.apply();
  }

  /** Makes this epoch the first, from the rates that the groups began with. For schedulers made of others. */
  restart(): void {
    this.baseLrs.forEach((rate, i) => {
      this.groups[i].lr = rate;
    });
    this.begin();
  }

  /** The rate of every group. */
  getLastLr(): number[] {
    return this.groups.map(({ lr }) => lr);
  }

  /** What is needed to go on; what the scheduler was made with, such as gamma, is not in it. JSON can hold it. */
  stateDict(): State {
    const state: SchedulerState = { lastEpoch: this.lastEpoch, baseLrs: this.baseLrs, lastLr: this.getLastLr() };
    return state as State;
  }

  /**
   * Goes on from a state, and writes its rates into the groups. The scheduler must be made as the one it is of was.
   * @throws ArgumentError if it is of another number of parameter groups
   */
  loadStateDict(state: State): void {
    if (state.lastLr.length !== this.groups.length) {
      throw new ArgumentError(
        this.constructor.name,
        `the state is of ${state.lastLr.length} parameter groups, the optimizer has ${this.groups.length}`,
        "Make the optimizer with the same groups.",
      );
    }
    this.lastEpoch = state.lastEpoch;
    this.baseLrs = state.baseLrs;
    this.groups.forEach((group, i) => {
      group.lr = state.lastLr[i];
    });
  }
}
