// Which kernels become the stages of one, which do not, and what that saves: values handed on within a row are nowhere in
// the arena, and what is dear to compute is computed once. Shapes are such that the threads have enough rows to share,
// where it is not said otherwise. That staged kernels compute the right numbers is what the suites of operations show.

import * as gd from "gradus";
import { describe, expect, test } from "vitest";
import type { Program } from "../../src/compiler/index.ts";
import {
  accessOf,
  deadKernels,
  deadStores,
  expressionsOf,
  input,
  kernelNames,
  programOf,
  trainable,
} from "../support/compile.ts";

const { F } = gd;

type Tensors = readonly gd.Tensor[];

/** A value and the gradients of its inner product with something. */
function withGradients(of: (...leaves: gd.Tensor[]) => gd.Tensor, ...shapes: (readonly number[])[]): Tensors {
  const leaves = shapes.map((shape) => trainable(shape));
  const value = of(...leaves);
  return [value, ...gd.grad(value.mul(input(value.shape)).sum(), leaves)];
}

const layerNorm = (x: gd.Tensor, weight: gd.Tensor, bias: gd.Tensor): gd.Tensor =>
  F.layerNorm(x, weight.shape, { weight, bias });

const batchNorm = (x: gd.Tensor, weight: gd.Tensor, bias: gd.Tensor): gd.Tensor =>
  F.batchNorm(x, null, null, { weight, bias, training: true });

/** The mean over rows, against probabilities. */
function crossEntropy(rows: number, classes: number): Tensors {
  const x = trainable([rows, classes]);
  const loss = F.crossEntropy(x, input([rows, classes]));
  return [loss, ...gd.grad(loss, [x])];
}

interface Expectation {
  readonly of: () => Tensors;
  /** The kernels in the order they run, their stages between slashes. */
  readonly kernels: readonly string[];
}

const staged: { readonly [claim: string]: Expectation } = {
  "softmax over the last axis": {
    of: () => [input([256, 1000]).softmax(1)],
    kernels: ["max / map / sum / map"],
  },
  "softmax over the last of four axes": {
    of: () => [input([2, 3, 8, 20]).softmax(3)],
    kernels: ["max / map / sum / map"],
  },
  "softmax over the two last axes": {
    of: () => {
      const x = input([64, 10, 12]);
      const e = x.sub(x.amax([1, 2], { keepdim: true })).exp();
      return [e.div(e.sum([1, 2], { keepdim: true }))];
    },
    kernels: ["max / map / sum / map"],
  },
  "the logarithm of softmax": { of: () => [input([256, 1000]).logSoftmax(1)], kernels: ["max / sum / map"] },
  "layer normalization with weight and bias": {
    of: () => [layerNorm(input([64, 100]), input([100]), input([100]))],
    kernels: ["sum / sum / map"],
  },
  "layer normalization forward and backward, but for the sums over all rows": {
    of: () => withGradients(layerNorm, [64, 100], [100], [100]),
    kernels: ["sum / sum / sum / sum / map", "sum+sum"],
  },
  "batch normalization over channels, with a rectifier behind it": {
    of: () => [batchNorm(input([8, 16, 8, 8]), input([16]), input([16])).relu()],
    kernels: ["sum / sum / map"],
  },
  "batch normalization and a rectifier, forward and backward": {
    of: () => withGradients((...args) => batchNorm(args[0], args[1], args[2]).relu(), [8, 16, 8, 8], [16], [16]),
    kernels: ["sum / sum / sum+sum+sum / map / sum / map"],
  },
  "cross-entropy and its gradient, but for the mean over all rows": {
    of: () => crossEntropy(256, 1000),
    kernels: ["max / map / sum / sum+sum / map", "sum"],
  },
  "cross-entropy with class labels": {
    of: () => {
      const x = trainable([256, 1000]);
      const loss = F.crossEntropy(x, input([256], { dtype: "int32" }));
      return [loss, ...gd.grad(loss, [x])];
    },
    kernels: ["max / sum / sum", "sum / sum", "map"],
  },
  "group normalization with weight and bias, which number channels where its sums number groups": {
    of: () => [F.groupNorm(input([8, 16, 8, 8]), 4, { weight: input([16]), bias: input([16]) })],
    kernels: ["sum / sum / map"],
  },
  "instance normalization": { of: () => [F.instanceNorm(input([8, 16, 6, 6]))], kernels: ["sum / sum / map"] },
  "a map and the sums of its rows": {
    of: () => {
      const y = input([64, 100]).mul(2).add(1).exp();
      return [y, y.sum(1)];
    },
    kernels: ["map / sum"],
  },
  "a map and the sums of its channels": {
    of: () => {
      const y = input([8, 16, 10, 10]).mul(2).add(1).exp();
      return [y, y.sum([0, 2, 3])];
    },
    kernels: ["map / sum"],
  },
  "rows divided by their norms": {
    of: () => {
      const x = input([64, 100]);
      return [x.div(x.square().sum(1, { keepdim: true }).sqrt())];
    },
    kernels: ["sum / map"],
  },
  "few rows, where there is little to do": {
    of: () => [input([4, 1000]).softmax(1)],
    kernels: ["max / map / sum / map"],
  },
};

