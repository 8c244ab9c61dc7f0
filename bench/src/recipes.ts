// The numbers every contestant starts from: inputs, labels and initial weights, the same in every language, so that
// their losses can be compared. A number is a hash of its index (the finalizer of MurmurHash3, Appleby 2011), which is
// one line of integer arithmetic in JavaScript and in NumPy alike; see peers/pytorch.py for its twin.

import type { WorkloadName } from "./workloads.ts";

export interface ParameterRecipe {
  /** PyTorch's layout: linear [out, in], convolution [out, in, height, width], bias [out]. */
  readonly shape: readonly number[];
  readonly fanIn: number;
}

/** Seeds of the two inputs of a workload; parameter `i` of a model has seed 10 + i. */
export const inputSeeds = [1, 2] as const;
export const labelSeed = 2;
const firstParameterSeed = 10;

export const classCount = 10;

const linear = (inputs: number, outputs: number): ParameterRecipe[] => [
  { shape: [outputs, inputs], fanIn: inputs },
  { shape: [outputs], fanIn: inputs },
];
const convolution = (inputs: number, outputs: number, kernel: number): ParameterRecipe[] => [
  { shape: [outputs, inputs, kernel, kernel], fanIn: inputs * kernel * kernel },
  { shape: [outputs], fanIn: inputs * kernel * kernel },
];

/** Weight and bias of each layer in PyTorch's order. */
export const modelRecipes: Readonly<Record<Exclude<WorkloadName, "matmul">, readonly ParameterRecipe[]>> = {
  mlp: [...linear(784, 256), ...linear(256, 128), ...linear(128, 10)],
  lenet: [
    ...convolution(1, 6, 5),
    ...convolution(6, 16, 5),
    ...linear(400, 120),
    ...linear(120, 84),
    ...linear(84, 10),
  ],
};

function unitInterval(seed: number, index: number): number {
  let hash = (Math.imul(index, 0x9e3779b1) + Math.imul(seed, 0x85ebca77)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** `count` numbers spread evenly over [low, high). */
export function uniform(seed: number, count: number, low = -1, high = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => low + (high - low) * unitInterval(seed, index));
}

/** `count` class numbers from 0 to 9. */
export function labels(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => Math.floor(classCount * unitInterval(labelSeed, index)));
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Initial values of the model's parameters, uniform within plus or minus 1 / sqrt(fan-in) as PyTorch draws them. */
export function initialParameters(model: keyof typeof modelRecipes): Float32Array[] {
  return modelRecipes[model].map(({ shape, fanIn }, index) => {
    const bound = 1 / Math.sqrt(fanIn);
    return uniform(firstParameterSeed + index, elementCount(shape), -bound, bound);
  });
}

/** Mean of |x|: the number by which products of matrices are compared. */
export function meanMagnitude(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += Math.abs(values[index]!);
  return sum / values.length;
}
