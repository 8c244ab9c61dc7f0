// nn.utils: norms of gradients, parameters as a vector, and weights that are normalized in every forward pass.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/init.json";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import type { StoredTensor } from "../support/golden.ts";
import { construct, expectTensor, type GoldenRun, nnGolden, normal, tensorOf, titleOf } from "../support/nn-golden.ts";

const { nn } = gd;
const { utils } = nn;
beforeAll(useDevice);

/** What tools/golden_init.py writes of a layer whose weight is normalized. */
interface NormalizedCase {
  readonly method: "spectralNorm" | "weightNorm";
  readonly given: { readonly name?: string; readonly dim?: number | null };
  readonly type: string;
  readonly args: readonly unknown[];
  readonly state: Readonly<Record<string, StoredTensor>>;
  readonly input: StoredTensor;
  readonly seed: StoredTensor;
  readonly train: GoldenRun;
  readonly eval: GoldenRun;
  readonly stateAfter: Readonly<Record<string, StoredTensor>>;
  readonly removed: StoredTensor;
}

const normalized = golden.normalized as unknown as readonly NormalizedCase[];

const methods = {
  spectralNorm: {
    install: (layer: gd.nn.Module, { name, ...options }: NormalizedCase["given"]) =>
      utils.spectralNorm(layer, name, options),
    remove: utils.removeSpectralNorm,
  },
  weightNorm: {
    install: (layer: gd.nn.Module, { name, dim }: NormalizedCase["given"]) => utils.weightNorm(layer, name, dim),
    remove: utils.removeWeightNorm,
  },
} as const;

async function expectRun(layer: gd.nn.Module, { input, seed }: NormalizedCase, expected: GoldenRun): Promise<void> {
  const x = tensorOf(input, true);
  layer.zeroGrad();
  const output = layer.forward(x);
  output.mul(tensorOf(seed)).sum().backward();
  const parameters = new Map(layer.namedParameters());
  const gradients = Object.keys(expected.gradients).map((name) => [name, parameters.get(name)!.grad!] as const);
  expect([...parameters.keys()].sort()).toEqual(Object.keys(expected.gradients).sort());
  await gd.flush(output, x.grad!, ...gradients.map(([, gradient]) => gradient));
  await expectTensor(output, expected.output, "output");
  await expectTensor(x.grad!, expected.inputGradient, "gradient of the input");
  for (const [name, gradient] of gradients)
    await expectTensor(gradient, expected.gradients[name], `gradient of ${name}`);
}

describe("normalized weights agree with PyTorch", () => {
  test.each(
    normalized.map(
      (row, i) => [`${i} ${row.method} ${JSON.stringify(row.given)} of ${titleOf(row.type, row.args)}`, row] as const,
    ),
  )("%s", async (_title, row) => {
    const layer = construct<gd.nn.Module>(nn, row.type, row.args);
    const { install, remove } = methods[row.method];
    expect(install(layer, row.given)).toBe(layer);
    expect([...layer.stateDict().keys()]).toEqual(Object.keys(row.state));
    layer.loadStateDict(new Map(Object.entries(row.state).map(([key, value]) => [key, tensorOf(value)])));
    await expectRun(layer, row, row.train);
    for (const [key, value] of Object.entries(row.stateAfter)) {
      await expectTensor(layer.stateDict().get(key)!, value, key);
    }
    await expectRun(layer.eval(), row, row.eval);
    const before = await layer.forward(tensorOf(row.input)).data();
    remove(layer, row.given.name);
    const name = row.given.name ?? "weight";
    await expectTensor(layer.stateDict().get(name)!, row.removed, name);
    expect([...layer.stateDict().keys()].sort()).toEqual(
      row.args.some((arg) => typeof arg === "object" && "bias" in arg!) ? ["weight"] : ["bias", "weight"],
    );
    // The same weight once computed and once read: sums of the same numbers.
    expectClose(await layer.forward(tensorOf(row.input)).data(), Array.from(before), { scaled: 1e-6 });
  });
});

