// The learning-rate finder: what it measures and suggests, and that it leaves no trace.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { suggest } from "../../src/train/learning-rate-finder.ts";
import { useDevice } from "../support/device.ts";

const { data, F, nn, optim, train } = gd;
beforeAll(useDevice);

const randn = (shape: readonly number[], seed: number) => gd.randn(shape, { generator: new gd.Generator(seed) });

function setUp(
  makeOptimizer: (model: gd.nn.Module) => gd.optim.Optimizer = (model) =>
    new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 }),
) {
  gd.manualSeed(7);
  const model = new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.BatchNorm1d(8),
    new nn.Tanh(),
    new nn.Dropout(0.1),
    new nn.Linear(8, 1),
  );
  const x = Float32Array.from({ length: 48 * 4 }, (_, i) => 2 * Math.sin(i * i + 1));
  const y = Float32Array.from({ length: 48 }, (_, i) => 2 * x[4 * i] - x[4 * i + 1]);
  const dataset = new data.TensorDataset({ data: x, shape: [48, 4] }, { data: y, shape: [48, 1] });
  const loader = new data.DataLoader(dataset, { batchSize: 16, shuffle: true });
  return { model, optimizer: makeOptimizer(model), loss: F.mseLoss, loader };
}

type Parts = ReturnType<typeof setUp>;

/** All that a training changes, as numbers. */
async function everything({ model, optimizer, loader }: Parts): Promise<unknown> {
  const values: Record<string, unknown> = {
    modes: model.modules().map(({ training }) => training),
    generator: gd.defaultGenerator.getState(),
    loader: loader.stateDict(),
    rates: optimizer.paramGroups.map(({ lr }) => lr),
  };
  for (const [key, tensor] of model.stateDict()) values[key] = Array.from(await tensor.data());
  for (const [key, parameter] of model.namedParameters()) {
    values[`${key}.grad`] = parameter.grad === null ? null : Array.from(await parameter.grad.data());
  }
  for (const [index, entry] of Object.entries(optimizer.stateDict().state)) {
    for (const [name, value] of Object.entries(entry)) {
      values[`${index}.${name}`] = gd.isTensor(value) ? Array.from(await value.data()) : value;
    }
  }
  return values;
}

/** An epoch of training, and its losses. */
async function trainEpoch({ model, optimizer, loss, loader }: Parts): Promise<number[]> {
  const losses: number[] = [];
  for await (const [x, y] of loader) {
    optimizer.zeroGrad();
    const value = loss(model.forward(x), y);
    value.backward();
    await optimizer.step();
    losses.push(await value.item());
  }
  return losses;
}

