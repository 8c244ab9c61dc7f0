// Every loss, as a layer and as a function, with its reductions and options against PyTorch: values, gradients of all
// inputs that have one, and second derivatives of the smooth ones. Then what a loss refuses, and what it must not do at
// its edges.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/losses.json";
import { useDevice } from "../support/device.ts";
import type { StoredTensor } from "../support/golden.ts";
import { construct, expectTensor, normal, tensorOf, titleOf } from "../support/nn-golden.ts";

beforeAll(useDevice);

const { F, nn } = gd;

/** What tools/golden_losses.py writes. */
interface LossCase {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: readonly StoredTensor[];
  /** Which inputs have gradients. */
  readonly learn: readonly number[];
  readonly seed: StoredTensor;
  readonly output: StoredTensor;
  readonly gradients: readonly StoredTensor[];
  readonly second?: { readonly seeds: readonly StoredTensor[]; readonly gradients: readonly StoredTensor[] };
}

type LossFunction = (...inputs: (gd.Tensor | Readonly<Record<string, unknown>>)[]) => gd.Tensor;

/** The function of each layer; every loss that the golden data know stands here. */
const functions: Readonly<Record<string, unknown>> = {
  MSELoss: F.mseLoss,
  L1Loss: F.l1Loss,
  SmoothL1Loss: F.smoothL1Loss,
  HuberLoss: F.huberLoss,
  GaussianNLLLoss: F.gaussianNllLoss,
  PoissonNLLLoss: F.poissonNllLoss,
  CrossEntropyLoss: F.crossEntropy,
  NLLLoss: F.nllLoss,
  MultiMarginLoss: F.multiMarginLoss,
  MultiLabelMarginLoss: F.multilabelMarginLoss,
  MultiLabelSoftMarginLoss: F.multilabelSoftMarginLoss,
  BCELoss: F.binaryCrossEntropy,
  BCEWithLogitsLoss: F.binaryCrossEntropyWithLogits,
  SoftMarginLoss: F.softMarginLoss,
  KLDivLoss: F.klDiv,
  HingeEmbeddingLoss: F.hingeEmbeddingLoss,
  MarginRankingLoss: F.marginRankingLoss,
  CosineEmbeddingLoss: F.cosineEmbeddingLoss,
  TripletMarginLoss: F.tripletMarginLoss,
  TripletMarginWithDistanceLoss: F.tripletMarginWithDistanceLoss,
};

function withTensors(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const made = (value: unknown): unknown => {
    if (Array.isArray(value)) return gd.tensor(value as number[]);
    return value === "inf" ? Number.POSITIVE_INFINITY : value;
  };
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, made(value)]));
}

/** A case of the CTC loss: of the input's log-softmax. */
interface SequenceCase {
  readonly options: Readonly<Record<string, unknown>>;
  readonly input: StoredTensor;
  readonly targets: StoredTensor;
  readonly inputLengths: readonly number[] | number;
  readonly targetLengths: readonly number[] | number;
  readonly seed: StoredTensor;
  readonly output: StoredTensor;
  /** Absent where the loss is infinite. */
  readonly gradient?: StoredTensor;
}

const { sequences: storedSequences, ...storedTables } = golden;
const sequences = storedSequences as unknown as readonly SequenceCase[];
const tables = Object.entries(storedTables) as unknown as readonly (readonly [string, readonly LossCase[]])[];

