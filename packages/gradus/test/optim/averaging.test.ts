// Averaged weights against PyTorch, and what is Gradus's own: an update joins the training step, and the averages change
// places with the model's weights. Running statistics for weights that were never trained with them.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { expectTensor, normal, tensorOf } from "../support/nn-golden.ts";
import { type AverageCase, optimGolden } from "./golden.ts";

const { nn, optim } = gd;
beforeAll(useDevice);

const network = () => new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));

const stateOf = (stored: AverageCase["averaged"]) =>
  new Map(Object.entries(stored).map(([key, value]) => [key, tensorOf(value)]));

/** The values of a module, or of averages, as numbers. */
async function valuesOf(model: { stateDict(): Map<string, gd.Tensor> }): Promise<Record<string, number[]>> {
  const values: Record<string, number[]> = {};
  for (const [key, tensor] of model.stateDict()) values[key] = Array.from(await tensor.data());
  return values;
}

describe("averages agree with PyTorch", () => {
  const titled = optimGolden.averages.map((one) => {
    const kind = one.decay === null ? "equal weights" : `a decay of ${one.decay}`;
    return [`${kind}, buffers ${one.useBuffers ? "averaged" : "copied"}`, one] as const;
  });

  test.each(titled)("with %s", async (_title, { decay, useBuffers, states, averaged }) => {
    const model = network();
    const average =
      decay === null
        ? new optim.AveragedModel(model, { useBuffers })
        : new optim.ExponentialMovingAverage(model, { decay, useBuffers });
    for (const state of states) {
      model.loadStateDict(stateOf(state));
      average.update();
    }
    const own = average.stateDict();
    expect([...own.keys()].sort()).toEqual(Object.keys(averaged).sort());
    const last = states.at(-1)!;
    for (const [key, expected] of Object.entries(averaged)) {
      // Without `useBuffers` PyTorch 1.13 leaves buffers as they were at first, later versions copy them. A count of batches
      // is no number to average.
      const isCopied = key.endsWith("tracked") || (!useBuffers && key.includes("running"));
      await expectTensor(own.get(key)!, isCopied ? last[key.slice("module.".length)] : expected, key);
    }
  });

  test("with a function of one's own", async () => {
    const model = new nn.Linear(2, 1);
    const largest = new optim.AveragedModel(model, { avgFn: (averaged, current) => averaged.maximum(current) });
    const seen: number[][] = [];
    for (let step = 0; step < 4; step++) {
      gd.noGrad(() => model.weight.copy_(normal([1, 2], step)));
      largest.update();
      seen.push(Array.from(await model.weight.data()));
    }
    const expected = [0, 1].map((i) => Math.max(...seen.map((row) => row[i])));
    expect(Array.from(await largest.averageOf(model.weight).data())).toEqual(expected);
    expect(await largest.nAveraged.item()).toBe(4);
  });
});

test("a decay that grows with the number of updates forgets early weights", async () => {
  const model = new nn.Linear(1, 1, { bias: false });
  const average = new optim.ExponentialMovingAverage(model, { decay: 0.5, useNumUpdates: true });
  let expected = 0;
  for (let n = 0; n < 12; n++) {
    gd.noGrad(() => model.weight.fill_(n * n - 3));
    average.update();
    const decay = n === 0 ? 0 : Math.min(0.5, (1 + n) / (10 + n));
    expected = decay * expected + (1 - decay) * (n * n - 3);
    // Each update rounds to float32.
    expect((await average.averageOf(model.weight).item()) / expected).toBeCloseTo(1, 6);
  }
});

describe("in a training loop", () => {
  function setUp() {
    gd.manualSeed(4);
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Tanh(), new nn.Linear(4, 1));
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
    const step = async (seed: number): Promise<number> => {
      optimizer.zeroGrad();
      const loss = model
        .forward(normal([8, 3], seed))
        .square()
        .mean();
      loss.backward();
      await optimizer.step();
      return await loss.item();
    };
    return { model, optimizer, step };
  }

  test.each([false, true])(
    "updates join the step and make no new program (useNumUpdates: %s)",
    async (useNumUpdates) => {
      const { model, step } = setUp();
      const average = new optim.ExponentialMovingAverage(model, { decay: 0.9, useNumUpdates });
      for (let i = 0; i < 3; i++) {
        await step(i);
        average.update();
      }
      const before = gd.statistics();
      for (let i = 3; i < 9; i++) {
        await step(i);
        average.decay *= 0.99;
        average.update();
      }
      const after = gd.statistics();
      expect(after.programsCompiled - before.programsCompiled).toBe(0);
      expect(after.flushes - before.flushes).toBe(6);
    },
  );

  test("they do not change the training", async () => {
    const losses: number[][] = [];
    for (const averages of [false, true]) {
      const { model, step } = setUp();
      const average = averages ? new optim.AveragedModel(model) : null;
      losses.push([]);
      for (let i = 0; i < 5; i++) {
        losses.at(-1)!.push(await step(i));
        average?.update();
        if (i === 2)
          await average?.withAverages(() =>
            model
              .eval()
              .forward(normal([2, 3], 1))
              .data(),
          );
        model.train();
      }
    }
    expect(losses[1]).toEqual(losses[0]);
  });

  test("a step that fails does not lose count of them", async () => {
    const { model, optimizer, step } = setUp();
    const average = new optim.AveragedModel(model);
    await step(0);
    average.update();
    await step(1);
    average.update();
    optimizer.zeroGrad();
    const missing = gd.tensor([9], { dtype: "int32" });
    (model.getSubmodule("0") as unknown as gd.nn.Linear).weight.indexSelect(0, missing).sum().backward();
    await expect(optimizer.step()).rejects.toThrow(/index|range/i);
    // The second update was part of the program that failed.
    expect(await average.nAveraged.item()).toBe(1);
    average.update();
    expect(await average.nAveraged.item()).toBe(2);
  });
});

