// The golden data of layers, losses, optimizers and schedulers: what tools/golden_nn.py writes.

import * as gd from "gradus";
import golden from "../golden/nn.json";
import { expectClose } from "./compare.ts";
import { numbersOf, type StoredTensor, tensorOf } from "./golden.ts";

export interface GoldenRun {
  readonly output: StoredTensor;
  readonly inputGradient: StoredTensor;
  readonly gradients: Readonly<Record<string, StoredTensor>>;
  /** Gradients of sum(secondSeed * gradient of the input): what a gradient penalty asks for. */
  readonly second?: { readonly input: StoredTensor; readonly gradients: Readonly<Record<string, StoredTensor>> };
}

export interface LayerCase {
  readonly type: string;
  readonly args: readonly unknown[];
  readonly state: Readonly<Record<string, StoredTensor>>;
  readonly input: StoredTensor;
  readonly seed: StoredTensor;
  readonly secondSeed?: StoredTensor;
  readonly train: GoldenRun;
  readonly eval?: GoldenRun;
  readonly stateAfter?: Readonly<Record<string, StoredTensor>>;
}

export interface LossCase {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly input: StoredTensor;
  readonly target: StoredTensor;
  readonly seed: StoredTensor;
  readonly output: StoredTensor;
  readonly inputGradient: StoredTensor;
}

export interface OptimizerCase {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly start: readonly StoredTensor[];
  readonly steps: readonly {
    readonly gradients: readonly (StoredTensor | null)[];
    readonly parameters: readonly StoredTensor[];
  }[];
  readonly state: Readonly<Record<string, Readonly<Record<string, StoredTensor | number>>>>;
}

export interface SchedulerCase {
  readonly type: string;
  readonly args: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly rates: readonly number[];
  readonly momenta: readonly number[];
}

export interface InitCase {
  readonly type: string;
  readonly args: readonly number[];
  readonly parameters: Readonly<Record<string, { largest: number; std: number; count: number }>>;
}

export interface ClipCase {
  readonly normType: number | "inf";
  readonly maxNorm: number;
  readonly gradients: readonly StoredTensor[];
  readonly total: number;
  readonly clipped: readonly StoredTensor[];
}

export const nnGolden = golden as unknown as {
  readonly layers: readonly LayerCase[];
  readonly losses: readonly LossCase[];
  readonly optimizers: readonly OptimizerCase[];
  readonly schedulers: readonly SchedulerCase[];
  readonly inits: readonly InitCase[];
  readonly gains: Readonly<Record<string, number>>;
  readonly clips: readonly ClipCase[];
};

/** A class of a namespace by its name, with arguments that are only known as data. */
export function construct<T>(namespace: object, type: string, args: readonly unknown[]): T {
  const Class = (namespace as Record<string, new (...args: readonly unknown[]) => T>)[type];
  return new Class(...args);
}

// The golden numbers are float64's. float32 carries 24 bits, and the sums here have at most some hundred terms, so the
// error stays below some 1e-6 of the largest term.
const tolerance = { rtol: 1e-5, atol: 1e-7, scaled: 2e-6 };

/** Compares a tensor with golden data, shape included. */
export async function expectTensor(actual: gd.Tensor, expected: StoredTensor, what: string): Promise<void> {
  if (actual.shape.join() !== expected.shape.join()) {
    throw new Error(`${what}: the shape is [${actual.shape.join(", ")}] instead of [${expected.shape.join(", ")}]`);
  }
  expectClose(await actual.data(), numbersOf(expected.data), tolerance, what);
}

/** The title of a case: `Conv2d(2, 3, 3, {"padding":1})`. */
export function titleOf(type: string, args: readonly unknown[]): string {
  return `${type}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`;
}

export { tensorOf };

/** Random numbers of the default generator, from a seed, none of them zero. */
export function normal(shape: readonly number[], seed: number): gd.Tensor {
  return gd.randn(shape, { generator: new gd.Generator(seed) });
}
