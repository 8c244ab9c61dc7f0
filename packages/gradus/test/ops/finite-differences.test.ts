// Every differentiable operation against central differences in float64, for its gradient and for the gradient of that
// gradient. This needs no second opinion: what is compared is the operation with itself.
//
// With h = 1e-5 a central difference errs by h^2 / 6 times the third derivative (1e-10 here, times what the function
// bends) plus the rounding of the values divided by h (1e-16 / 1e-5 = 1e-11 of their sum); 2e-7 covers the steepest.

import * as gd from "gradus";
import { beforeAll, describe, test } from "vitest";
import { expectClose } from "../support/compare.ts";
import { avgPool, conv, convTranspose, maxPool } from "../support/compositions.ts";
import { useDevice } from "../support/device.ts";
import { weightedSum } from "../support/golden.ts";

const h = 1e-5;
const tolerance = { rtol: 2e-7, scaled: 2e-7, atol: 2e-8 };

type Fn = (...inputs: readonly gd.Tensor[]) => gd.Tensor | readonly gd.Tensor[];

interface Differentiable {
  readonly fn: Fn;
  /** Shapes of the inputs. Default: one of [2, 3]. */
  readonly shapes?: readonly (readonly number[])[];
  /** Where inputs are drawn from. Default: -2 to 2. */
  readonly range?: readonly [number, number];
  /** Inputs on a grid this coarse, shuffled, so that no two are close: for maxima and orders. */
  readonly distinct?: boolean;
}

const square: readonly (readonly number[])[] = [[2, 3]];
const pair: readonly (readonly number[])[] = [
  [2, 3],
  [1, 3],
];
const int32 = (values: readonly number[], shape: readonly number[]): gd.Tensor =>
  gd.tensor(values, { dtype: "int32" }).reshape(shape);
const mask = (): gd.Tensor => gd.tensor([true, false, true]);
const spatial = (amounts: object, rank: number): never => {
  const one = new Array<number>(rank).fill(1);
  const none = new Array<number>(rank).fill(0);
  return {
    stride: one,
    low: none,
    high: none,
    inputDilation: one,
    kernelDilation: one,
    groups: 1,
    ...amounts,
  } as never;
};

