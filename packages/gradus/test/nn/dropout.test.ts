// Dropout: what it keeps, what it scales, that channels go as a whole, that alpha dropout keeps mean and variance, and
// that a seed repeats all of it.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { normal } from "../support/nn-golden.ts";

const { F, nn } = gd;
beforeAll(useDevice);

type Kind = "Dropout" | "Dropout1d" | "Dropout2d" | "Dropout3d" | "AlphaDropout" | "FeatureAlphaDropout";

/** Inputs of every shape a layer takes, and how many of their elements share one decision. */
const inputs: readonly (readonly [kind: Kind, shape: readonly number[], shared: number])[] = [
  ["Dropout", [3, 4, 5], 1],
  ["Dropout", [], 1],
  ["Dropout1d", [6, 5, 4], 4],
  ["Dropout1d", [30, 4], 4],
  ["Dropout2d", [6, 5, 3, 4], 12],
  ["Dropout2d", [6, 5, 4], 4],
  ["Dropout3d", [6, 5, 2, 2, 3], 12],
  ["Dropout3d", [30, 2, 2, 3], 12],
  ["AlphaDropout", [3, 4, 5], 1],
  ["FeatureAlphaDropout", [6, 5, 3], 3],
  ["FeatureAlphaDropout", [6, 5, 2, 2], 4],
  ["FeatureAlphaDropout", [6, 5], 1],
];

const zeroing: readonly Kind[] = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"];

test("keeps a part of 1 - p, scaled by 1 / (1 - p), and its gradient likewise", async () => {
  gd.manualSeed(1);
  const layer = new nn.Dropout(0.25);
  const x = gd.full([100, 100], 3, { requiresGrad: true });
  const y = layer.forward(x);
  y.sum().backward();
  await gd.flush(y);
  const values = Array.from(await y.data());
  const gradient = await x.grad!.data();
  const kept = values.filter((value) => value !== 0);
  expect(new Set(kept)).toEqual(new Set([4]));
  // 10,000 draws: the share varies by 0.0043.
  expect(Math.abs(kept.length / values.length - 0.75)).toBeLessThan(0.02);
  for (const [i, value] of values.entries()) expect(gradient[i]).toBeCloseTo(value / 3, 5);
});

describe("channels are kept or dropped as a whole", () => {
  test.each(inputs.filter(([kind, , shared]) => shared > 1 && zeroing.includes(kind)))(
    "nn.%s of %s",
    async (kind, shape, shared) => {
      gd.manualSeed(4);
      const x = normal(shape, 1);
      const [before, after] = [await x.data(), await new nn[kind](0.5).forward(x).data()];
      const channels = before.length / shared;
      let dropped = 0;
      for (let channel = 0; channel < channels; channel++) {
        const factors = Array.from(
          { length: shared },
          (_, i) => after[channel * shared + i] / before[channel * shared + i],
        );
        expect(new Set(factors.map((factor) => Number(factor.toFixed(4)))).size).toBe(1);
        expect([0, 2]).toContain(Math.round(Math.abs(factors[0]) * 100) / 100);
        if (after[channel * shared] === 0) dropped++;
      }
      // Of 30 channels 15 are dropped, give or take 2.7.
      expect(dropped).toBeGreaterThan(3);
      expect(dropped).toBeLessThan(27);
    },
  );

  test.each([0.1, 0.7])("with probability %d", async (p) => {
    gd.manualSeed(5);
    const values = await new nn.Dropout2d(p).forward(gd.ones([100, 100, 2, 1])).data();
    const dropped = values.filter((value: number) => value === 0).length / values.length;
    // 10,000 draws: the share varies by at most 0.005.
    expect(Math.abs(dropped - p)).toBeLessThan(0.02);
  });
});