describe.each(tables)("losses of %s agree with PyTorch", (_table, cases) => {
  test.each(cases.map((loss, i) => [`${i} ${titleOf(loss.type, [loss.options])}`, loss] as const))(
    "%s",
    async (_title, { type, options, inputs, learn, seed, output, gradients, second }) => {
      const given = inputs.map((input, i) => tensorOf(input, learn.includes(i)));
      const wanted = learn.map((i) => given[i]);
      const layer = construct<gd.nn.Module<gd.Tensor[]>>(nn, type, [withTensors(options)]);
      const value = layer.forward(...given);
      const found = gd.grad(value.mul(tensorOf(seed)).sum(), wanted, { createGraph: second !== undefined });
      await gd.flush(value, ...found);
      await expectTensor(value, output, "loss");
      for (const [k, i] of learn.entries()) await expectTensor(found[k], gradients[k], `gradient of input ${i}`);
      const called = (functions[type] as LossFunction)(...given, withTensors(options));
      expect(await called.data()).toEqual(await value.data());
      if (second === undefined) return;
      const parts = found.map((gradient, k) => gradient.mul(tensorOf(second.seeds[k])).sum());
      const penalty = parts.reduce((total, part) => total.add(part));
      const curvatures = penalty.requiresGrad
        ? gd.grad(penalty, wanted, { allowUnused: true })
        : wanted.map(() => null);
      for (const [k, i] of learn.entries()) {
        const curvature = curvatures[k] ?? gd.zerosLike(wanted[k]);
        await expectTensor(curvature, second.gradients[k], `second derivative of input ${i}`);
      }
    },
  );
});

describe("the loss of sequences agrees with PyTorch", () => {
  test.each(sequences.map((sequence, i) => [`${i} ${titleOf("CTCLoss", [sequence.options])}`, sequence] as const))(
    "%s",
    async (_title, { options, input, targets, inputLengths, targetLengths, seed, output, gradient }) => {
      const x = tensorOf(input, true);
      const labels = tensorOf(targets);
      const value = new nn.CTCLoss(options).forward(x.logSoftmax(-1), labels, inputLengths, targetLengths);
      const [found] = gd.grad(value.mul(tensorOf(seed)).sum(), x);
      await gd.flush(value, found);
      await expectTensor(value, output, "loss");
      if (gradient !== undefined) await expectTensor(found, gradient, "gradient");
      if (targets.shape.length !== 2) return;
      const lengths = [inputLengths, targetLengths].map((length) => gd.tensor(length as number[], { dtype: "int32" }));
      const called = F.ctcLoss(x.logSoftmax(-1), labels, lengths[0], lengths[1], options);
      expect(await called.data()).toEqual(await value.data());
    },
  );
});

const classIndices = (values: readonly number[]): gd.Tensor => gd.tensor(values, { dtype: "int32" });

describe("the hinge of a linear classifier", () => {
  const scores = [0.3, -0.4, 1.5, -2, 1];
  const signs = [1, 1, 1, -1, -1];
  const hinges = scores.map((score, i) => Math.max(0, 1 - signs[i] * score));

  test.each([
    [false, hinges, (hinge: number) => (hinge > 0 ? 1 : 0)],
    [true, hinges.map((hinge) => hinge ** 2), (hinge: number) => 2 * hinge],
  ] as const)("is max(0, 1 - y x), squared: %s", async (squared, expected, slope) => {
    const x = gd.tensor(scores, { requiresGrad: true });
    const loss = new nn.HingeLoss({ squared, reduction: "none" }).forward(x, gd.tensor(signs));
    loss.sum().backward();
    await gd.flush(loss);
    const stored = (data: readonly number[]): StoredTensor => ({ shape: [5], dtype: "float32", data });
    await expectTensor(loss, stored(expected), "loss");
    const slopes = hinges.map((hinge, i) => -signs[i] * slope(hinge));
    await expectTensor(x.grad!, stored(slopes), "gradient");
    const mean = expected.reduce((sum, value) => sum + value, 0) / 5;
    expect(await F.hingeLoss(x, gd.tensor(signs), { squared }).item()).toBeCloseTo(mean, 5);
  });

  test("takes labels of integers, and marks those that are neither 1 nor -1", async () => {
    const labels = classIndices([1, -1]);
    expect(await F.hingeLoss(gd.tensor([0.5, 0.5]), labels, { reduction: "sum" }).item()).toBeCloseTo(2, 6);
    expect(await F.hingeLoss(gd.tensor([0.5, 0.5]), classIndices([1, 0])).item()).toBeNaN();
  });
});