describe("spectralNorm", () => {
  /** The largest singular value of a matrix, by many steps of the power iteration in float64. */
  async function largestSingularValue(weight: gd.Tensor): Promise<number> {
    const matrix = weight.detach().to("float64");
    let vector = gd.ones([matrix.shape[1]], { dtype: "float64" });
    for (let i = 0; i < 60; i++) {
      vector = matrix.T.matmul(matrix.matmul(vector));
      vector = await vector.div(vector.norm()).realize();
    }
    return matrix.matmul(vector).norm().item();
  }

  test("makes the largest singular value 1 after some steps", async () => {
    gd.manualSeed(5);
    const layer = utils.spectralNorm(new nn.Linear(6, 4));
    const x = normal([2, 6], 1);
    for (let i = 0; i < 60; i++) await layer.forward(x).realize();
    expect(await largestSingularValue(layer.weight)).toBeCloseTo(1, 4);
  });

  test("begins with vectors of length 1, from the seed", async () => {
    const vectors = async (): Promise<gd.TypedArray[]> => {
      gd.manualSeed(7);
      const state = utils.spectralNorm(new nn.Conv2d(2, 3, 3)).stateDict();
      for (const key of ["weight_u", "weight_v"]) expect(await state.get(key)!.norm().item()).toBeCloseTo(1, 5);
      return Promise.all(["weight_u", "weight_v"].map((key) => state.get(key)!.data()));
    };
    expect(await vectors()).toEqual(await vectors());
  });

  test("iterates in training only, once in each of several passes of a step", async () => {
    const layer = utils.spectralNorm(new nn.Linear(5, 4));
    const u = (): Promise<gd.TypedArray> => layer.stateDict().get("weight_u")!.data();
    const x = normal([3, 5], 1);
    const start = await u();
    layer.eval();
    await layer.forward(x).realize();
    expect(await u()).toEqual(start);
    layer.train();
    const other = utils.spectralNorm(new nn.Linear(5, 4), "weight", { nPowerIterations: 2 });
    other.loadStateDict(layer.stateDict());
    layer.forward(x);
    layer.forward(x);
    other.forward(x);
    const expected = Array.from(await other.stateDict().get("weight_u")!.data());
    // Twice one step is one pass of two steps.
    expectClose(await u(), expected, { atol: 1e-6 });
  });

  test("trains: its optimizer moves weight_orig, in one program", async () => {
    gd.manualSeed(2);
    const net = new nn.Sequential(
      utils.spectralNorm(new nn.Linear(4, 8)),
      new nn.Tanh(),
      utils.spectralNorm(new nn.Linear(8, 1)),
    );
    const optimizer = new gd.optim.SGD(net.parameters(), { lr: 0.1 });
    const [x, y] = [normal([16, 4], 1), normal([16, 1], 2)];
    const losses: number[] = [];
    let programs = 0;
    for (let step = 0; step < 12; step++) {
      optimizer.zeroGrad();
      const loss = gd.F.mseLoss(net.forward(x), y);
      loss.backward();
      await optimizer.step();
      losses.push(await loss.item());
      if (step === 2) programs = gd.statistics().programsCompiled;
    }
    expect(losses[11]).toBeLessThan(losses[0]);
    expect(gd.statistics().programsCompiled).toBe(programs);
    expect(net.namedParameters().map(([name]) => name)).toEqual(["0.bias", "0.weight_orig", "2.bias", "2.weight_orig"]);
  });

  test("goes along into another dtype", async () => {
    const layer = utils.spectralNorm(new nn.Linear(3, 2)).to("float64");
    const output = layer.forward(gd.randn([4, 3], { dtype: "float64" }));
    expect(output.dtype).toBe("float64");
    expect(await output.sum().item()).not.toBeNaN();
  });
});