describe("alpha dropout keeps mean 0 and variance 1", () => {
  test.each([0.1, 0.5, 0.8])("with p = %d", async (p) => {
    gd.manualSeed(6);
    const x = normal([300, 300], 7).requiresGrad_();
    const y = new nn.AlphaDropout(p).forward(x);
    y.sum().backward();
    await gd.flush(y);
    // 90,000 numbers whose tails are heavy for a large p: the mean varies by 0.0033, the variance by less than 0.01.
    expect(Math.abs(await y.mean().item())).toBeLessThan(0.02);
    expect(Math.abs((await y.var().item()) - 1)).toBeLessThan(0.04);
    const limit = -1.7580993408473766;
    const scale = 1 / Math.sqrt((1 - p) * (1 + p * limit * limit));
    const gradient = await x.grad!.data();
    const values = await y.data();
    const before = await x.data();
    let dropped = 0;
    for (let i = 0; i < values.length; i++) {
      if (gradient[i] === 0) dropped++;
      const expected = scale * ((gradient[i] === 0 ? limit : before[i]) - p * limit);
      if (Math.abs(values[i] - expected) > 1e-5) throw new Error(`element ${i} is ${values[i]}, not ${expected}`);
      if (gradient[i] !== 0 && Math.abs(gradient[i] - scale) > 1e-6) throw new Error(`slope ${gradient[i]}`);
    }
    expect(Math.abs(dropped / values.length - p)).toBeLessThan(0.01);
  });

  test("and that of features sets whole channels to the limit", async () => {
    gd.manualSeed(8);
    const x = normal([20, 30, 4], 9).requiresGrad_();
    const y = new nn.FeatureAlphaDropout(0.4).forward(x);
    y.sum().backward();
    const slopes = await x.grad!.reshape(600, 4).data();
    for (let channel = 0; channel < 600; channel++) {
      expect(new Set(slopes.subarray(4 * channel, 4 * channel + 4)).size).toBe(1);
    }
    // Of 600 channels the share varies by 0.02.
    const dropped = slopes.filter((slope: number) => slope === 0).length / slopes.length;
    expect(Math.abs(dropped - 0.4)).toBeLessThan(0.08);
  });
});

describe("every layer", () => {
  test.each(inputs)(
    "nn.%s of %s repeats with the seed, and does nothing in evaluation or with p = 0",
    async (kind, shape) => {
      const x = normal(shape, 1);
      const draw = async (): Promise<ArrayLike<number>> => new nn[kind](0.5).forward(x).data();
      gd.manualSeed(2);
      const first = await draw();
      const second = await draw();
      gd.manualSeed(2);
      expectClose(await draw(), first, { atol: 0 });
      if (x.numel() > 20) expect(Array.from(second)).not.toEqual(Array.from(first));
      expect(new nn[kind](0.5).eval().forward(x)).toBe(x);
      expect(new nn[kind](0).forward(x)).toBe(x);
    },
  );

  test.each(inputs)("nn.%s of %s gives zeros and a gradient of zeros with p = 1", async (kind, shape) => {
    const x = normal(shape, 1).requiresGrad_();
    const y = new nn[kind](1).forward(x);
    y.sum().backward();
    expect((await y.data()).every((value: number) => value === 0)).toBe(true);
    expect((await x.grad!.data()).every((value: number) => value === 0)).toBe(true);
  });

  test.each(inputs)("nn.%s of %s keeps the dtype and takes an empty batch", async (kind, shape) => {
    expect(new nn[kind]().forward(normal(shape, 1).double()).dtype).toBe("float64");
    if (shape.length > 1) expect(await new nn[kind]().forward(gd.zeros([0, ...shape.slice(1)])).toArray()).toEqual([]);
  });
});

test("a seed repeats the mask, and it differs from call to call", async () => {
  const draw = async (): Promise<unknown> => (await new nn.Dropout(0.5).forward(gd.ones([50])).data()).join();
  gd.manualSeed(2);
  const first = await draw();
  const second = await draw();
  gd.manualSeed(2);
  expect(await draw()).toBe(first);
  expect(second).not.toBe(first);
});

test("functions drop in training only; the alpha ones have to be told, as in PyTorch", async () => {
  const x = normal([10, 10, 4], 1);
  expect(F.dropout(x, 0.5, { training: false })).toBe(x);
  expect(F.dropout1d(x, 0.5, { training: false })).toBe(x);
  expect(F.alphaDropout(x)).toBe(x);
  expect(F.featureAlphaDropout(x)).toBe(x);
  expect(F.dropout(x)).not.toBe(x);
  expect(F.alphaDropout(x, 0.5, { training: true })).not.toBe(x);
});

test("what is no probability, and shapes without channels, are refused", () => {
  expect(() => new nn.Dropout(1.5)).toThrow(/Dropout: 1\.5 is no probability/);
  expect(() => new nn.AlphaDropout(-0.1)).toThrow(/AlphaDropout: -0\.1 is no probability/);
  expect(() => F.dropout2d(normal([2, 2, 2, 2], 1), Number.NaN)).toThrow(/NaN is no probability/);
  expect(() => new nn.Dropout1d().forward(normal([4], 1))).toThrow(/Give it \[N, C, L\] or \[C, L\]/);
  expect(() => new nn.Dropout2d().forward(normal([4, 4], 1))).toThrow(/Give it \[N, C, H, W\] or \[N, C, L\]/);
  expect(() => new nn.Dropout3d().forward(normal([4, 4, 4], 1))).toThrow(/or \[C, D, H, W\]/);
  expect(() => new nn.FeatureAlphaDropout().forward(normal([4], 1))).toThrow(/there are no channels/);
  expect(String(new nn.Dropout2d(0.3))).toBe("Dropout2d(p=0.3)");
});
