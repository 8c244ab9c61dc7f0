// One training run under way: where it stands, what it has measured, and how to save and restore all of it. The Trainer
// moves it on; callbacks look at it. Leans on io for the structure of a checkpoint.

import type { LoaderState } from "../data/index.ts";
import type { Checkpoint, CheckpointFacts, Json } from "../io/checkpoint.ts";
import type { AnyModule } from "../nn/index.ts";
import type { OptimizerStateDict } from "../optim/index.ts";
import { defaultGenerator, flush, type Tensor } from "../tensor/index.ts";
import type { Callback } from "./callback.ts";
import { History, type HistoryState, type Measurements } from "./history.ts";

/** Batches for training, each `[input, target]`: a `data.DataLoader`. */
export interface TrainLoader extends AsyncIterable<readonly Tensor[]> {
  /** Batches an epoch. */
  readonly length: number;
  /** Where the loader stands in its epoch. */
  stateDict(): LoaderState;
  /** Goes on from where the loader stood. */
  loadStateDict(state: LoaderState): void;
}

/** Any of `optim`. */
export interface TrainOptimizer {
  /** The groups of parameters, each with its learning rate. */
  readonly paramGroups: readonly {
    /** How far a step goes. */
    readonly lr: number;
  }[];
  /** Forgets all gradients. */
  zeroGrad(): void;
  /** Updates every parameter that has a gradient. */
  step(): Promise<void>;
  /** All state and options. */
  stateDict(): OptimizerStateDict;
  /** Takes over state and options. @throws OptimizerStateError if they do not fit */
  loadStateDict(state: OptimizerStateDict): void;
}

/** Any of `optim`'s schedulers. Its state must be what JSON can hold. */
export interface TrainScheduler {
  /** Goes on to the next epoch, or step. */
  step(): void;
  /** What is needed to go on. */
  stateDict(): object;
  /** Goes on from a state. */
  loadStateDict(state: never): void;
}

type Group = OptimizerStateDict["param_groups"][number];
const parametersOf = (group: Group): readonly number[] => group.params as readonly number[];

/** The states of several optimizers as one: the groups in a row, the parameters numbered on. */
function joinStateDicts(dicts: readonly OptimizerStateDict[]): OptimizerStateDict {
  if (dicts.length === 1) return dicts[0];
  let first = 0;
  const moved = dicts.map(({ state, param_groups }) => {
    const offset = first;
    first += param_groups.reduce((count, group) => count + parametersOf(group).length, 0);
    return {
      state: Object.entries(state).map(([index, entry]) => [Number(index) + offset, entry] as const),
      groups: param_groups.map((group) => ({ ...group, params: parametersOf(group).map((index) => index + offset) })),
    };
  });
  return {
    state: Object.fromEntries(moved.flatMap(({ state }) => state)),
    param_groups: moved.flatMap(({ groups }) => groups),
  };
}

/** Undoes `joinStateDicts` for optimizers of so many groups each. What does not fit, the optimizers refuse. */
function splitStateDict(dict: OptimizerStateDict, groupCounts: readonly number[]): OptimizerStateDict[] {
  if (groupCounts.length === 1) return [dict];
  let [firstGroup, firstParameter] = [0, 0];
  return groupCounts.map((count, i) => {
    const isLast = i === groupCounts.length - 1;
    const groups = dict.param_groups.slice(firstGroup, isLast ? undefined : firstGroup + count);
    firstGroup += count;
    const offset = firstParameter;
    firstParameter += groups.reduce((total, group) => total + parametersOf(group).length, 0);
    const own = Object.entries(dict.state).filter(([index]) => {
      return Number(index) >= offset && (isLast || Number(index) < firstParameter);
    });
    return {
      state: Object.fromEntries(own.map(([index, entry]) => [Number(index) - offset, entry])),
      param_groups: groups.map((group) => ({ ...group, params: parametersOf(group).map((index) => index - offset) })),
    };
  });
}

/** What a run consists of. */
export interface TrainingParts {
  /** The one that is trained. */
  readonly model: AnyModule;
  /** What makes the steps. */
  readonly optimizers: readonly TrainOptimizer[];
  /** What changes the learning rate; null for nothing. */
  readonly scheduler: TrainScheduler | null;
  /** Where the batches come from. */
  readonly loader: TrainLoader;
  /** What sees the run. */
  readonly callbacks: readonly Callback[];
  /** How many epochs there are to be. */
  readonly epochs: number;
  /** What the run was started with, for the checkpoint. */
  readonly options: CheckpointFacts["options"];
  /** Evaluates the test set; null without one, or if the run was stopped meanwhile. */
  readonly evaluate: (training: Training) => Promise<Measurements | null>;
}