describe("weightNorm", () => {
  test("leaves the weight what it was", async () => {
    for (const dim of [0, 1, null]) {
      const layer = new nn.Linear(4, 3);
      const before = Array.from(await layer.weight.data());
      utils.weightNorm(layer, "weight", dim);
      layer.forward(normal([1, 4], 1));
      expectClose(await layer.weight.data(), before, { rtol: 1e-6 });
    }
  });

  test("takes hold of several weights of one layer", async () => {
    const cell = new nn.RNNCell(3, 4);
    const x = normal([2, 3], 1);
    const expected = Array.from(await cell.forward(x).data());
    utils.weightNorm(cell, "weight_hh");
    utils.weightNorm(cell, "weight_ih");
    expectClose(await cell.forward(x).data(), expected, { atol: 1e-6 });
    const keys = ["bias_ih", "bias_hh", "weight_hh_g", "weight_hh_v", "weight_ih_g", "weight_ih_v"];
    expect([...cell.stateDict().keys()]).toEqual(keys);
    utils.removeWeightNorm(cell, "weight_hh");
    expect([...cell.stateDict().keys()].sort()).toEqual([
      "bias_hh",
      "bias_ih",
      "weight_hh",
      "weight_ih_g",
      "weight_ih_v",
    ]);
    expectClose(await cell.forward(x).data(), expected, { atol: 1e-6 });
  });
});

describe("what cannot be normalized is an error", () => {
  test.each([
    [
      "a parameter that is not there",
      () => utils.spectralNorm(new nn.Linear(2, 2), "kernel"),
      /"kernel".*weight, bias/,
    ],
    ["a weight twice", () => utils.weightNorm(utils.spectralNorm(new nn.Linear(2, 2))), /under spectralNorm already/],
    ["a vector", () => utils.spectralNorm(new nn.Linear(2, 2), "bias"), /no matrix/],
    ["no iterations", () => utils.spectralNorm(new nn.Linear(2, 2), "weight", { nPowerIterations: 0 }), /iterations/],
    ["a dimension that is not there", () => utils.weightNorm(new nn.Linear(2, 2), "weight", 2), /no dimension 2/],
    ["a layer over whole sequences", () => utils.weightNorm(new nn.GRU(2, 2), "weight_hh_l0"), /Use GRUCell/],
    ["a lazy layer", () => utils.spectralNorm(new nn.LazyLinear(2)), /has seen an input/],
    ["the removal of nothing", () => utils.removeSpectralNorm(new nn.Linear(2, 2)), /not under spectralNorm/],
    [
      "the removal of another",
      () => utils.removeSpectralNorm(utils.weightNorm(new nn.Linear(2, 2))),
      /not under spectralNorm/,
    ],
  ] as const)("%s", (_what, action, message) => {
    expect(action).toThrow(gd.GradusError);
    expect(action).toThrow(message);
  });
});

/** Parameters with these gradients; null for none. */
function withGradients(gradients: readonly (gd.Tensor | null)[]): gd.nn.Parameter[] {
  return gradients.map((gradient) => {
    const parameter = new nn.Parameter(gd.ones(gradient?.shape ?? [2]));
    parameter.grad = gradient;
    return parameter;
  });
}

