// Every initializer: its distribution against PyTorch's and against theory, its values where nothing is random, what it
// refuses, and a whole model initialized at once.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { hostNormal } from "../../src/nn/init/host-random.ts";
import { orthonormalVectors } from "../../src/nn/init/orthogonal.ts";
import { normalQuantile } from "../../src/nn/init/truncated.ts";
import golden from "../golden/init.json";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import type { StoredTensor } from "../support/golden.ts";
import { expectTensor, normal, titleOf } from "../support/nn-golden.ts";

const { nn } = gd;
const { init } = nn;
beforeAll(useDevice);

// What tools/golden_init.py writes.

interface Call {
  readonly type: string;
  readonly args: readonly number[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly shape: readonly number[];
}

interface DistributionCase extends Call {
  readonly mean: number;
  readonly std: number;
  readonly lowest: number;
  readonly highest: number;
  readonly zeros: number;
  /** Of what is not zero: share and value. */
  readonly quantiles: readonly (readonly [share: number, value: number])[];
}

const { distributions, exact, refusals, gains, fans } = golden as unknown as {
  readonly distributions: readonly DistributionCase[];
  readonly exact: readonly (Call & { readonly value: StoredTensor })[];
  readonly refusals: readonly (Call & { readonly refused: boolean })[];
  readonly gains: readonly (readonly [name: string, slope: number | null, gain: number])[];
  readonly fans: readonly (readonly [shape: readonly number[], fanIn: number, fanOut: number])[];
};

/** Calls an initializer as a case says on a parameter of its shape. */
function initialize(
  { type, args, options, shape }: Call,
  given: gd.Tensor = new nn.Parameter(gd.full(shape, 7)),
): gd.Tensor {
  const functions = init as unknown as Record<string, (tensor: gd.Tensor, ...rest: unknown[]) => gd.Tensor>;
  return functions[type](given, ...args, ...(options && Object.keys(options).length > 0 ? [options] : []));
}

const titleOfCall = ({ type, args, options, shape }: Call): string =>
  `${titleOf(type, [...args, options])} of [${shape}]`;

interface Statistics {
  readonly mean: number;
  readonly std: number;
}

function statisticsOf(values: readonly number[]): Statistics {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, std: Math.sqrt(square) };
}

const numbersOf = async (tensor: gd.Tensor): Promise<number[]> => Array.from(await tensor.data());

describe("distributions are PyTorch's", () => {
  test.each(distributions.map((row) => [titleOfCall(row), row] as const))("%s", async (_title, row) => {
    gd.manualSeed(17);
    const values = await numbersOf(initialize(row));
    const { mean, std } = statisticsOf(values);
    const drawn = values.filter((value) => value !== 0);
    // Both are samples: their means differ by about std sqrt(2 / n), their deviations by 1 / sqrt(n) of themselves at
    // most, and shares below a point by sqrt(1 / (2 n)) at most, n being how many numbers were drawn. Four times that.
    const slack = 4 / Math.sqrt(drawn.length);
    expect(Math.abs(mean - row.mean)).toBeLessThan(slack * Math.SQRT2 * row.std);
    expect(Math.abs(std / row.std - 1)).toBeLessThan(slack);
    expect((values.length - drawn.length) / values.length).toBe(row.zeros);
    for (const [share, value] of row.quantiles) {
      const below = drawn.filter((x) => x < value).length / drawn.length;
      expect(Math.abs(below - share)).toBeLessThan(slack * Math.SQRT1_2);
    }
    // Where PyTorch's numbers end, ours do: the largest of n normal numbers varies by some tenths of their deviation.
    const deviation = statisticsOf(drawn).std;
    expect(Math.abs(Math.max(...values) - row.highest)).toBeLessThan(deviation);
    expect(Math.abs(Math.min(...values) - row.lowest)).toBeLessThan(deviation);
  });
});

/** The integral of exp(-x^2 / 2) by Simpson's rule, which is exact to some 1e-9 here. */
function normalMass(from: number, to: number): number {
  const steps = 400;
  const width = (to - from) / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * Math.exp(-((from + i * width) ** 2) / 2);
  }
  return (sum * width) / 3;
}