describe("the trial", () => {
  test("goes through the rates in equal ratios until the loss explodes", async () => {
    const parts = setUp((model) => new optim.SGD(model.parameters(), { lr: 0.1 }));
    const { model } = parts;
    const [weight] = model.parameters();
    const loss = (output: gd.Tensor, target: gd.Tensor) => {
      return F.mseLoss(output, target).add(weight.square().sum().mul(50));
    };
    const curve = await train.findLearningRate({ ...parts, loss }, { startLr: 1e-5, endLr: 1, steps: 51 });
    const { learningRates, losses, smoothed, hasDiverged } = curve;
    expect(hasDiverged).toBe(true);
    expect(learningRates.length).toBeLessThan(51);
    expect(losses.length).toBe(learningRates.length);
    learningRates.forEach((rate, i) => {
      expect(rate / (1e-5 * 10 ** (i / 10))).toBeCloseTo(1, 9);
    });
    let mean = 0;
    losses.forEach((value, i) => {
      mean = 0.95 * mean + 0.05 * value;
      expect(smoothed[i]).toBeCloseTo(mean / (1 - 0.95 ** (i + 1)), 6);
    });
  });

  test("finds rates that train, and among them no rate that does not", async () => {
    const parts = setUp();
    const { suggestions } = await train.findLearningRate(parts, { startLr: 1e-5, endLr: 10, steps: 90 });
    for (const rate of Object.values(suggestions)) {
      expect(rate).not.toBeNull();
      expect(rate).toBeGreaterThan(1e-5);
      expect(rate).toBeLessThan(2);
    }
    parts.optimizer.paramGroups[0].lr = suggestions.valley!;
    const first = await trainEpoch(parts);
    for (let epoch = 0; epoch < 15; epoch++) await trainEpoch(parts);
    expect((await trainEpoch(parts)).at(-1)).toBeLessThan(first[0] / 3);
  });

  test("keeps the ratios between the rates of groups", async () => {
    const parts = setUp((model) => {
      const [first, ...rest] = model.parameters();
      const groups = [{ params: first, lr: 0.2 }, { params: rest }];
      return new optim.SGD(groups, { lr: 0.05 });
    });
    const seen: number[] = [];
    const loss = (output: gd.Tensor, target: gd.Tensor) => {
      seen.push(parts.optimizer.paramGroups[1].lr / parts.optimizer.paramGroups[0].lr);
      return F.mseLoss(output, target);
    };
    await train.findLearningRate({ ...parts, loss }, { endLr: 0.01, steps: 7 });
    expect(seen.length).toBe(7);
    for (const ratio of seen) expect(ratio).toBeCloseTo(0.25, 12);
  });

  test("compiles nothing new for other rates", async () => {
    const parts = setUp();
    const compiled: number[] = [];
    const loss = (output: gd.Tensor, target: gd.Tensor) => {
      compiled.push(gd.statistics().programsCompiled);
      return F.mseLoss(output, target);
    };
    await train.findLearningRate({ ...parts, loss }, { steps: 20, endLr: 1e-3 });
    expect(new Set(compiled.slice(2)).size).toBe(1);
  });

  test("goes on where the loss is below 0", async () => {
    const parts = setUp();
    const loss = (output: gd.Tensor, target: gd.Tensor) => F.mseLoss(output, target).sub(100);
    const { losses, hasDiverged } = await train.findLearningRate({ ...parts, loss }, { steps: 12, endLr: 1e-3 });
    expect([losses.length, hasDiverged]).toEqual([12, false]);
  });

  test("takes a module as the loss, and plain lists of batches", async () => {
    const { model, optimizer } = setUp();
    const loader = [[randn([5, 4], 1), randn([5, 1], 2)]];
    const curve = await train.findLearningRate({ model, optimizer, loss: new nn.MSELoss(), loader }, { steps: 4 });
    expect(curve.losses.length).toBe(4);
  });
});

describe("afterwards everything is as it was", () => {
  const optimizers: Record<string, (model: gd.nn.Module) => gd.optim.Optimizer> = {
    "SGD with momentum": (model) => new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 }),
    Adam: (model) => new optim.Adam(model.parameters(), { lr: 0.1, amsgrad: true }),
    NAdam: (model) => new optim.NAdam(model.parameters()),
  };

  test.each(Object.entries(optimizers))("with %s, in the middle of a training", async (_name, make) => {
    const parts = setUp(make);
    await trainEpoch(parts);
    parts.model.eval();
    const before = await everything(parts);
    await train.findLearningRate(parts, { steps: 15, endLr: 1 });
    expect(await everything(parts)).toEqual(before);
    parts.model.train();
    const went = await trainEpoch(parts);
    const twin = setUp(make);
    await trainEpoch(twin);
    expect(await trainEpoch(twin)).toEqual(went);
  });

  test.each(Object.entries(optimizers))("with %s, before the first step", async (_name, make) => {
    const parts = setUp(make);
    await train.findLearningRate(parts, { steps: 15, endLr: 1 });
    expect(parts.optimizer.stateDict().state).toEqual({});
    const twin = setUp(make);
    // Making a loader's generator draws from the default one; there it was made before the trial.
    twin.loader.stateDict();
    parts.loader.stateDict();
    expect(await everything(parts)).toEqual(await everything(twin));
    const generator = gd.defaultGenerator.getState();
    const losses = await trainEpoch(parts);
    gd.defaultGenerator.setState(generator);
    expect(losses).toEqual(await trainEpoch(twin));
  });

  test("also after an error", async () => {
    const parts = setUp();
    await trainEpoch(parts);
    const before = await everything(parts);
    let steps = 0;
    const loss = (output: gd.Tensor, target: gd.Tensor) => {
      if (++steps === 4) throw new Error("no loss");
      return F.mseLoss(output, target);
    };
    await expect(train.findLearningRate({ ...parts, loss })).rejects.toThrow("no loss");
    expect(await everything(parts)).toEqual(before);
  });
});

