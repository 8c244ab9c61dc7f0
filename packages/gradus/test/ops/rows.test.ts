// Computations row by row (softmax, normalizations, losses) agree with the reference interpreter, values and gradients,
// for numbers and lengths of rows of every kind: whole vectors or not, a few rows or enough for all threads, long ones.
// The compiler makes kernels of several stages of them, whose results pass through registers and scratch memory.
//
// GRADUS_TEST_SEED and GRADUS_TEST_RUNS look further than the fixed seed does.

import fc from "fast-check";
import * as gd from "gradus";
import { beforeAll, describe, test, vi } from "vitest";
import { expectClose } from "../support/compare.ts";
import { numberSetting, useDevice } from "../support/device.ts";
import { weightedSum } from "../support/golden.ts";
import { trueValues } from "../support/reference.ts";

const { F } = gd;

const seed = numberSetting("GRADUS_TEST_SEED", 20250917);
const numRuns = numberSetting("GRADUS_TEST_RUNS", 6);

beforeAll(async () => {
  await useDevice();
  // Many different programs are the point here; the engine would warn of them.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});

/** Rows of a matrix, or channels of images: [rows, length], [images, rows, height, width]. */
interface Extents {
  readonly rows: number;
  readonly length: number;
  readonly images: number;
  readonly height: number;
}

interface Computation {
  readonly shapes: (extents: Extents) => readonly (readonly number[])[];
  readonly of: (...leaves: gd.Tensor[]) => readonly gd.Tensor[];
}

const matrix = ({ rows, length }: Extents): readonly (readonly number[])[] => [[rows, length]];
const affineMatrix = ({ rows, length }: Extents): readonly (readonly number[])[] => [
  [rows, length],
  [length],
  [length],
];
const affineImages = ({ rows, images, height }: Extents): readonly (readonly number[])[] => [
  [images, rows, height, height + 1],
  [rows],
  [rows],
];

const computations: { readonly [name: string]: Computation } = {
  softmax: { shapes: matrix, of: (x) => [x.softmax(1)] },
  "softmax over the first axis": { shapes: matrix, of: (x) => [x.softmax(0)] },
  "the logarithm of softmax": { shapes: matrix, of: (x) => [x.logSoftmax(1)] },
  "cross-entropy": {
    shapes: matrix,
    of: (x) => [F.crossEntropy(x, x.detach().argmax(1).mul(3).remainder(x.shape[1]))],
  },
  "layer normalization": {
    shapes: affineMatrix,
    of: (x, weight, bias) => [F.layerNorm(x, [x.shape[1]], { weight, bias })],
  },
  "batch normalization and a rectifier": {
    shapes: affineImages,
    of: (x, weight, bias) => [F.batchNorm(x, null, null, { weight, bias, training: true }).relu()],
  },
  "instance normalization": {
    shapes: affineImages,
    of: (x, weight, bias) => [F.instanceNorm(x, null, null, { weight, bias })],
  },
  "exponentials summed by rows and read by columns": {
    shapes: ({ rows }) => [[rows, rows]],
    of: (x) => {
      const e = x.exp();
      return [e.transpose(0, 1).mul(e.sum(1, { keepdim: true }))];
    },
  },
  "rows by their norms, and the norms": {
    shapes: matrix,
    of: (x) => {
      const norms = x.square().sum(1, { keepdim: true }).add(0.5).sqrt();
      return [x.div(norms), norms];
    },
  },
  "a map, its sums and what is left of it": {
    shapes: matrix,
    of: (x) => {
      const y = x.tanh().exp();
      const sums = y.sum(1, { keepdim: true });
      return [y, sums, y.sub(sums.div(x.shape[1])).square(), y.sum(0)];
    },
  },
};

/** Numbers between -2 and 2 that look like chance. */
function leafOf(shape: readonly number[], stream: number): gd.Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const values = Float32Array.from(
    { length: size },
    (_, i) => 2 * Math.sin((i + 1) * 12.9898 + stream * 78.233 + i * i),
  );
  return gd.Tensor.fromArray(values, shape).requiresGrad_();
}

async function check({ shapes, of }: Computation, extents: Extents): Promise<void> {
  const leaves = shapes(extents).map(leafOf);
  const outputs = of(...leaves);
  const total = weightedSum(outputs, 37, 11, 5)!;
  const tensors = [...outputs, ...gd.grad(total, leaves)];
  const expected = trueValues(tensors);
  await gd.flush(...tensors);
  for (const [i, tensor] of tensors.entries()) {
    // A row's sum of n float32 numbers is off by some n units in the last place at worst, and by far fewer as a rule.
    // What a normalization leaves of short rows may cancel to nothing; its parts, of size 1, are off as float32 is.
    expectClose(
      await tensor.data(),
      expected[i],
      { rtol: 2e-5, scaled: 2e-5, atol: 5e-6 },
      `value ${i} of ${JSON.stringify(extents)}`,
    );
  }
}

const extents: fc.Arbitrary<Extents> = fc.record({
  rows: fc.integer({ min: 1, max: 70 }),
  length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 41, max: 300 })),
  images: fc.integer({ min: 1, max: 5 }),
  height: fc.integer({ min: 2, max: 9 }),
});

describe.each(Object.entries(computations))("%s", (_, computation) => {
  test("agrees with the reference for rows of any number and length", async () => {
    await fc.assert(
      fc.asyncProperty(extents, (chosen) => check(computation, chosen)),
      { seed, numRuns },
    );
  });

  test("agrees with the reference for rows that all threads share", async () => {
    await check(computation, { rows: 67, length: 1030, images: 3, height: 16 });
  });
});