describe("averages", () => {
  async function setUp() {
    const model = network();
    const average = new optim.AveragedModel(model);
    for (const seed of [1, 2]) {
      gd.noGrad(() => {
        for (const [i, parameter] of model.parameters().entries())
          parameter.copy_(normal(parameter.shape, 10 * seed + i));
      });
      await model.forward(normal([4, 3], seed)).data();
      average.update();
    }
    return { model, average, own: await valuesOf(model), averages: await valuesOf(average) };
  }

  test("are in the model while something runs with them, and out again after it, also after an error", async () => {
    const { model, average, own, averages } = await setUp();
    const { n_averaged: _count, ...expected } = averages;
    const seen = await average.withAverages(() => valuesOf(model));
    expect(Object.fromEntries(Object.entries(seen).map(([key, value]) => [`module.${key}`, value]))).toEqual(expected);
    expect(await valuesOf(model)).toEqual(own);
    expect(await valuesOf(average)).toEqual(averages);
    const failing = average.withAverages(() => {
      throw new Error("no test set");
    });
    await expect(failing).rejects.toThrow("no test set");
    expect(await valuesOf(model)).toEqual(own);
  });

  test("must be at home to be updated, saved or used", async () => {
    const { average } = await setUp();
    await average.swap();
    for (const use of [() => average.update(), () => average.stateDict(), () => average.applyTo()]) {
      expect(use).toThrow(/the averages are in the model/);
    }
    await expect(average.withAverages(() => 1)).rejects.toThrow(/await swap\(\)/);
    await average.swap();
    average.update();
  });

  test("can be put into a model for good, this one or another", async () => {
    const { model, average, averages } = await setUp();
    const other = network();
    average.applyTo(other);
    average.applyTo();
    for (const one of [model, other]) {
      for (const [key, value] of Object.entries(await valuesOf(one))) expect(value).toEqual(averages[`module.${key}`]);
    }
  });

  test("go on from a state dict", async () => {
    const { model, average, averages } = await setUp();
    const saved: Record<string, gd.Tensor> = {};
    for (const [key, tensor] of average.stateDict()) saved[key] = gd.tensor(await tensor.data()).reshape(tensor.shape);
    const resumed = new optim.AveragedModel(network());
    resumed.loadStateDict(saved);
    expect(await valuesOf(resumed)).toEqual(averages);
    resumed.model.loadStateDict(model.stateDict());
    average.update();
    resumed.update();
    expect(await valuesOf(resumed)).toEqual(await valuesOf(average));
  });

  test("refuse a state dict of another model, and tensors that are not the model's", async () => {
    const { average } = await setUp();
    const other = new optim.AveragedModel(new nn.Linear(3, 2));
    expect(() => average.loadStateDict(other.stateDict())).toThrow(nn.StateDictError);
    expect(() => average.averageOf(gd.ones([2]))).toThrow(/no part of the model/);
    expect(() => new optim.ExponentialMovingAverage(network(), { decay: 1.5 })).toThrow(/decay is 1.5/);
  });
});

describe("updateBn", () => {
  const [{ before, batches, after }] = optimGolden.statistics;

  test("agrees with PyTorch, and leaves modes and momenta as they were", async () => {
    const model = network();
    model.loadStateDict(stateOf(before));
    model.eval();
    const norm = model.getSubmodule("1") as unknown as gd.nn.BatchNorm1d;
    const loader = batches.map((batch, i) => (i === 1 ? tensorOf(batch) : [tensorOf(batch), gd.ones([1])]));
    await optim.updateBn(loader, model);
    for (const [key, expected] of Object.entries(after)) await expectTensor(model.stateDict().get(key)!, expected, key);
    expect([norm.momentum, model.training, norm.training]).toEqual([0.1, false, false]);
  });

  test("makes one program for batches of one size", async () => {
    const model = network();
    async function* loader() {
      for (let i = 0; i < 6; i++) {
        yield normal([4, 3], i);
        if (i === 2) compiled = gd.statistics().programsCompiled;
      }
    }
    let compiled = 0;
    await optim.updateBn(loader(), model);
    expect(gd.statistics().programsCompiled).toBe(compiled);
    expect(await (model.getSubmodule("1") as unknown as gd.nn.BatchNorm1d).numBatchesTracked!.item()).toBe(6);
  });

  test("does nothing where there is no batch normalization", async () => {
    await optim.updateBn([gd.ones([1])], new nn.Linear(2, 2));
  });
});
