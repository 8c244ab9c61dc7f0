// What the compiler makes of graphs: how many kernels, of which kinds, and that none of them is in vain. Graphs are made
// by hand from inputs that hold nothing, so everything here is about structure; that kernels compute the right numbers
// is what the suites of operations show.

import * as gd from "gradus";
import { describe, expect, test } from "vitest";
import { deadKernels, deadStores, input, kernelNames, programOf } from "../support/compile.ts";

const { F } = gd;

/** What a graph becomes: the names of its kernels in the order they run. "map x 6" is six maps in one kernel. */
interface Expectation {
  readonly of: () => gd.Tensor | readonly gd.Tensor[];
  readonly kernels: readonly string[];
  /** Whether nothing is kept between kernels. */
  readonly withoutArena?: boolean;
}

const expectations: { readonly [claim: string]: Expectation } = {
  "a chain of maps is one kernel that keeps nothing": {
    of: () => input([32, 100]).mul(2).add(1).exp().sqrt().tanh().sigmoid(),
    kernels: ["map"],
    withoutArena: true,
  },
  "maps over the same elements share a kernel": {
    of: () => {
      const x = input([32, 100]);
      const y = x.exp();
      return [y.mul(2), y.add(x), y];
    },
    kernels: ["map"],
    withoutArena: true,
  },
  "broadcasting is no kernel of its own": {
    of: () =>
      input([32, 100])
        .add(input([100]))
        .mul(input([32, 1])),
    kernels: ["map"],
    withoutArena: true,
  },
  "a sum takes in what precedes and what follows it": {
    of: () =>
      input([32, 100])
        .sub(input([100]))
        .square()
        .sum(1)
        .sqrt()
        .add(1),
    kernels: ["sum"],
    withoutArena: true,
  },
  "two reductions of the same elements are one kernel": {
    of: () => {
      const x = input([32, 100]);
      return [x.sum(1), x.exp().sum(1), x.amax(1)];
    },
    kernels: ["sum+sum+max"],
    withoutArena: true,
  },
  "softmax is one kernel: of each row a maximum, exponentials, their sum and quotients": {
    of: () => input([64, 10]).softmax(1),
    kernels: ["max / map / sum / map"],
    withoutArena: true,
  },
  "the logarithm of softmax is one kernel: of each row a maximum, a sum and a map": {
    of: () => input([64, 10]).logSoftmax(1),
    kernels: ["max / sum / map"],
    withoutArena: true,
  },
  "layer normalization is one kernel: of each row two sums and a map": {
    of: () => F.layerNorm(input([64, 100]), [100], { weight: input([100]), bias: input([100]) }),
    kernels: ["sum / sum / map"],
    withoutArena: true,
  },
  "batch normalization and a rectifier are one kernel: of each channel two sums and a map": {
    of: () => F.batchNorm(input([16, 8, 10, 10]), null, null, affineOf(8)).relu(),
    kernels: ["sum / sum / map"],
    withoutArena: true,
  },
  "a matrix product with bias and activation is one contraction": {
    of: () => F.linear(input([64, 100]), input([30, 100]), input([30])).sigmoid(),
    kernels: ["dot"],
  },
  "a matrix product with bias and rectifier is one contraction": {
    of: () => F.linear(input([64, 100]), input([30, 100]), input([30])).relu(),
    kernels: ["dot"],
  },
  "a residual is part of the contraction before it": {
    of: () => {
      const x = input([64, 100]);
      return F.linear(x, input([100, 100]), input([100]))
        .tanh()
        .add(x);
    },
    kernels: ["dot"],
  },
  "attention is two contractions around a softmax": {
    of: () => {
      const [query, key, value] = [input([4, 8, 16, 32]), input([4, 8, 16, 32]), input([4, 8, 16, 32])];
      return query.matmul(key.transpose(-1, -2)).mul(0.176).softmax(-1).matmul(value);
    },
    kernels: ["dot", "max / map / sum / map", "dot"],
  },
  "a convolution with bias and activation is one contraction": {
    of: () => F.conv2d(input([8, 3, 20, 20]), input([6, 3, 5, 5]), input([6])).sigmoid(),
    kernels: ["dot"],
  },
  "padding is written out before a convolution, and is all that is": {
    of: () => F.conv2d(input([8, 3, 20, 20]), input([6, 3, 5, 5]), input([6]), { padding: 2 }).sigmoid(),
    kernels: ["map", "dot"],
  },
  "a convolution of 1x1 is one contraction": {
    of: () => F.conv2d(input([8, 16, 20, 20]), input([6, 16, 1, 1]), input([6])).sigmoid(),
    kernels: ["dot"],
  },
  "a convolution in groups is one contraction": {
    of: () => F.conv2d(input([8, 16, 20, 20]), input([32, 4, 3, 3]), input([32]), { groups: 4 }).sigmoid(),
    kernels: ["dot"],
  },
  "a depthwise convolution is one contraction": {
    of: () => F.conv2d(input([8, 16, 20, 20]), input([16, 1, 3, 3]), input([16]), { groups: 16 }).sigmoid(),
    kernels: ["dot"],
  },
  "a transposed convolution is its input spread out and one contraction": {
    of: () => F.convTranspose2d(input([8, 16, 10, 10]), input([16, 8, 4, 4]), input([8]), { stride: 2 }).sigmoid(),
    kernels: ["map", "dot"],
  },
  "mean pooling is one kernel": {
    of: () => F.avgPool2d(input([8, 3, 20, 20]), 2),
    kernels: ["sum"],
    withoutArena: true,
  },
  "max pooling is one kernel": {
    of: () => F.maxPool2d(input([8, 3, 20, 20]), 3, { stride: 2 }),
    kernels: ["max"],
    withoutArena: true,
  },
  "a sum of very many elements is taken in two steps": {
    of: () => input([512, 512]).exp().sum(),
    kernels: ["sum", "sum"],
  },
  "updates of many parameters by gradient descent are one kernel": {
    of: () => {
      const rate = gd.scalar(0.1);
      const shapes = [[256, 784], [256], [128, 256], [128], [10, 128], [10]];
      return shapes.map((shape) => input(shape).sub(input(shape).mul(rate)));
    },
    kernels: ["map x 6"],
    withoutArena: true,
  },
  "updates of many parameters and their moments by Adam are one kernel": {
    of: () => {
      const [rate, first, second] = [0.001, 0.9, 0.999].map((value) => gd.scalar(value));
      return [[256, 784], [256], [10, 256], [10]].flatMap((shape) => {
        const [parameter, gradient, m, v] = [0, 1, 2, 3].map(() => input(shape));
        const mean = m.mul(first).add(gradient.mul(first.rsub(1)));
        const square = v.mul(second).add(gradient.square().mul(second.rsub(1)));
        return [parameter.sub(mean.div(square.sqrt().add(1e-8)).mul(rate)), mean, square];
      });
    },
    kernels: ["map x 4"],
    withoutArena: true,
  },
};