/** The distribution function of a normal distribution cut off at a and b. */
const cutNormal = (mean: number, std: number, a: number, b: number): ((x: number) => number) => {
  const [low, high] = [(a - mean) / std, (b - mean) / std];
  const all = normalMass(low, high);
  return (x) => normalMass(low, (x - mean) / std) / all;
};

/** Kolmogorov and Smirnov's distance of numbers from a distribution, times sqrt(n). Above 1.95 only once in a thousand. */
function distanceFrom(distribution: (x: number) => number, values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const distances = sorted.map((x, i) => {
    const expected = distribution(x);
    return Math.max(Math.abs(expected - i / sorted.length), Math.abs(expected - (i + 1) / sorted.length));
  });
  return Math.max(...distances) * Math.sqrt(sorted.length);
}

describe("distributions are those of theory", () => {
  const sqrt = Math.sqrt;
  const uniform = (a: number, b: number) => (x: number) => (x - a) / (b - a);
  const bound = sqrt(3) * sqrt(2 / (30 + 60));
  const cases: readonly (readonly [string, (w: gd.Tensor) => gd.Tensor, (x: number) => number, number, number])[] = [
    ["uniform_", (w) => init.uniform_(w, -2, 3), uniform(-2, 3), -2, 3],
    ["normal_", (w) => init.normal_(w, 1, 2), cutNormal(1, 2, -19, 21), -19, 21],
    ["xavierUniform_", (w) => init.xavierUniform_(w), uniform(-bound, bound), -bound, bound],
    ["xavierNormal_", (w) => init.xavierNormal_(w, 3), cutNormal(0, 3 * sqrt(2 / 90), -10, 10), -10, 10],
    ["kaimingNormal_", (w) => init.kaimingNormal_(w), cutNormal(0, sqrt(2 / 60), -2, 2), -2, 2],
    [
      "kaimingUniform_",
      (w) => init.kaimingUniform_(w, { mode: "fanOut" }),
      uniform(-sqrt(6 / 30), sqrt(6 / 30)),
      -1,
      1,
    ],
    ["truncNormal_ at both sides", (w) => init.truncNormal_(w), cutNormal(0, 1, -2, 2), -2, 2],
    ["truncNormal_ far away", (w) => init.truncNormal_(w, 0, 1, -20, 20), cutNormal(0, 1, -9, 9), -9, 9],
    [
      "truncNormal_ off the middle",
      (w) => init.truncNormal_(w, 1, 0.5, -0.5, 1.2),
      cutNormal(1, 0.5, -0.5, 1.2),
      -0.5,
      1.2,
    ],
    ["truncNormal_ in the upper tail", (w) => init.truncNormal_(w, 0, 1, 5, 6), cutNormal(0, 1, 5, 6), 5, 6],
    ["truncNormal_ in the lower tail", (w) => init.truncNormal_(w, 0, 2, -13, -9), cutNormal(0, 2, -13, -9), -13, -9],
  ];

  test.each(cases)("%s", async (_name, initializer, distribution, lowest, highest) => {
    gd.manualSeed(23);
    const values = await numbersOf(initializer(new nn.Parameter(gd.zeros([30, 60]))));
    expect(distanceFrom(distribution, values)).toBeLessThan(1.95);
    // float32 may round the bound itself up.
    expect(Math.min(...values)).toBeGreaterThanOrEqual(Math.fround(lowest));
    expect(Math.max(...values)).toBeLessThanOrEqual(Math.fround(highest));
  });

  test("the quantiles of the normal distribution are right to 7 digits, far out as well", async () => {
    // Values of scipy.stats.norm.ppf.
    const known = [
      [1e-30, -11.464024988],
      [1e-20, -9.262340089798],
      [1e-9, -5.997807015008],
      [1e-4, -3.719016485456],
      [0.05, -1.644853626951],
      [0.3, -0.524400512708],
      [0.5, 0],
      [0.6, 0.253347103136],
      [0.975, 1.95996398454],
      [0.9999, 3.719016485456],
    ];
    const p = gd.tensor(
      known.map(([share]) => share),
      { dtype: "float64" },
    );
    const expected = known.map(([, value]) => value);
    expectClose(await normalQuantile(p).data(), expected, { rtol: 2e-7, atol: 1e-9 });
  });
});

