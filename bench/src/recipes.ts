// The numbers every contestant starts from: inputs, labels and initial weights, the same in every language, so that
// their losses can be compared. A number is a hash of its index (the finalizer of MurmurHash3, Appleby 2011), which is
// one line of integer arithmetic in JavaScript and in NumPy alike; see peers/pytorch.py for its twin.

/** How a parameter begins: drawn within plus or minus 1 / sqrt(fanIn) as PyTorch draws it, or constant. */
export type ParameterRecipe = {
  /**
   * PyTorch's layout: linear [out, in], convolution [out, in, ...kernel], transposed convolution [in, out, ...kernel],
   * bias [out].
   */
  readonly shape: readonly number[];
} & ({ readonly fanIn: number } | { readonly constant: number });

/** Seeds of the two inputs of a workload; parameter `i` of a model has seed 10 + i. */
export const inputSeeds = [1, 2] as const;
export const labelSeed = 2;
const projectionSeed = 3;
const firstParameterSeed = 10;

export const classCount = 10;

/** A weight and, unless it has none, a bias. PyTorch counts the fan-in of every weight without its first axis. */
function layer(shape: readonly number[], biases = 0): ParameterRecipe[] {
  const fanIn = elementCount(shape.slice(1));
  return [{ shape, fanIn }, ...(biases === 0 ? [] : [{ shape: [biases], fanIn }])];
}
const linear = (inputs: number, outputs: number) => layer([outputs, inputs], outputs);
const convolution = (inputs: number, outputs: number, kernel: readonly number[]) =>
  layer([outputs, inputs, ...kernel], outputs);
const plainConvolution = (inputs: number, outputs: number, edge: number) => layer([outputs, inputs, edge, edge]);
const transposedConvolution = (inputs: number, outputs: number, edge: number) => layer([inputs, outputs, edge, edge]);
const batchNorm = (channels: number): ParameterRecipe[] => [1, 0].map((constant) => ({ shape: [channels], constant }));

/** A convolution and the normalization after it. */
const normalized = (inputs: number, outputs: number, edge: number) => [
  ...plainConvolution(inputs, outputs, edge),
  ...batchNorm(outputs),
];
const basicBlock = (inputs: number, outputs: number) => [
  ...normalized(inputs, outputs, 3),
  ...normalized(outputs, outputs, 3),
  ...(inputs === outputs ? [] : normalized(inputs, outputs, 1)),
];

/** The parameters of each model in PyTorch's order. */
export const modelRecipes = {
  mlp: [...linear(784, 256), ...linear(256, 128), ...linear(128, 10)],
  lenet: [
    ...convolution(1, 6, [5, 5]),
    ...convolution(6, 16, [5, 5]),
    ...linear(400, 120),
    ...linear(120, 84),
    ...linear(84, 10),
  ],
  resnet18: [
    ...normalized(3, 64, 3),
    ...[64, 128, 256, 512].flatMap((channels) => [
      ...basicBlock(channels === 64 ? 64 : channels / 2, channels),
      ...basicBlock(channels, channels),
    ]),
    ...linear(512, 10),
  ],
  dcganGenerator: [
    ...[100, 512, 256, 128].flatMap((inputs, i) => [
      ...transposedConvolution(inputs, 512 >> i, 4),
      ...batchNorm(512 >> i),
    ]),
    ...transposedConvolution(64, 3, 4),
  ],
  dcganDiscriminator: [
    ...plainConvolution(3, 64, 4),
    ...[64, 128, 256].flatMap((inputs) => normalized(inputs, 2 * inputs, 4)),
    ...plainConvolution(512, 1, 4),
  ],
  residualStack: Array.from({ length: 4 }, () => convolution(64, 64, [9])).flat(),
} satisfies Readonly<Record<string, readonly ParameterRecipe[]>>;

export type ModelName = keyof typeof modelRecipes;

function unitInterval(seed: number, index: number): number {
  let hash = (Math.imul(index, 0x9e3779b1) + Math.imul(seed, 0x85ebca77)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** `count` numbers spread evenly over [low, high). */
export function uniform(seed: number, count: number, low = -1, high = 1): Float32Array {
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) values[index] = low + (high - low) * unitInterval(seed, index);
  return values;
}

/** `count` class numbers from 0 to 9. */
export function labels(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => Math.floor(classCount * unitInterval(labelSeed, index)));
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Initial values of the model's parameters. */
export function initialParameters(model: ModelName): Float32Array[] {
  return modelRecipes[model].map((recipe: ParameterRecipe, index) => {
    const count = elementCount(recipe.shape);
    if ("constant" in recipe) return new Float32Array(count).fill(recipe.constant);
    const bound = 1 / Math.sqrt(recipe.fanIn);
    return uniform(firstParameterSeed + index, count, -bound, bound);
  });
}

/** The weight and the bias of a normalization over rows, neither of them plain: [size] each. */
export function affineParameters(size: number): [weight: Float32Array, bias: Float32Array] {
  return [uniform(firstParameterSeed, size), uniform(firstParameterSeed + 1, size)];
}

/** Mean of |x|: the number by which products of matrices are compared. */
export function meanMagnitude(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += Math.abs(values[index]!);
  return sum / values.length;
}

/**
 * The sum of all values, each times its own number within -1 and 1: the number by which results are compared whose mean
 * magnitude says nothing, such as a softmax's, which is the same along every axis.
 */
export function projection(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++)
    sum += values[index]! * (2 * unitInterval(projectionSeed, index) - 1);
  return sum;
}