function affineOf(channels: number) {
  return { weight: input([channels]), bias: input([channels]), training: true } as const;
}

const asList = (outputs: gd.Tensor | readonly gd.Tensor[]): readonly gd.Tensor[] =>
  Array.isArray(outputs) ? outputs : [outputs as gd.Tensor];

describe("kernels", () => {
  test.each(Object.entries(expectations))("%s", (_, { of, kernels, withoutArena }) => {
    const program = programOf(...asList(of()));
    expect(kernelNames(program)).toEqual(kernels);
    expect(deadKernels(program)).toEqual([]);
    if (withoutArena) expect(program.plan.arenaBytes).toBe(0);
  });
});

/** A forward and backward pass, and the most kernels it may take. */
const gradients: {
  readonly [of: string]: {
    readonly loss: (...leaves: gd.Tensor[]) => gd.Tensor;
    readonly leaves: readonly (readonly number[])[];
    readonly atMost: number;
  };
} = {
  "a linear layer": {
    leaves: [[64, 100], [30, 100], [30]],
    loss: (x, weight, bias) => F.linear(x, weight, bias).relu().square().sum(),
    atMost: 5,
  },
  "a convolution": {
    leaves: [[8, 3, 20, 20], [6, 3, 5, 5], [6]],
    loss: (x, weight, bias) => F.conv2d(x, weight, bias, { padding: 2 }).sigmoid().square().sum(),
    atMost: 9,
  },
  "batch normalization": {
    leaves: [[16, 8, 10, 10], [8], [8]],
    loss: (x, weight, bias) => F.batchNorm(x, null, null, { weight, bias, training: true }).relu().square().sum(),
    atMost: 2,
  },
  softmax: {
    leaves: [[64, 10]],
    loss: (x) =>
      x
        .softmax(1)
        .mul(input([64, 10]))
        .sum(),
    atMost: 2,
  },
  "cross-entropy": {
    leaves: [[64, 10]],
    loss: (x) => F.crossEntropy(x, input([64], { dtype: "int32" })),
    atMost: 3,
  },
};