describe("what is not random is PyTorch's to the last bit", () => {
  test.each(exact.map((row) => [titleOfCall(row), row] as const))("%s", async (_title, row) => {
    await expectTensor(initialize(row), row.value, row.type);
  });

  test.each(gains)("the gain of %s with a slope of %s", (name, slope, gain) => {
    expect(init.calculateGain(name as gd.nn.init.Nonlinearity, slope ?? undefined)).toBeCloseTo(gain, 12);
  });

  test.each(fans)("the fans of [%s]", (shape, fanIn, fanOut) => {
    expect(init.calculateFanInAndFanOut(gd.zeros(shape))).toEqual({ fanIn, fanOut });
  });
});

describe("orthogonal_", () => {
  const shapes: readonly (readonly number[])[] = [
    [1, 1],
    [1, 5],
    [5, 1],
    [8, 8],
    [20, 70],
    [70, 20],
    [6, 2, 3, 3],
    [3, 4, 5],
  ];

  /** The largest element of M M^T - gain^2 I, for the shorter side's vectors M. */
  async function defect(weight: gd.Tensor, gain: number): Promise<number> {
    const matrix = weight.detach().to("float64").flatten(1);
    const short = matrix.shape[0] <= matrix.shape[1] ? matrix : matrix.T;
    const error = short.matmul(short.T).sub(gd.eye(short.shape[0], undefined, { dtype: "float64" }).mul(gain ** 2));
    return error.abs().max().item();
  }

  test.each(shapes.map((shape) => [shape]))(
    "of [%s] has orthonormal rows or columns, times the gain",
    async (shape) => {
      const weight = new nn.Parameter(gd.zeros(shape));
      expect(init.orthogonal_(weight, 1)).toBe(weight);
      expect(await defect(weight, 1)).toBeLessThan(1e-6);
      expect(await defect(init.orthogonal_(weight, 3), 3)).toBeLessThan(1e-5);
    },
  );

  test("is as exact as its dtype", async () => {
    const weight = init.orthogonal_(gd.zeros([40, 40], { dtype: "float64" }));
    expect(weight.dtype).toBe("float64");
    expect(await defect(weight, 1)).toBeLessThan(1e-14);
    expect(() => init.orthogonal_(gd.zeros([2, 2], { dtype: "int32" }))).toThrow(gd.DTypeError);
  });

  test("gives every orthogonal matrix the same chance", () => {
    const draws = 3000;
    const source = hostNormal(new gd.Generator(9));
    const matrices = Array.from({ length: draws }, () => orthonormalVectors(3, 3, source));
    // Archimedes: one coordinate of a point that is anywhere on the sphere is uniform.
    for (const [i, j] of [
      [0, 0],
      [1, 0],
      [2, 1],
      [2, 2],
    ]) {
      const entries = matrices.map((vectors) => vectors[i][j]);
      expect(distanceFrom((x) => (x + 1) / 2, entries)).toBeLessThan(1.95);
    }
    // Rotations and reflections alike; the trace has the mean 0 and the variance 1 (Diaconis and Shahshahani, 1994).
    const determinants = matrices.map(
      ([a, b, c]) =>
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]),
    );
    const slack = 4 / Math.sqrt(draws);
    expect(Math.abs(statisticsOf(determinants).mean)).toBeLessThan(slack);
    const { mean, std } = statisticsOf(matrices.map(([a, b, c]) => a[0] + b[1] + c[2]));
    expect(Math.abs(mean)).toBeLessThan(slack);
    expect(Math.abs(std - 1)).toBeLessThan(slack);
  });
});