const separate: { readonly [claim: string]: Expectation } = {
  "softmax over the first axis, whose rows do not lie along memory": {
    of: () => [input([100, 64]).softmax(0)],
    kernels: ["max", "sum", "map"],
  },
  "softmax over a middle axis": { of: () => [input([8, 30, 64]).softmax(1)], kernels: ["max", "sum", "map"] },
  "rows fewer than threads, with much to do": {
    of: () => [input([4, 5000]).softmax(1)],
    kernels: ["max", "sum", "map"],
  },
  "rows larger than a core's cache": {
    of: () => [input([600, 300_000]).softmax(1)],
    kernels: ["max", "sum", "map"],
  },
  "an outer product, its sum and the sums of its rows, which one thread would do as a single row": {
    of: () => {
      const product = input([2048, 1]).mul(input([1, 2048]));
      return [product.div(product.sum()).exp().sum(1)];
    },
    kernels: ["sum", "sum", "sum"],
  },
  "sums over rows of something and over its columns": {
    of: () => {
      const x = input([64, 100]);
      return [x.sum(1), x.sum(0)];
    },
    kernels: ["sum", "sum"],
  },
  "a maximum of neighbouring rows, which are not its own": {
    of: () => {
      const x = input([64, 100]);
      const norms = x.square().sum(1, { keepdim: true }).sqrt();
      return [x.div(norms.flip(0))];
    },
    kernels: ["sum", "map"],
  },
};

describe("stages of one kernel are", () => {
  test.each(Object.entries(staged))("%s", (_, { of, kernels }) => {
    const program = programOf(...of());
    expect(kernelNames(program)).toEqual(kernels);
    expect([deadKernels(program), deadStores(program)]).toEqual([[], []]);
  });
});

describe("kernels by themselves stay", () => {
  test.each(Object.entries(separate))("%s", (_, { of, kernels }) => {
    const program = programOf(...of());
    expect(kernelNames(program)).toEqual(kernels);
  });

  test("what reads a row's number again behind a matrix product of that row, which would wait for itself", () => {
    const x = input([64, 100]);
    const norms = x.square().sum(1, { keepdim: true }).sqrt();
    const product = x.div(norms).matmul(input([100, 30]));
    const names = kernelNames(programOf(product, product.sub(norms).amax(1)));
    expect(names).toEqual(["sum / map", "dot", "max"]);
  });
});