describe("a forward and backward pass", () => {
  test.each(Object.entries(gradients))("of %s takes few kernels, and none in vain", (_, { loss, leaves, atMost }) => {
    const inputs = leaves.map((shape) => input(shape, { requiresGrad: true }));
    const value = loss(...inputs);
    const program = programOf(value, ...gd.grad(value, inputs));
    expect(program.kernels.length).toBeLessThanOrEqual(atMost);
    expect(deadKernels(program)).toEqual([]);
  });

  test("of the gradient of a gradient has no kernel in vain either", () => {
    const [x, weight] = [input([16, 20], { requiresGrad: true }), input([5, 20], { requiresGrad: true })];
    const [gradient] = gd.grad(F.linear(x, weight).tanh().square().sum(), [x], { createGraph: true });
    const penalty = gradient.square().sum(1).sqrt().sub(1).square().mean();
    const program = programOf(penalty, ...gd.grad(penalty, [weight]));
    expect(deadKernels(program)).toEqual([]);
    expect(kernelNames(program).filter((name) => name === "dot").length).toBeLessThanOrEqual(6);
  });
});

describe("views", () => {
  const chain = (): gd.Tensor => input([8, 3, 20]).permute(2, 0, 1).reshape(20, 24).slice(1, 2, 20, 3); // [20, 6]

  test("are read through by maps, without a copy", () => {
    const program = programOf(chain().exp());
    expect([kernelNames(program), program.plan.arenaBytes]).toEqual([["map"], 0]);
  });

  test("are read through by reductions, without a copy", () => {
    const program = programOf(chain().flip(0).sum(1));
    expect([kernelNames(program), program.plan.arenaBytes]).toEqual([["sum"], 0]);
  });

  test("are read through by contractions, without a copy", () => {
    const program = programOf(chain().matmul(input([7, 6]).T));
    expect(kernelNames(program)).toEqual(["dot"]);
    expect(deadStores(program)).toEqual([]);
  });

  test("of padding, windows and repetitions are read through by maps and reductions", () => {
    const padded = input([6, 10]).pad([1, 2], 0.5);
    for (const tensor of [padded.exp(), padded.unfold(1, 3, 1).sum(2), padded.unsqueeze(0).expand([4, 6, 13]).tanh()]) {
      expect(kernelNames(programOf(tensor)).length).toBe(1);
    }
  });

  test("alone are one copy into the result", () => {
    const program = programOf(chain());
    expect([kernelNames(program), program.plan.arenaBytes]).toEqual([["map"], 0]);
  });
});

describe("simplification", () => {
  test("removes operations that do nothing", () => {
    const x = input([5, 7]);
    const program = programOf(x.mul(1).add(0).neg().neg().div(1).T.T.reshape(35).reshape(5, 7).exp());
    const plain = programOf(x.exp());
    expect(kernelNames(program)).toEqual(kernelNames(plain));
    expect(program.kernels[0].phases).toHaveLength(plain.kernels[0].phases.length);
    expect(program.plan.arenaBytes).toBe(0);
  });

  test("computes arithmetic of constants at compile time", () => {
    const program = programOf(gd.full([4], 3).mul(2).add(1).sqrt().exp());
    expect(kernelNames(program)).toEqual(["map"]);
    expect(program.inputs).toEqual([]);
  });

  test("computes equal expressions once", () => {
    const [x, weight] = [input([16, 20]), input([20, 20])];
    const once = x.matmul(weight).sigmoid();
    const twice = x.matmul(weight).sigmoid();
    expect(kernelNames(programOf(once.add(1), twice.mul(2)))).toEqual(["dot"]);
  });

  test("leaves out a part of the graph that does not reach a result", () => {
    const x = input([16, 20]);
    x.exp().sum();
    expect(kernelNames(programOf(x.mul(3)))).toEqual(["map"]);
  });
});

test("an input that is a result too is copied", () => {
  const x = input([3, 4]);
  const program = programOf(x, x.add(1));
  expect(program.outputs.length).toBe(2);
  expect(kernelNames(program)).toEqual(["map"]);
});

test("one value asked for twice is stored in two places by one kernel", () => {
  const y = input([3, 4]).exp();
  const program = programOf(y, y);
  expect(program.outputs.length).toBe(2);
  expect(kernelNames(program)).toEqual(["map"]);
});