describe("sparse_", () => {
  test("has the same number of zeros in every column, at places of its own", async () => {
    gd.manualSeed(4);
    const weight = init.sparse_(gd.ones([20, 30]), 0.33);
    const zero = weight.eq(0);
    expect(Array.from(await zero.sum(0).data())).toEqual(new Array(30).fill(7));
    const columns = (await zero.T.to("int32").toArray()) as number[][];
    expect(new Set(columns.map((column) => column.join())).size).toBeGreaterThan(25);
  });

  test("of none and of all", async () => {
    expect(
      await init
        .sparse_(gd.ones([5, 4]), 0)
        .eq(0)
        .sum()
        .item(),
    ).toBe(0);
    expect(
      await init
        .sparse_(gd.ones([5, 4]), 1)
        .eq(0)
        .sum()
        .item(),
    ).toBe(20);
    expect(() => init.sparse_(gd.ones([5, 4]), 1.1)).toThrow(gd.ArgumentError);
  });
});

const randomOnes: readonly (readonly [string, (w: gd.Tensor, options?: gd.nn.init.InitOptions) => gd.Tensor])[] = [
  ["uniform_", (w, o) => init.uniform_(w, 0, 1, o)],
  ["normal_", (w, o) => init.normal_(w, 0, 1, o)],
  ["truncNormal_", (w, o) => init.truncNormal_(w, 0, 1, -2, 2, o)],
  ["xavierUniform_", (w, o) => init.xavierUniform_(w, 1, o)],
  ["xavierNormal_", (w, o) => init.xavierNormal_(w, 1, o)],
  ["kaimingUniform_", (w, o) => init.kaimingUniform_(w, o)],
  ["kaimingNormal_", (w, o) => init.kaimingNormal_(w, o)],
  ["orthogonal_", (w, o) => init.orthogonal_(w, 1, o)],
  ["sparse_", (w, o) => init.sparse_(w, 0.5, 1, o)],
];

describe.each(randomOnes)("%s", (_name, initializer) => {
  const fresh = (): gd.Tensor => new nn.Parameter(gd.zeros([6, 5]));

  test("repeats its numbers with the seed, and only then", async () => {
    const draw = (seed: number): Promise<gd.TypedArray> => {
      gd.manualSeed(seed);
      return initializer(fresh()).data();
    };
    const [first, again, other] = [await draw(1), await draw(1), await draw(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    gd.manualSeed(1);
    initializer(fresh());
    expect(await initializer(fresh()).data()).not.toEqual(first);
  });

  test("draws from a generator of one's own, and then not from the default one", async () => {
    const before = gd.defaultGenerator.getState();
    const draw = (seed: number): Promise<gd.TypedArray> =>
      initializer(fresh(), { generator: new gd.Generator(seed) }).data();
    expect(await draw(3)).toEqual(await draw(3));
    expect(await draw(3)).not.toEqual(await draw(4));
    expect(gd.defaultGenerator.getState()).toEqual(before);
  });

  test("leaves a parameter a parameter: it keeps its dtype, its shape and its gradient", async () => {
    const weight = new nn.Parameter(gd.zeros([6, 5], { dtype: "float64" }));
    expect(initializer(weight)).toBe(weight);
    expect([weight.dtype, weight.shape, weight.requiresGrad, weight.isLeaf]).toEqual(["float64", [6, 5], true, true]);
    weight.mul(2).sum().backward();
    expect(await numbersOf(weight.grad!)).toEqual(new Array(30).fill(2));
  });
});

/** Rows by their call. */
function groupsOf<T extends Call>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const title = titleOf(row.type, row.args);
    groups.set(title, [...(groups.get(title) ?? []), row]);
  }
  return groups;
}

describe("what PyTorch refuses is refused, and nothing else", () => {
  test.each([...groupsOf(refusals)])("%s", (_title, rows) => {
    for (const row of rows) {
      const attempt = (): gd.Tensor => initialize(row, gd.ones(row.shape));
      if (row.refused) expect(attempt, `[${row.shape}]`).toThrow(gd.GradusError);
      else expect(attempt, `[${row.shape}]`).not.toThrow();
    }
  });

  test("names that do not exist are refused with those that do", () => {
    const weight = gd.zeros([3, 4]);
    expect(() => init.calculateGain("relu6" as "relu")).toThrow(/leakyRelu/);
    expect(() => init.kaimingNormal_(weight, { nonlinearity: "toString" as "relu" })).toThrow(gd.ArgumentError);
    expect(() => init.kaimingUniform_(weight, { mode: "fan_in" as "fanIn" })).toThrow(/"fanIn" or "fanOut"/);
    expect(() => init.truncNormal_(weight, 0, 0)).toThrow(gd.ArgumentError);
    expect(() => init.truncNormal_(weight, 0, 1, 2, 2)).toThrow(gd.ArgumentError);
    expect(() => init.dirac_(gd.zeros([4, 2, 3]), 3)).toThrow(/3 groups do not divide 4/);
  });
});

