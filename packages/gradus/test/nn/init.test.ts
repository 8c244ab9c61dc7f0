// Initial values: PyTorch's distributions of layers, and the functions of nn.init.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { construct, nnGolden, titleOf } from "../support/nn-golden.ts";

const { nn } = gd;
beforeAll(useDevice);

async function statistics(tensor: gd.Tensor): Promise<{ mean: number; std: number; largest: number }> {
  const values = Array.from(await tensor.data());
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return { mean, std, largest: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) };
}

describe("layers begin with PyTorch's distributions", () => {
  test.each(nnGolden.inits.map((init) => [titleOf(init.type, init.args), init] as const))(
    "%s",
    async (_title, init) => {
      gd.manualSeed(11);
      const layer = construct<gd.nn.Module>(nn, init.type, init.args);
      for (const [name, parameter] of layer.namedParameters()) {
        const expected = init.parameters[name];
        const { mean, std, largest } = await statistics(parameter);
        // Of n uniform numbers the largest misses the bound by about 1 / n of it, and the deviation varies by 0.5 / sqrt(n):
        // four times that for both samples.
        const slack = 4 / Math.sqrt(expected.count);
        expect(largest / expected.largest).toBeGreaterThan(1 - slack);
        expect(largest / expected.largest).toBeLessThan(1 + slack);
        expect(Math.abs(std / expected.std - 1)).toBeLessThan(slack);
        expect(Math.abs(mean)).toBeLessThan(slack * expected.largest);
      }
    },
  );

  test("and a seed repeats them", async () => {
    const draw = (seed: number) => {
      gd.manualSeed(seed);
      return new nn.Linear(4, 3).weight.data();
    };
    expect(await draw(5)).toEqual(await draw(5));
    expect(await draw(5)).not.toEqual(await draw(6));
  });
});

describe("nn.init", () => {
  test.each(Object.entries(nnGolden.gains))("the gain of %s is PyTorch's", (nonlinearity, gain) => {
    expect(nn.init.calculateGain(nonlinearity as "relu")).toBeCloseTo(gain, 12);
  });

  test("variances are those of Xavier's and Kaiming's formulas", async () => {
    const weight = new nn.Parameter(gd.zeros([64, 32, 3, 3]));
    const [fanIn, fanOut] = [32 * 9, 64 * 9];
    const cases: [(tensor: gd.Tensor) => gd.Tensor, number, number][] = [
      [(w) => nn.init.xavierUniform_(w), Math.sqrt(2 / (fanIn + fanOut)), Math.sqrt(3)],
      [(w) => nn.init.xavierNormal_(w, 2), 2 * Math.sqrt(2 / (fanIn + fanOut)), Number.POSITIVE_INFINITY],
      [(w) => nn.init.kaimingUniform_(w, { nonlinearity: "relu" }), Math.sqrt(2 / fanIn), Math.sqrt(3)],
      [(w) => nn.init.kaimingNormal_(w, { mode: "fanOut" }), Math.sqrt(2 / fanOut), Number.POSITIVE_INFINITY],
      [(w) => nn.init.uniform_(w, -2, 2), 2 / Math.sqrt(3), Math.sqrt(3)],
      [(w) => nn.init.normal_(w, 0, 0.02), 0.02, Number.POSITIVE_INFINITY],
    ];
    for (const [initialize, deviation, bound] of cases) {
      const { std, largest, mean } = await statistics(initialize(weight));
      // 18,432 numbers: the deviation varies by about half a percent.
      expect(Math.abs(std / deviation - 1)).toBeLessThan(0.03);
      expect(Math.abs(mean / deviation)).toBeLessThan(0.03);
      expect(largest).toBeLessThanOrEqual(deviation * bound * (1 + 1e-6));
    }
  });

  test("constants are constant, and a parameter goes on requiring a gradient", async () => {
    const weight = new nn.Parameter(gd.rand([2, 3]));
    expect(Array.from(await nn.init.eye_(weight).data())).toEqual([1, 0, 0, 0, 1, 0]);
    expect(Array.from(await nn.init.ones_(weight).data())).toEqual([1, 1, 1, 1, 1, 1]);
    expect(Array.from(await nn.init.constant_(weight, 0.5).data())).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    expect(Array.from(await nn.init.zeros_(weight).data())).toEqual([0, 0, 0, 0, 0, 0]);
    expect(weight.requiresGrad).toBe(true);
  });
});