type Case = readonly [name: string, loss: (options: gd.nn.functional.LossOptions) => gd.Tensor];

/** Every loss on something it takes; `x` is what it learns from. */
function everyLoss(x: gd.Tensor): readonly Case[] {
  const y = normal(x.shape, 2);
  const z = normal(x.shape, 3);
  const sign = y.sign();
  const rows = x.shape[0];
  const labels = classIndices(Array.from({ length: rows }, (_, i) => i % x.shape[1]));
  const lists = y.gt(0).to("int32").sub(1);
  const lengths = [x.shape[1], 2];
  return [
    ["mseLoss", (o) => F.mseLoss(x, y, o)],
    ["l1Loss", (o) => F.l1Loss(x, y, o)],
    ["smoothL1Loss", (o) => F.smoothL1Loss(x, y, o)],
    ["huberLoss", (o) => F.huberLoss(x, y, o)],
    ["gaussianNllLoss", (o) => F.gaussianNllLoss(x, y, z.exp(), o)],
    ["poissonNllLoss", (o) => F.poissonNllLoss(x, y.exp(), o)],
    ["crossEntropy", (o) => F.crossEntropy(x, labels, o)],
    ["crossEntropy of probabilities", (o) => F.crossEntropy(x, y.softmax(1), o)],
    ["nllLoss", (o) => F.nllLoss(x.logSoftmax(1), labels, o)],
    ["multiMarginLoss", (o) => F.multiMarginLoss(x, labels, o)],
    ["multilabelMarginLoss", (o) => F.multilabelMarginLoss(x, lists, o)],
    ["multilabelSoftMarginLoss", (o) => F.multilabelSoftMarginLoss(x, y.sigmoid(), o)],
    ["binaryCrossEntropy", (o) => F.binaryCrossEntropy(x.sigmoid(), y.sigmoid(), o)],
    ["binaryCrossEntropyWithLogits", (o) => F.binaryCrossEntropyWithLogits(x, y.sigmoid(), o)],
    ["softMarginLoss", (o) => F.softMarginLoss(x, sign, o)],
    ["klDiv", (o) => F.klDiv(x.logSoftmax(1), y.softmax(1), o)],
    ["hingeLoss", (o) => F.hingeLoss(x, sign, o)],
    ["hingeEmbeddingLoss", (o) => F.hingeEmbeddingLoss(x, sign, o)],
    ["marginRankingLoss", (o) => F.marginRankingLoss(x, y, z.sign(), o)],
    ["cosineEmbeddingLoss", (o) => F.cosineEmbeddingLoss(x, y, sign.select(1, 0), o)],
    ["tripletMarginLoss", (o) => F.tripletMarginLoss(x, y, z, o)],
    ["tripletMarginWithDistanceLoss", (o) => F.tripletMarginWithDistanceLoss(x, y, z, o)],
    [
      "ctcLoss",
      (o) =>
        F.ctcLoss(
          x.unsqueeze(1).expand(rows, 2, lengths[0]).logSoftmax(2),
          lists.neg().narrow(0, 0, 2),
          [3, 3],
          [1, 0],
          o,
        ),
    ],
  ];
}

const names = everyLoss(gd.ones([4, 3])).map(([name]) => name);

describe.each(names.map((name, i) => [name, i] as const))("%s", (_name, i) => {
  test("has no reduction but PyTorch's", () => {
    const [, loss] = everyLoss(normal([4, 3], 1))[i];
    const reduction = "median" as "mean";
    expect(() => loss({ reduction })).toThrow(gd.ArgumentError);
    expect(() => loss({ reduction })).toThrow(/median/);
  });

  test("computes in float64 where its input is of float64", async () => {
    const x = gd.randn([4, 3], { dtype: "float64", generator: new gd.Generator(5) });
    const [, loss] = everyLoss(x)[i];
    const single = everyLoss(x.to("float32"))[i][1];
    expect(loss({}).dtype).toBe("float64");
    expect(await single({}).item()).toBeCloseTo(await loss({}).item(), 5);
  });

  test("stays finite, and so does its gradient, for numbers of 10,000", async () => {
    const x = normal([4, 3], 7).sign().mul(1e4).requiresGrad_();
    const [name, loss] = everyLoss(x)[i];
    // exp(10,000) is infinite by right; the rate itself is the other form of this loss.
    if (name === "poissonNllLoss") return;
    const value = loss({});
    const [gradient] = gd.grad(value, x);
    await gd.flush(value, gradient);
    expect(await value.item()).toSatisfy(Number.isFinite);
    expect(Array.from(await gradient.data())).toSatisfy((all: number[]) => all.every(Number.isFinite));
  });
});