describe("errors", () => {
  test("a loss that is not finite from the start is told, with the place where it begins", async () => {
    const { model, optimizer } = setUp();
    const input = randn([5, 4], 1).mul(Number.NaN);
    const finding = train.findLearningRate({ model, optimizer, loss: F.mseLoss, loader: [[input, randn([5, 1], 2)]] });
    await expect(finding).rejects.toThrow(train.NonFiniteLossError);
    await expect(finding).rejects.toThrow(
      /The loss is NaN in the first step, at a learning rate of 1e-7\. The batch's input/,
    );
    for (const parameter of model.parameters()) {
      for (const value of await parameter.data()) expect(Number.isFinite(value)).toBe(true);
    }
  });

  test("a loader without batches, and options that make no sense, are refused", async () => {
    const parts = setUp();
    await expect(train.findLearningRate({ ...parts, loader: [] })).rejects.toThrow(/no batches/);
    const cases = [
      [{ startLr: 0 }, /from 0 to 10/],
      [{ startLr: 1, endLr: 0.1 }, /from 1 to 0.1/],
      [{ steps: 1 }, /steps is 1/],
      [{ smoothing: 0 }, /smoothing is 0/],
      [{ stopFactor: 1 }, /stopFactor is 1/],
    ] as const;
    for (const [options, message] of cases) {
      await expect(train.findLearningRate(parts, options)).rejects.toThrow(message);
    }
  });

  test("LBFGS, which needs a closure, is refused by itself", async () => {
    const parts = setUp((model) => new optim.LBFGS(model.parameters()));
    await expect(train.findLearningRate(parts)).rejects.toThrow(/LBFGS: step was called without a closure/);
  });
});

describe("suggestions", () => {
  const rates = Array.from({ length: 8 }, (_, i) => 10 ** (i - 6));

  test("are the steepest place, the middle of the longest fall and a tenth of the lowest", () => {
    const losses = [5, 4.9, 4.7, 4, 2, 1.5, 3, 9];
    // From 4.7 over 4 to 2 the loss falls fastest; the longest fall has six losses, the fourth from below is 4.7.
    expect(suggest(rates, losses)).toEqual({ steepest: rates[3], valley: rates[2], minimum: rates[5] / 10 });
  });

  test("look through noise for the longest fall", () => {
    const losses = [5, 4.8, 4.9, 4.5, 4.6, 4.1, 4.4, 6];
    // 5, 4.8, 4.5, 4.1
    expect(suggest(rates, losses).valley).toBe(rates[1]);
  });

  test("leave out the first tenth", () => {
    const many = Array.from({ length: 20 }, (_, i) => 10 ** (i / 4 - 6));
    const losses = many.map((_, i) => (i === 0 ? 99 : Math.abs(i - 15) + 1));
    expect(suggest(many, losses).steepest).toBeGreaterThanOrEqual(many[2]);
  });

  test("are none where the loss never falls", () => {
    expect(suggest(rates, [1, 2, 3, 4, 5, 6, 7, 8])).toEqual({ steepest: null, valley: null, minimum: null });
  });
});
