// The golden data of optimizers, schedulers and averages: what tools/golden_optim.py writes.

import * as gd from "gradus";
import golden from "../golden/optim.json";
import type { StoredTensor } from "../support/golden.ts";
import { construct } from "../support/nn-golden.ts";

/** Options as JSON. */
type Options = Readonly<Record<string, unknown>>;

/** A trajectory under the shared gradients. The first two parameters are one group, the third another. */
export interface TrajectoryCase {
  readonly type: string;
  readonly options: Options;
  /** What differs in the second group. */
  readonly second: Options;
  /** Elements by step and parameter. */
  readonly trajectory: readonly (readonly (readonly number[])[])[];
  readonly state: Readonly<Record<string, Readonly<Record<string, StoredTensor | number>>>>;
}

export interface LBFGSCase {
  readonly problem: "rosenbrock" | "leastSquares";
  readonly options: Options;
  readonly start: readonly StoredTensor[];
  /** At the beginning of each step, and in the end. */
  readonly losses: readonly number[];
  readonly evaluations: number;
  readonly iterations: number;
  readonly end: readonly StoredTensor[];
}

/** How a scheduler is made: by itself, or of others. */
export type Description =
  | { readonly type: string; readonly args: readonly unknown[]; readonly options: Options }
  | { readonly type: string; readonly parts: readonly Description[]; readonly milestones?: readonly number[] };

export interface ScheduleCase {
  readonly optimizer: "SGD" | "Adam";
  readonly description: Description;
  /** By epoch and group, from epoch 0. */
  readonly rates: readonly (readonly number[])[];
  readonly momenta: readonly (readonly number[])[];
}

export interface PlateauCase {
  readonly options: gd.optim.PlateauOptions;
  readonly metrics: readonly (number | "nan")[];
  readonly rates: readonly (readonly number[])[];
}

type StoredState = Readonly<Record<string, StoredTensor>>;

export interface AverageCase {
  /** Null for equal weights. */
  readonly decay: number | null;
  readonly useBuffers: boolean;
  /** The model's, an update each. */
  readonly states: readonly StoredState[];
  readonly averaged: StoredState;
}

export const optimGolden = golden as unknown as {
  readonly start: readonly StoredTensor[];
  readonly gradients: readonly (readonly (StoredTensor | null)[])[];
  readonly optimizers: readonly TrajectoryCase[];
  readonly leastSquares: { readonly matrix: StoredTensor; readonly target: StoredTensor };
  readonly lbfgs: readonly LBFGSCase[];
  readonly schedulers: readonly ScheduleCase[];
  readonly plateaus: readonly PlateauCase[];
  readonly averages: readonly AverageCase[];
  readonly statistics: readonly {
    readonly before: StoredState;
    readonly batches: readonly StoredTensor[];
    readonly after: StoredState;
  }[];
};

/** The functions of tools/golden_optim.py. */
const functions: Readonly<Record<string, (epoch: number) => number>> = {
  inverse: (epoch) => 1 / (1 + 0.2 * epoch),
  waning: (epoch) => 0.95 ** epoch,
  alternating: (epoch) => (epoch % 2 === 0 ? 1.1 : 0.8),
  gentle: () => 0.97,
};

function argument(given: unknown): unknown {
  if (typeof given === "string") return functions[given];
  return Array.isArray(given) ? given.map(argument) : given;
}

/** Makes a scheduler as it is described. */
export function schedulerOf(optimizer: gd.optim.Optimizer, description: Description): gd.optim.LRScheduler {
  const { type } = description;
  if ("parts" in description) {
    const parts = description.parts.map((part) => schedulerOf(optimizer, part));
    if (type === "ChainedScheduler") return new gd.optim.ChainedScheduler(parts) as unknown as gd.optim.LRScheduler;
    return construct(gd.optim, type, [optimizer, parts, description.milestones]);
  }
  const { mode, ...rest } = description.options;
  const options = { ...rest, ...(mode === undefined ? {} : { mode: mode === "exp_range" ? "expRange" : mode }) };
  return construct(gd.optim, type, [optimizer, ...description.args.map(argument), options]);
}

/** `SequentialLR(LinearLR(), ExponentialLR(0.8))` */
export function nameOf(description: Description): string {
  if ("parts" in description) return `${description.type}(${description.parts.map(nameOf).join(", ")})`;
  const { type, args, options } = description;
  const given = Object.keys(options).length > 0 ? [...args, options] : args;
  return `${type}(${given.map((each) => JSON.stringify(each)).join(", ")})`;
}