describe("values that stages hand on", () => {
  const inside: { readonly [claim: string]: () => Tensors } = {
    "softmax's maxima, exponentials and sums": () => [input([64, 100]).softmax(1)],
    "layer normalization's means and variances": () => [layerNorm(input([64, 100]), input([100]), input([100]))],
    "batch normalization's, forward and backward": () => withGradients(batchNorm, [8, 16, 8, 8], [16], [16]),
  };
  test.each(Object.entries(inside))("are nowhere in the arena: %s", (_, of) => {
    expect(programOf(...of()).plan.arenaBytes).toBe(0);
  });

  test("take one row of scratch memory a thread where they are not one number", () => {
    expect(programOf(input([64, 100]).softmax(1)).scratchBytes).toBe(100 * 4);
    // Rows are rounded up to whole vectors.
    expect(programOf(input([64, 101]).softmax(1)).scratchBytes).toBe(104 * 4);
    expect(programOf(input([64, 100]).logSoftmax(1)).scratchBytes).toBe(0);
  });

  test("are stored where another kernel needs them too", () => {
    const x = input([64, 100]);
    const e = x.exp();
    const total = e.sum(1, { keepdim: true });
    const program = programOf(e.div(total), total.sum());
    expect(kernelNames(program)).toEqual(["map / sum / map", "sum"]);
    expect(program.plan.arenaBytes).toBe(64 * 4);
    const [first, second] = program.kernels.map(accessOf);
    const arena = [...first.writes].filter(({ space }) => space === "arena");
    expect(arena.map(({ elements }) => elements)).toEqual([64]);
    expect([...second.reads]).toContain(arena[0]);
  });

  test("are stored where they are asked for", () => {
    const x = input([64, 100]);
    const e = x.exp();
    const program = programOf(e.div(e.sum(1, { keepdim: true })), e);
    expect(kernelNames(program)).toEqual(["map / sum / map"]);
    expect([program.plan.arenaBytes, program.scratchBytes]).toEqual([0, 0]);
  });
});

describe("what is dear to compute", () => {
  /** Every exponential multiplies by the logarithm of e to the base of 2, once a vector. */
  const log2e = Math.fround(Math.LOG2E);
  function exponentialsIn({ kernels }: Program): number {
    const isFactor = (values: readonly number[]): boolean => values.every((value) => Math.abs(value - log2e) < 1e-6);
    return kernels
      .flatMap((kernel) => [...expressionsOf(kernel)])
      .filter(({ node }) => node.op === "fma" && node.b.node.op === "constant" && isFactor(node.b.node.values)).length;
  }

  // Rows of 16: whole vectors, and too few of them for loops that are unrolled.
  const cases: { readonly [claim: string]: { readonly of: () => Tensors; readonly exponentials: number } } = {
    "an exponential alone is one": { of: () => [input([64, 16]).exp()], exponentials: 1 },
    "softmax sums and divides the same exponentials": { of: () => [input([64, 16]).softmax(1)], exponentials: 1 },
    "so do softmax and its gradient": {
      of: () => withGradients((x) => x.softmax(1), [64, 16]),
      exponentials: 1,
    },
    "softmax as separate kernels computes them twice": { of: () => [input([16, 64]).softmax(0)], exponentials: 2 },
    "what a cross-entropy and its gradient share is computed once": {
      of: () => crossEntropy(64, 16),
      exponentials: 1,
    },
    "what does not fit in scratch memory is computed again": {
      of: () => [input([600, 80_000]).softmax(1)],
      exponentials: 5, // for the sum, unrolled four times, and for the quotients
    },
  };
  test.each(Object.entries(cases))("%s", (_, { of, exponentials }) => {
    expect(exponentialsIn(programOf(...of()))).toBe(exponentials);
  });

  test("is kept before the first stage that needs it", () => {
    const x = input([64, 16]);
    const e = x.sub(x.amax(1, { keepdim: true })).exp();
    const program = programOf(e.sum(1), e.square().sum(1).sqrt(), e.div(e.sum(1, { keepdim: true })));
    expect(kernelNames(program)[0].split(" / ").slice(0, 2)).toEqual(["max", "map"]);
    expect(exponentialsIn(program)).toBe(1);
  });
});