describe("a prediction that could not be better", () => {
  test("has the loss 0 and a gradient of 0", async () => {
    const y = normal([4, 3], 1);
    const same = y.clone().requiresGrad_();
    const logits = gd.eye(3).mul(2e4).sub(1e4).requiresGrad_();
    const labels = classIndices([0, 1, 2]);
    const perfect: readonly (readonly [string, gd.Tensor, gd.Tensor])[] = [
      ["mse", F.mseLoss(same, y), same],
      ["l1", F.l1Loss(same, y), same],
      ["smooth l1", F.smoothL1Loss(same, y), same],
      ["huber", F.huberLoss(same, y), same],
      ["cross-entropy", F.crossEntropy(logits, labels), logits],
      ["logits", F.binaryCrossEntropyWithLogits(logits, gd.eye(3)), logits],
      ["soft margin", F.softMarginLoss(logits, gd.eye(3).mul(2).sub(1)), logits],
      ["hinge", F.hingeLoss(logits, gd.eye(3).mul(2).sub(1)), logits],
      ["multi margin", F.multiMarginLoss(logits, labels), logits],
      ["triplet without eps", F.tripletMarginLoss(same, y, y.add(100), { eps: 0 }), same],
      ["embedding at a distance of 0", F.hingeEmbeddingLoss(same.sub(y).norm(2, 1), gd.ones([4])), same],
    ];
    for (const [name, loss, x] of perfect) {
      const [gradient] = gd.grad(loss, x);
      expect(await loss.item(), name).toBe(0);
      expect(
        Array.from(await gradient.data()).map((value) => Math.abs(value)),
        name,
      ).toEqual(new Array(x.numel()).fill(0));
    }
  });
});