describe("applyInit", () => {
  const model = (): gd.nn.Sequential =>
    new nn.Sequential(
      new nn.Conv2d(3, 8, 3),
      new nn.BatchNorm2d(8),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(8, 40),
      new nn.LayerNorm([2, 20]),
      new nn.Linear(40, 30),
    );

  /** The keys whose values an action changes. */
  async function changed(module: gd.nn.Module, action: () => unknown): Promise<string[]> {
    const read = async (): Promise<Map<string, gd.TypedArray>> => {
      const entries: [string, gd.TypedArray][] = [];
      for (const [key, tensor] of module.stateDict()) entries.push([key, await tensor.data()]);
      return new Map(entries);
    };
    const before = await read();
    action();
    const after = await read();
    return [...before.keys()].filter((key) => before.get(key)!.some((value, i) => value !== after.get(key)![i]));
  }

  const weights = ["0.weight", "4.weight", "6.weight"];
  const biases = ["0.bias", "4.bias", "6.bias"];

  test("gives weights values by a scheme, and leaves biases and normalizations alone", async () => {
    const net = model();
    expect(await changed(net, () => expect(init.applyInit(net, "kaimingNormal")).toBe(net))).toEqual(weights);
    expect((await changed(net, () => init.applyInit(net, "xavierUniform", { bias: 0.5 }))).sort()).toEqual(
      [...weights, ...biases].sort(),
    );
    expect(await numbersOf(net.stateDict().get("4.bias")!)).toEqual(new Array(40).fill(0.5));
  });

  test("hands the options on to the scheme", async () => {
    const net = new nn.Sequential(new nn.Linear(100, 200));
    const std = async (): Promise<number> => statisticsOf(await numbersOf(net.stateDict().get("0.weight")!)).std;
    const expectStd = async (expected: number): Promise<void> =>
      expect(Math.abs((await std()) / expected - 1)).toBeLessThan(4 / Math.sqrt(20_000));
    init.applyInit(net, "xavierNormal", { nonlinearity: "tanh" });
    await expectStd((5 / 3) * Math.sqrt(2 / 300));
    init.applyInit(net, "xavierUniform", { gain: 3 });
    await expectStd(3 * Math.sqrt(2 / 300));
    init.applyInit(net, "kaimingNormal", { mode: "fanOut", nonlinearity: "relu" });
    await expectStd(Math.sqrt(2 / 200));
    init.applyInit(net, "kaimingUniform", { a: 1 });
    await expectStd(Math.sqrt(1 / 100));
    init.applyInit(net, "orthogonal", { gain: 2 });
    await expectStd(2 / Math.sqrt(200));
    init.applyInit(net, "normal", { mean: 0, std: 0.02 });
    await expectStd(0.02);
    init.applyInit(net, "uniform", { a: -0.3, b: 0.3 });
    await expectStd(0.3 / Math.sqrt(3));
    init.applyInit(net, "truncNormal", { std: 0.02 });
    await expectStd(0.02);
  });

  test("follows rules of one's own", async () => {
    const net = model();
    const rules = { weight: (w: gd.Tensor) => init.normal_(w, 5, 0), bias: init.zeros_ };
    expect((await changed(net, () => init.applyInit(net, rules))).sort()).toEqual([...weights, ...biases].sort());
    expect(new Set(await numbersOf(net.stateDict().get("0.weight")!))).toEqual(new Set([5]));
    expect(await changed(net, () => init.applyInit(net, { weight: 1 }))).toEqual(weights);
  });

  test.each([
    ["a class", { only: [nn.Linear] }, ["4.weight", "6.weight"]],
    ["two classes", { only: [nn.Conv2d, nn.Linear] }, weights],
    ["a path", { only: ["6"] }, ["6.weight"]],
    ["a pattern", { only: [/^[04]$/] }, ["0.weight", "4.weight"]],
    ["all but a class", { skip: [nn.Linear] }, ["0.weight"]],
    ["a class but for one path", { only: [nn.Linear], skip: ["6"] }, ["4.weight"]],
  ] as const)("keeps to %s", async (_what, selection, expected) => {
    const net = model();
    expect(await changed(net, () => init.applyInit(net, "normal", selection))).toEqual(expected);
  });

  test("a path stands for what is below it", async () => {
    class Net extends nn.Module {
      features = new nn.Sequential(new nn.Linear(4, 4), new nn.Linear(4, 4));
      features2 = new nn.Linear(4, 4);
      forward(x: gd.Tensor): gd.Tensor {
        return this.features2.forward(this.features.forward(x));
      }
    }
    const net = new Net();
    const found = await changed(net, () => init.applyInit(net, "orthogonal", { only: ["features"] }));
    expect(found).toEqual(["features.0.weight", "features.1.weight"]);
  });

  test("reaches normalizations that are named, as DCGAN's recipe does", async () => {
    gd.manualSeed(3);
    const net = model();
    const rules = { weight: (w: gd.Tensor) => init.normal_(w, 1, 0.02), bias: 0.25, only: [nn.BatchNorm2d] };
    expect(await changed(net, () => init.applyInit(net, rules))).toEqual(["1.weight", "1.bias"]);
  });

  test("knows the names of recurrent and attention layers", async () => {
    class Recurrent extends nn.Module {
      constructor() {
        super();
        this.registerParameter("weight_ih_l0", new nn.Parameter(normal([8, 3], 1)));
        this.registerParameter("bias_ih_l0", new nn.Parameter(normal([8], 2)));
        this.registerParameter("in_proj_weight", new nn.Parameter(normal([6, 2], 3)));
        this.registerParameter("alpha", new nn.Parameter(normal([2, 2], 4)));
      }
      forward(x: gd.Tensor): gd.Tensor {
        return x;
      }
    }
    const net = new Recurrent();
    const found = await changed(net, () => init.applyInit(net, "orthogonal", { bias: 0 }));
    expect(found).toEqual(["weight_ih_l0", "bias_ih_l0", "in_proj_weight"]);
  });

  test("initializes what is shared once, and repeats its numbers with the seed", async () => {
    const shared = new nn.Linear(4, 4);
    const net = new nn.Sequential(shared, new nn.ReLU(), shared);
    let count = 0;
    init.applyInit(net, { weight: () => count++ });
    expect(count).toBe(1);
    const draw = (): Promise<gd.TypedArray> => {
      gd.manualSeed(8);
      return init.applyInit(shared, "xavierUniform").weight.data();
    };
    expect(await draw()).toEqual(await draw());
  });

  test("does what a function for Module.apply does", async () => {
    const [mine, theirs] = [new nn.Linear(6, 5), new nn.Linear(6, 5)];
    const initXavier = (module: unknown): void => {
      if (!(module instanceof nn.Linear)) return;
      init.xavierUniform_(module.weight);
      init.constant_(module.bias!, 0.01);
    };
    gd.manualSeed(2);
    init.applyInit(mine, "xavierUniform", { bias: 0.01 });
    gd.manualSeed(2);
    theirs.apply(initXavier);
    expect(await mine.weight.data()).toEqual(await theirs.weight.data());
    expect(await mine.bias!.data()).toEqual(await theirs.bias!.data());
  });

  test("says what is wrong with rules that mean nothing", () => {
    const net = model();
    expect(() => init.applyInit(net, "normal", { only: ["classifier"] })).toThrow(/namedModules/);
    expect(() => init.applyInit(net, {})).toThrow(gd.ArgumentError);
    expect(() => init.applyInit(net, "glorot" as "normal")).toThrow(/xavierUniform/);
    expect(() => init.applyInit(new nn.Sequential(new nn.LazyLinear(3)), "normal")).toThrow(/has seen an input/);
  });
});