/** A training run under way, as callbacks see it. */
export class Training {
  /** The one that is trained. */
  readonly model: AnyModule;
  /** What makes the steps. */
  readonly optimizers: readonly TrainOptimizer[];
  /** How many epochs there are to be. */
  readonly epochs: number;
  /** How many batches the loader gives an epoch. */
  readonly stepsPerEpoch: number;
  /** What the run was started with. */
  readonly options: CheckpointFacts["options"];
  /** All that was measured so far. */
  readonly history = new History();
  private stepsTaken = 0;
  private epochsDone = 0;
  private reason: string | null = null;

  /** For the Trainer, which makes one for each run. */
  constructor(private readonly parts: TrainingParts) {
    this.model = parts.model;
    this.optimizers = parts.optimizers;
    this.epochs = parts.epochs;
    this.stepsPerEpoch = parts.loader.length;
    this.options = parts.options;
  }

  /** Training steps taken. */
  get step(): number {
    return this.stepsTaken;
  }

  /** Epochs that are complete. */
  get epoch(): number {
    return this.epochsDone;
  }

  /** Steps taken of the epoch under way. */
  get stepInEpoch(): number {
    return this.stepsTaken - this.epochsDone * this.stepsPerEpoch;
  }

  /** Epochs in parts: 1.5 is half through the second. */
  get progress(): number {
    return this.stepsTaken / this.stepsPerEpoch;
  }

  /** The first optimizer's. */
  get learningRate(): number {
    return this.optimizers[0].paramGroups[0].lr;
  }

  /** Why the run ends before its time; null if it does not. */
  get stopReason(): string | null {
    return this.reason;
  }

  /** Ends the run after the step under way. */
  stop(reason: string): void {
    this.reason ??= reason;
  }

  /** Shows a line to whoever watches. */
  log(line: string): void {
    const listeners = this.parts.callbacks.filter(({ onLog }) => onLog !== undefined);
    for (const listener of listeners) listener.onLog!(line);
    if (listeners.length === 0) console.log(line);
  }

  /** Evaluates the test set. @returns null without a test set, or if the run was stopped */
  evaluate(): Promise<Measurements | null> {
    return this.parts.evaluate(this);
  }

  /** For the Trainer: a step was taken. */
  countStep(): void {
    this.stepsTaken++;
  }

  /** For the Trainer: an epoch is complete. */
  countEpoch(): void {
    this.epochsDone++;
  }

  /**
   * Everything the run needs to go on from here. Its tensors are the model's and the optimizer's own: encode it before
   * the next step.
   */
  snapshot(): Checkpoint {
    const { scheduler } = this.parts;
    // First, for a loader that is asked for the first time draws its seed from the default generator.
    const loader = this.parts.loader.stateDict();
    return {
      model: this.model.stateDict(),
      optimizer: joinStateDicts(this.optimizers.map((optimizer) => optimizer.stateDict())),
      facts: {
        step: this.stepsTaken,
        epoch: this.epochsDone,
        generator: defaultGenerator.getState(),
        loader,
        scheduler: scheduler === null ? null : (scheduler.stateDict() as Json),
        history: this.history.getState() as unknown as Json,
        options: this.options,
      },
    };
  }

  /** Goes on from a checkpoint. @throws if it is of another model, optimizer or dataset */
  async restore({ facts, model, optimizer }: Checkpoint): Promise<void> {
    const { scheduler, loader } = this.parts;
    this.model.loadStateDict(model);
    const counts = this.optimizers.map(({ paramGroups }) => paramGroups.length);
    const states = splitStateDict(optimizer, counts);
    for (const [i, one] of this.optimizers.entries()) one.loadStateDict(states[i]);
    if (facts.scheduler !== null) scheduler?.loadStateDict(facts.scheduler as never);
    loader.loadStateDict(facts.loader);
    this.history.setState(facts.history as unknown as HistoryState);
    this.stepsTaken = facts.step;
    this.epochsDone = facts.epoch;
    // Last, for making a loader's generator draws from this one.
    defaultGenerator.setState(facts.generator);
    // Now, so that the first step that follows is the same program as every other and gives the same bits.
    await flush();
  }
}