describe("a loss refuses or marks what makes no sense", () => {
  const x = normal([3, 4], 1);

  test("shapes that would only broadcast are an error that names them", () => {
    const column = normal([3, 1], 2);
    const row = normal([3], 3);
    const losses: readonly (() => gd.Tensor)[] = [
      () => F.mseLoss(column, row),
      () => F.l1Loss(column, row),
      () => F.smoothL1Loss(column, row),
      () => F.huberLoss(column, row),
      () => F.gaussianNllLoss(column, row, row),
      () => F.poissonNllLoss(column, row),
      () => F.binaryCrossEntropy(column, row),
      () => F.binaryCrossEntropyWithLogits(column, row),
      () => F.softMarginLoss(column, row),
      () => F.multilabelSoftMarginLoss(column, row),
      () => F.klDiv(column, row),
      () => F.hingeLoss(column, row),
      () => F.hingeEmbeddingLoss(column, row),
      () => F.marginRankingLoss(column, column, row),
      () => F.cosineEmbeddingLoss(x, x, column),
      () => F.tripletMarginLoss(column, column, row),
    ];
    for (const loss of losses) {
      expect(loss).toThrow(gd.ShapeError);
      expect(loss).toThrow(/\[3, [14]\] and .*\[3(, 1)?\]/);
    }
  });

  test("class indices must be integers, and the error says how to cast them", () => {
    const losses = [F.crossEntropy, F.nllLoss, F.multiMarginLoss];
    for (const loss of losses) {
      expect(() => loss(x, gd.tensor([0, 1, 2]))).toThrow(gd.DTypeError);
      expect(() => loss(x, gd.tensor([0, 1, 2]))).toThrow(/\.to\("int32"\)/);
    }
    expect(() => F.multilabelMarginLoss(x, x)).toThrow(/\.to\("int32"\)/);
    expect(() => F.ctcLoss(x, gd.tensor([1, 2]), 3, 2)).toThrow(/\.to\("int32"\)/);
  });

  test("uint8 and bool count as class indices", async () => {
    const expected = await F.crossEntropy(x, classIndices([0, 1, 1])).item();
    expect(await F.crossEntropy(x, gd.tensor([0, 1, 1], { dtype: "uint8" })).item()).toBe(expected);
    expect(await F.crossEntropy(x, gd.tensor([false, true, true])).item()).toBe(expected);
  });

  test("a class that does not exist gives NaN, and only there", async () => {
    for (const wrong of [4, -1, 1000]) {
      const labels = classIndices([0, wrong, 3]);
      for (const loss of [F.crossEntropy, F.nllLoss, F.multiMarginLoss]) {
        const [first, second, third] = await loss(x, labels, { reduction: "none" }).data();
        expect([first, third]).not.toContain(Number.NaN);
        expect(second).toBeNaN();
        expect(await loss(x, labels).item()).toBeNaN();
      }
    }
    const lists = gd.tensor(
      [
        [0, 4, -1, 0],
        [1, -1, 7, 7],
        [-1, 0, 0, 0],
      ],
      { dtype: "int32" },
    );
    const [first, ...others] = await F.multilabelMarginLoss(x, lists, { reduction: "none" }).data();
    expect(first).toBeNaN();
    expect(others).not.toContain(Number.NaN);
    const logProbs = normal([5, 2, 4], 3).logSoftmax(2);
    const rows = gd.tensor(
      [
        [1, 9],
        [1, 9],
      ],
      { dtype: "int32" },
    );
    const [known, unknown] = await F.ctcLoss(logProbs, rows, [5, 5], [1, 2], { reduction: "none" }).data();
    expect(known).not.toBeNaN();
    expect(unknown).toBeNaN();
  });

  test("probabilities must have the input's shape, and know no index to ignore", () => {
    expect(() => F.crossEntropy(x, x.narrow(1, 0, 3).softmax(1))).toThrow(gd.ShapeError);
    expect(() => F.crossEntropy(x, x.softmax(1), { ignoreIndex: 1 })).toThrow(gd.ArgumentError);
    expect(() => F.crossEntropy(x, x.softmax(1), { weight: gd.ones([3]) })).toThrow(gd.ShapeError);
  });

  test("there is a weight for every class", () => {
    const labels = classIndices([0, 1, 2]);
    const weight = gd.ones([3]);
    expect(() => F.crossEntropy(x, labels, { weight })).toThrow(/4 classes/);
    expect(() => F.nllLoss(x, labels, { weight })).toThrow(/4 classes/);
    expect(() => F.multiMarginLoss(x, labels, { weight })).toThrow(/4 classes/);
    expect(() => F.multilabelSoftMarginLoss(x, x, { weight })).toThrow(/4 classes/);
  });

  test.each([
    ["a negative beta", () => F.smoothL1Loss(x, x, { beta: -1 })],
    ["a delta of 0", () => F.huberLoss(x, x, { delta: 0 })],
    ["a smoothing above 1", () => F.crossEntropy(x, classIndices([0, 1, 2]), { labelSmoothing: 1.5 })],
    ["an index to ignore that is no integer", () => F.crossEntropy(x, classIndices([0, 1, 2]), { ignoreIndex: 0.5 })],
    ["an exponent of 3", () => F.multiMarginLoss(x, classIndices([0, 1, 2]), { p: 3 })],
    ["a norm of order 0", () => F.tripletMarginLoss(x, x, x, { p: 0 })],
    ["a smallest variance of 0", () => F.gaussianNllLoss(x, x, x, { eps: 0 })],
    ["a blank that is no class", () => F.ctcLoss(x, classIndices([1]), 3, 1, { blank: 4 })],
    ["a sequence longer than its input", () => F.ctcLoss(x, classIndices([1]), 4, 1)],
    ["a target longer than its row", () => F.ctcLoss(x, classIndices([1]), 3, 2)],
    [
      "targets in a row with lengths as a tensor",
      () => F.ctcLoss(normal([3, 2, 4], 1), classIndices([1, 2]), [3, 3], classIndices([1, 1])),
    ],
  ])("%s is an error", (_what, loss) => {
    expect(loss).toThrow(gd.ArgumentError);
  });

  test.each([
    ["scores of three dimensions", () => F.multiMarginLoss(normal([2, 3, 2], 1), classIndices([0, 1]))],
    [
      "pairs of three dimensions",
      () => F.cosineEmbeddingLoss(normal([2, 3, 2], 1), normal([2, 3, 2], 1), normal([2, 3], 1)),
    ],
    ["a variance for other rows", () => F.gaussianNllLoss(x, x, gd.ones([4]))],
    ["class indices for other rows", () => F.crossEntropy(x, classIndices([0, 1]))],
    ["no classes", () => F.crossEntropy(gd.zeros([3, 0]), classIndices([0, 1, 2]))],
    ["lengths for other sequences", () => F.ctcLoss(normal([3, 2, 4], 1), gd.ones([2, 2]).to("int32"), [3], [1, 1])],
  ])("%s are an error", (_what, loss) => {
    expect(loss).toThrow(gd.ShapeError);
  });

  test("a negative variance gives NaN", async () => {
    expect(await F.gaussianNllLoss(x, x, gd.full([3, 1], -0.1)).item()).toBeNaN();
  });
});