describe("norms of gradients", () => {
  test.each(nnGolden.clips.map((clip) => [`${clip.normType} of at most ${clip.maxNorm}`, clip] as const))(
    "order %s: PyTorch's, by way of the norm as well",
    async (_title, { normType, maxNorm, gradients, total, clipped }) => {
      const options = { normType: normType === "inf" ? Number.POSITIVE_INFINITY : normType };
      for (const twoSteps of [false, true]) {
        const parameters = withGradients([...gradients.map((gradient) => tensorOf(gradient)), null]);
        const norm = twoSteps
          ? utils.getTotalNorm(
              parameters.flatMap(({ grad }) => grad ?? []),
              options,
            )
          : utils.clipGradNorm_(parameters, maxNorm, options);
        if (twoSteps) utils.clipGradsWithNorm_(parameters, maxNorm, norm);
        expect(await norm.item()).toBeCloseTo(total, 5);
        for (const [i, expected] of clipped.entries())
          await expectTensor(parameters[i].grad!, expected, `gradient ${i}`);
      }
    },
  );

  test("a norm that is not finite is an error if one asks for it", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const gradients = [normal([3], 1), gd.tensor([1, value])];
      const clip = utils.clipGradNorm_(withGradients(gradients), 1, { errorIfNonfinite: true });
      await expect(clip).rejects.toThrow(gd.GradusError);
      await expect(utils.getTotalNorm(gradients, { errorIfNonfinite: true })).rejects.toThrow(
        /2 gradients is (NaN|Infinity)/,
      );
      expect(await utils.clipGradNorm_(withGradients(gradients), 1).item()).not.toSatisfy(Number.isFinite);
    }
  });

  test("a finite norm is promised, and the gradients are clipped", async () => {
    const parameters = withGradients([gd.tensor([3, 4])]);
    const norm = await utils.clipGradNorm_(parameters, 1, { errorIfNonfinite: true });
    expect(await norm.item()).toBeCloseTo(5, 5);
    expectClose(await parameters[0].grad!.data(), [0.6, 0.8], { rtol: 1e-5 });
  });

  test("of nothing is 0", async () => {
    expect(await utils.getTotalNorm([]).item()).toBe(0);
    expect(await utils.clipGradNorm_(withGradients([null]), 1).item()).toBe(0);
    expect(await (await utils.clipGradNorm_([], 1, { errorIfNonfinite: true })).item()).toBe(0);
  });

  test("clipGradValue_ limits every element, of one parameter or of several", async () => {
    const [one, none] = withGradients([gd.tensor([-3, 0.5, 2]), null]);
    utils.clipGradValue_([one, none], 1);
    expect(Array.from(await one.grad!.data())).toEqual([-1, 0.5, 1]);
    utils.clipGradValue_(one, 0.25);
    expect(Array.from(await one.grad!.data())).toEqual([-0.25, 0.25, 0.25]);
    expect(none.grad).toBeNull();
  });

  test("clipGradValue_ takes another limit without another program", async () => {
    const [one] = withGradients([gd.tensor([-3, Number.NaN, 2])]);
    let programs = 0;
    for (const limit of [1, 0.5, 0.25]) {
      one.grad = gd.tensor([-3, Number.NaN, 2]);
      utils.clipGradValue_(one, limit);
      expect(Array.from(await one.grad!.data())).toEqual([-limit, Number.NaN, limit]);
      if (limit === 1) programs = gd.statistics().programsCompiled;
    }
    expect(gd.statistics().programsCompiled).toBe(programs);
  });
});

describe("parameters as a vector", () => {
  test("come back from it", async () => {
    const net = new nn.Sequential(new nn.Linear(3, 2), new nn.Linear(2, 1));
    const vector = utils.parametersToVector(net.parameters());
    expect(vector.shape).toEqual([11]);
    const values = Array.from(await vector.data());
    const weight = Array.from(await net.parameters()[0].data());
    expect(values.slice(0, 6)).toEqual(weight);
    utils.vectorToParameters(vector.mul(2), net.parameters());
    expect(Array.from(await utils.parametersToVector(net.parameters()).data())).toEqual(
      values.map((value) => 2 * value),
    );
    expect(net.parameters().every(({ requiresGrad, isLeaf }) => requiresGrad && isLeaf)).toBe(true);
  });

  test("pass gradients on", async () => {
    const [a, b] = [new nn.Parameter(normal([2, 2], 1)), new nn.Parameter(normal([3], 2))];
    const weights = gd.tensor([1, 2, 3, 4, 5, 6, 7]);
    utils.parametersToVector([a, b]).mul(weights).sum().backward();
    expect(await a.grad!.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(await b.grad!.toArray()).toEqual([5, 6, 7]);
  });

  test("of another length change nothing", async () => {
    const parameter = new nn.Parameter(normal([3], 1));
    const before = await parameter.data();
    expect(() => utils.vectorToParameters(gd.ones([4]), [parameter])).toThrow(/1 parameters have 3 elements/);
    expect(() => utils.vectorToParameters(gd.ones([2, 2]), [parameter])).toThrow(gd.ShapeError);
    expect(await parameter.data()).toEqual(before);
    expect(utils.parametersToVector([]).shape).toEqual([0]);
  });
});