const functions: { readonly [name: string]: Differentiable } = {
  neg: { fn: (x) => x.neg() },
  "abs away from 0": { fn: (x) => x.abs(), range: [0.2, 2] },
  exp: { fn: (x) => x.exp() },
  expm1: { fn: (x) => x.expm1() },
  log: { fn: (x) => x.log(), range: [0.5, 3] },
  log1p: { fn: (x) => x.log1p(), range: [-0.5, 3] },
  log2: { fn: (x) => x.log2(), range: [0.5, 3] },
  log10: { fn: (x) => x.log10(), range: [0.5, 3] },
  sqrt: { fn: (x) => x.sqrt(), range: [0.5, 3] },
  rsqrt: { fn: (x) => x.rsqrt(), range: [0.5, 3] },
  square: { fn: (x) => x.square() },
  reciprocal: { fn: (x) => x.reciprocal(), range: [0.5, 3] },
  sin: { fn: (x) => x.sin() },
  cos: { fn: (x) => x.cos() },
  tan: { fn: (x) => x.tan(), range: [-1, 1] },
  tanh: { fn: (x) => x.tanh() },
  sigmoid: { fn: (x) => x.sigmoid() },
  erf: { fn: (x) => x.erf() },
  "relu away from 0": { fn: (x) => x.relu(), distinct: true },
  "clamp between its limits": { fn: (x) => x.clamp(-0.7, 0.7), distinct: true },

  "add, broadcast": { fn: (a, b) => a.add(b), shapes: pair },
  "sub, broadcast": { fn: (a, b) => a.sub(b, { alpha: 2 }), shapes: pair },
  "mul, broadcast": { fn: (a, b) => a.mul(b), shapes: pair },
  "div, broadcast": { fn: (a, b) => a.div(b), shapes: pair, range: [0.5, 2] },
  "pow of both": { fn: (a, b) => a.pow(b), shapes: pair, range: [0.5, 2] },
  "pow of a negative base": { fn: (x) => x.pow(4), range: [-2, -0.5] },
  "pow of a fraction": { fn: (x) => x.pow(-1.5), range: [0.5, 2] },
  remainder: { fn: (a, b) => a.remainder(b.add(3)), shapes: pair, range: [0.3, 1.7] },
  maximum: { fn: (a, b) => a.maximum(b), shapes: pair, distinct: true },
  minimum: { fn: (a, b) => a.minimum(b), shapes: pair, distinct: true },
  where: { fn: (a, b) => gd.where(mask(), a.exp(), b.sin()), shapes: pair },

  sum: { fn: (x) => x.exp().sum(0) },
  mean: { fn: (x) => x.exp().mean([0, 1]) },
  var: { fn: (x) => x.var(1) },
  std: { fn: (x) => x.std(1, { correction: 0, keepdim: true }) },
  prod: { fn: (x) => x.prod(1), shapes: [[2, 5]] },
  "prod of everything": { fn: (x) => x.prod() },
  amax: { fn: (x) => x.amax(1).sin(), distinct: true },
  amin: { fn: (x) => x.amin([0, 1]).exp(), distinct: true },
  "max along a dimension": { fn: (x) => x.max(1).values.exp(), distinct: true },
  "min along a dimension": { fn: (x) => x.min(0).values.exp(), distinct: true },
  "norm of order 1": { fn: (x) => x.norm(1, 1), range: [0.3, 2] },
  "norm of order 2": { fn: (x) => x.norm(2, 1) },
  "norm of order 3": { fn: (x) => x.norm(3), range: [0.3, 2] },
  "norm of order infinity": { fn: (x) => x.norm(Number.POSITIVE_INFINITY, 1), distinct: true },
  logsumexp: { fn: (x) => x.logsumexp(1) },
  softmax: { fn: (x) => x.softmax(0) },
  logSoftmax: { fn: (x) => x.logSoftmax(-1) },
  cumsum: { fn: (x) => x.sin().cumsum(1) },

  matmul: {
    fn: (a, b) => a.matmul(b),
    shapes: [
      [2, 3],
      [3, 2],
    ],
  },
  "matmul of batches that broadcast": {
    fn: (a, b) => a.matmul(b).tanh(),
    shapes: [
      [2, 1, 2],
      [2, 2],
    ],
  },
  "matmul with a vector": { fn: (a, b) => a.matmul(b), shapes: [[2, 3], [3]] },
  "einsum of three operands": { fn: (a, b, c) => gd.einsum("ij,jk,k->ik", a, b, c), shapes: [[2, 2], [2, 3], [3]] },
  "einsum with a diagonal": {
    fn: (a, b) => gd.einsum("ii,ij->j", a, b),
    shapes: [
      [3, 3],
      [3, 2],
    ],
  },
  conv1d: {
    fn: (x, w) => conv(x, w, spatial({ stride: [2], low: [1], high: [2] }, 1)),
    shapes: [
      [1, 2, 5],
      [2, 2, 3],
    ],
  },
  "conv2d with dilation and groups": {
    fn: (x, w) => conv(x, w, spatial({ low: [1, 0], high: [1, 1], kernelDilation: [2, 1], groups: 2 }, 2)),
    shapes: [
      [1, 2, 3, 3],
      [2, 1, 2, 2],
    ],
  },
  conv3d: {
    fn: (x, w) => conv(x, w, spatial({}, 3)),
    shapes: [
      [1, 1, 2, 3, 2],
      [1, 1, 2, 2, 1],
    ],
  },
  "transposed conv2d": {
    fn: (x, w) =>
      convTranspose(x, w, { stride: [2, 1], padding: [1, 0], outputPadding: [1, 0], dilation: [1, 2], groups: 1 }),
    shapes: [
      [1, 2, 2, 2],
      [2, 1, 2, 2],
    ],
  },
  "max pooling": {
    fn: (x) => maxPool(x, { size: [2, 2], stride: [1, 2], padding: [1, 0], dilation: [1, 1] }).sin(),
    shapes: [[1, 1, 3, 4]],
    distinct: true,
  },
  "average pooling": {
    fn: (x) => avgPool(x.sin(), { size: [2], stride: [1], padding: [1], dilation: [2] }),
    shapes: [[1, 2, 4]],
  },

  reshape: { fn: (x) => x.sin().reshape(3, 2) },
  permute: { fn: (x) => x.sin().permute(1, 0).cumsum(0) },
  expand: { fn: (x) => x.expand(3, 2, 3).mul(x) },
  repeat: { fn: (x) => x.repeat(2, 1).mul(x.repeat(2, 1)) },
  "slice with a step": { fn: (x) => x.index(":", "::2").exp() },
  flip: { fn: (x) => x.flip([0, 1]).mul(x) },
  roll: { fn: (x) => x.roll(1, 1).mul(x) },
  "pad and crop": { fn: (x) => x.pad([1, -1, 2, 0], 0.5).exp() },
  unfold: { fn: (x) => x.unfold(1, 3, 2).exp(), shapes: [[2, 7]] },
  cat: { fn: (a, b) => gd.cat([a, b, a], 0).exp(), shapes: pair },
  stack: { fn: (a, b) => gd.stack([a, b], 1).exp(), shapes: [[3], [3]] },
  split: { fn: (x) => x.exp().split([1, 2], 1) },
  gather: { fn: (x) => x.gather(1, int32([0, 0, 2, 1, 1, 1], [2, 3])).exp() },
  scatterAdd: {
    fn: (x, y) => x.scatterAdd(0, int32([0, 1, 0, 0, 1, 1, 0, 0, 0], [3, 3]), y).exp(),
    shapes: [
      [2, 3],
      [3, 3],
    ],
  },
  "index by tensors": { fn: (x) => x.index(int32([0, 1, 1], [3]), int32([2, 0, 0], [3])).exp() },
  indexPut_: { fn: (a, b) => a.exp().indexPut_([int32([1], [1])], b.sin()), shapes: pair },
  maskedFill: { fn: (x) => x.maskedFill(mask(), 0.5).exp() },
  sort: { fn: (x) => x.sort(1, { descending: true }).values.exp(), distinct: true },
  topk: { fn: (x) => x.topk(2, 1).values.exp(), distinct: true },
};