describe("loss layers", () => {
  test("keep weights under PyTorch's keys, and load them", async () => {
    const weight = gd.tensor([1, 2]);
    const losses = [
      new nn.CrossEntropyLoss({ weight }),
      new nn.NLLLoss({ weight }),
      new nn.BCELoss({ weight }),
      new nn.MultiMarginLoss({ weight }),
      new nn.MultiLabelSoftMarginLoss({ weight }),
    ];
    for (const loss of losses) {
      expect([...loss.stateDict().keys()]).toEqual(["weight"]);
      loss.loadStateDict({ weight: gd.tensor([3, 4]) });
      expect(Array.from(await loss.weight!.data())).toEqual([3, 4]);
    }
    const logits = new nn.BCEWithLogitsLoss({ posWeight: weight, weight });
    expect([...logits.stateDict().keys()]).toEqual(["weight", "pos_weight"]);
    expect([...new nn.MSELoss().stateDict().keys()]).toEqual([]);
    expect(losses[0].parameters()).toEqual([]);
  });

  test("take a distance of one's own", async () => {
    const [anchor, positive, negative] = [1, 2, 3].map((seed) => normal([4, 3], seed));
    const distanceFunction = (a: gd.Tensor, b: gd.Tensor): gd.Tensor => a.sub(b).abs().amax(1);
    const loss = new nn.TripletMarginWithDistanceLoss({ distanceFunction, margin: 0.5, reduction: "sum" });
    const expected = distanceFunction(anchor, positive).sub(distanceFunction(anchor, negative)).add(0.5).relu().sum();
    expect(await loss.forward(anchor, positive, negative).item()).toBeCloseTo(await expected.item(), 5);
  });
});

test("the cross-entropy of many classes stores nothing of the logits' size but their gradient", async () => {
  const [rows, classes] = [8, 2000];
  const logits = new nn.Parameter(normal([rows, classes], 1));
  const labels = classIndices([0, 5, 1999, 3, 8, 77, 1000, 2]);
  await gd.flush(logits, labels);
  const loss = F.crossEntropy(logits, labels);
  loss.backward();
  await gd.flush(loss, logits.grad!);
  expect(gd.memory().arenaBytes).toBeLessThan(rows * classes);
});