beforeAll(useDevice);

function numbersFor(name: string, size: number, { range = [-2, 2], distinct = false }: Differentiable): Float64Array {
  let state = [...name].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0, 0x811c9dc5);
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const [low, high] = range;
  if (!distinct) return Float64Array.from({ length: size }, () => low + (high - low) * next());
  // The middles of equal intervals, shuffled.
  const places = Array.from({ length: size }, (_, i) => i);
  return Float64Array.from({ length: size }, () => {
    const place = places.splice(Math.floor(next() * places.length), 1)[0];
    return low + ((high - low) * (place + 0.4)) / size;
  });
}

function outputsOf(fn: Fn, inputs: readonly gd.Tensor[]): readonly gd.Tensor[] {
  const result = fn(...inputs);
  return gd.isTensor(result) ? [result] : result;
}

function leavesFor(points: readonly Float64Array[], shapes: readonly (readonly number[])[]): gd.Tensor[] {
  return points.map((point, k) => gd.tensor(point).reshape(shapes[k]).requiresGrad_());
}

const value = (fn: Fn, leaves: readonly gd.Tensor[]): gd.Tensor => weightedSum(outputsOf(fn, leaves), 37, 11, 5)!;

/** sum(v * gradient): a number whose derivatives are the second ones. Null where the gradient is constant. */
function slope(fn: Fn, leaves: readonly gd.Tensor[]): gd.Tensor | null {
  const gradients: readonly (gd.Tensor | null)[] = gd.grad(value(fn, leaves), leaves, {
    createGraph: true,
    allowUnused: true,
  });
  return weightedSum(
    gradients.flatMap((gradient) => (gradient === null ? [] : [gradient])),
    29,
    5,
    3,
  );
}

type ScalarFunction = (leaves: readonly gd.Tensor[]) => gd.Tensor;

async function compare(
  scalar: ScalarFunction,
  points: readonly Float64Array[],
  shapes: readonly (readonly number[])[],
  what: string,
): Promise<void> {
  const leaves = leavesFor(points, shapes);
  const gradients: readonly (gd.Tensor | null)[] = gd.grad(scalar(leaves), leaves, { allowUnused: true });
  for (const [k, point] of points.entries()) {
    const moved = async (i: number, by: number): Promise<number> => {
      const elsewhere = points.map((other, j) => (j === k ? other.map((x, at) => (at === i ? x + by : x)) : other));
      return scalar(leavesFor(elsewhere, shapes)).item();
    };
    const expected: number[] = [];
    for (let i = 0; i < point.length; i++) expected.push(((await moved(i, h)) - (await moved(i, -h))) / (2 * h));
    const actual = (await gradients[k]?.data()) ?? new Float64Array(point.length);
    expectClose(actual, expected, tolerance, `${what} of input ${k}`);
  }
}

describe("central differences in float64", () => {
  for (const [name, row] of Object.entries(functions)) {
    const shapes = row.shapes ?? square;
    test(`give the gradient of ${name}, and the gradient of that`, async () => {
      const points = shapes.map((shape, k) =>
        numbersFor(
          `${name} ${k}`,
          shape.reduce((size, extent) => size * extent, 1),
          row,
        ),
      );
      await compare((leaves) => value(row.fn, leaves), points, shapes, "gradient");
      const bends = slope(row.fn, leavesFor(points, shapes)) !== null;
      if (bends) await compare((leaves) => slope(row.fn, leaves)!, points, shapes, "second gradient");
    });
  }
});
