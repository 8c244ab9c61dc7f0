// Random numbers: a seed gives the same numbers on every device, in any order of execution, and they are distributed as
// their names say. Bounds on sample moments are five standard deviations wide, so with fixed seeds they say something
// and do not fail by chance.

import * as gd from "gradus";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { trueValues } from "../support/reference.ts";

beforeAll(async () => {
  await useDevice();
  // Draws of many shapes are many programs, and the engine would warn of them.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});

function moments(data: ArrayLike<number>): { mean: number; variance: number } {
  const values = Array.from(data);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
}

describe("seeds", () => {
  test("a seed repeats everything that is drawn after it", async () => {
    const draw = async () => {
      gd.manualSeed(7);
      const tensors = [gd.rand([5]), gd.randn([2, 3]), gd.randint(0, 100, [4]), gd.randperm(6)];
      return Promise.all(tensors.map((tensor) => tensor.toArray()));
    };
    expect(await draw()).toEqual(await draw());
    gd.manualSeed(8);
    expect(await gd.rand([5]).toArray()).not.toEqual((await draw())[0]);
  });

  test("every draw is another one, of the same shape too", async () => {
    const [a, b] = [gd.rand([8]), gd.rand([8])];
    expect(await a.toArray()).not.toEqual(await b.toArray());
  });

  test("the order of reading does not matter", async () => {
    gd.manualSeed(3);
    const [a, b] = [gd.rand([4]), gd.rand([4])];
    const inOrder = [await a.toArray(), await b.toArray()];
    gd.manualSeed(3);
    const [c, d] = [gd.rand([4]), gd.rand([4])];
    const second = await d.toArray();
    expect([await c.toArray(), second]).toEqual(inOrder);
  });

  test("seed 42 gives these numbers, on every device", async () => {
    const generator = new gd.Generator(42);
    // Multiples of 2^-24, so they are equal and not just close.
    expect(
      await gd
        .rand([4], { generator })
        .mul(2 ** 24)
        .toArray(),
    ).toEqual(seed42.rand);
    expect(await gd.randint(0, 1000, [4], { generator }).toArray()).toEqual(seed42.randint);
    expect(await gd.randperm(8, { generator }).toArray()).toEqual(seed42.randperm);
  });

  test("the device agrees with the reference interpreter on every distribution", async () => {
    const generator = new gd.Generator(1234);
    const uniform = gd.rand([999], { generator });
    const exact = [uniform, gd.randint(-5, 70, [3, 41], { generator }), gd.randperm(50, { generator })];
    exact.push(gd.bernoulli(gd.full([64], 0.3), { generator }), gd.rand([5], { generator, dtype: "float64" }));
    const expected = trueValues(exact);
    for (const [k, tensor] of exact.entries()) expect([...(await tensor.data())]).toEqual([...expected[k]]);
    const normal = gd.randn([777], { generator });
    const [numbers] = trueValues([normal]);
    // log and cos within a few units in the last place of numbers up to 5.
    expectClose(await normal.data(), numbers, { rtol: 1e-5, atol: 1e-5 });
  });

  test("a generator's state can be kept and taken up again", async () => {
    const generator = new gd.Generator(5);
    gd.rand([3], { generator });
    const state = generator.getState();
    const first = await gd.randn([3], { generator }).toArray();
    generator.setState(state);
    expect(await gd.randn([3], { generator }).toArray()).toEqual(first);
    expect(state).toEqual({ seed: 5, drawn: 1 });
    expect(() => generator.manualSeed(1.5)).toThrow(gd.ArgumentError);
  });

  test("drawing in a loop compiles one program", async () => {
    await gd.rand([17]).add(1).data();
    const before = gd.statistics().programsCompiled;
    for (let i = 0; i < 4; i++) await gd.rand([17]).add(1).data();
    expect(gd.statistics().programsCompiled).toBe(before);
  });
});

describe("distributions", () => {
  const generator = new gd.Generator(99);
  const n = 4000;

  test("rand is uniform in [0, 1)", async () => {
    const data = Array.from(await gd.rand([n], { generator }).data());
    expect(Math.min(...data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...data)).toBeLessThan(1);
    const { mean, variance } = moments(data);
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / n));
    // Neighbours are independent: their covariance vanishes.
    const covariance = data.slice(1).reduce((sum, value, i) => sum + (value - 0.5) * (data[i] - 0.5), 0) / (n - 1);
    expect(Math.abs(covariance)).toBeLessThan(5 / 12 / Math.sqrt(n));
  });

  test("randn is standard normal", async () => {
    const data = Array.from(await gd.randn([n], { generator }).data());
    const { mean, variance } = moments(data);
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    const within = data.filter((value) => Math.abs(value) < 1).length / n;
    expect(Math.abs(within - 0.6827)).toBeLessThan(5 * Math.sqrt((0.6827 * 0.3173) / n));
    expect(data.every(Number.isFinite)).toBe(true);
  });

  test("randint covers its range evenly", async () => {
    const data = Array.from(await gd.randint(-2, 3, [n], { generator }).data());
    for (let value = -2; value < 3; value++) {
      const part = data.filter((x) => x === value).length / n;
      expect(Math.abs(part - 0.2)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / n));
    }
    expect(data.every((x) => x >= -2 && x < 3)).toBe(true);
    expect(() => gd.randint(3, 3, [1])).toThrow(gd.ArgumentError);
  });

  test("randperm and hostPermutation are permutations", async () => {
    for (const order of [await gd.randperm(101, { generator }).data(), gd.hostPermutation(101, generator)]) {
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 101 }, (_, i) => i));
      expect([...order]).not.toEqual(Array.from({ length: 101 }, (_, i) => i));
    }
  });

  test("bernoulli is 1 as often as it says", async () => {
    const data = await gd.bernoulli(gd.full([n], 0.25), { generator }).data();
    const { mean } = moments(data);
    expect(Math.abs(mean - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / n));
    expect([...(await gd.bernoulli(gd.tensor([0, 1, 0, 1]), { generator }).data())]).toEqual([0, 1, 0, 1]);
  });

  test("multinomial draws by weight, with replacement and without", async () => {
    const weights = gd.tensor([1, 0, 3, 4]);
    const drawn = Array.from(await gd.multinomial(weights, n, true, { generator }).data());
    [1 / 8, 0, 3 / 8, 4 / 8].forEach((part, value) => {
      const found = drawn.filter((x) => x === value).length / n;
      expect(Math.abs(found - part)).toBeLessThanOrEqual(5 * Math.sqrt((part * (1 - part)) / n));
    });
    const rows = gd.tensor(Array.from({ length: 500 }, () => [1, 0, 3, 4]));
    const distinct = (await gd.multinomial(rows, 3, false, { generator }).toArray()) as number[][];
    expect(distinct.every((row) => [...row].sort().join() === "0,2,3")).toBe(true);
    const first = distinct.filter((row) => row[0] === 3).length / 500;
    expect(Math.abs(first - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / 500));
    expect(() => gd.multinomial(weights, 5)).toThrow(gd.ArgumentError);
  });
});

/** Recorded from the reference interpreter. */
const seed42 = {
  rand: [11673209, 14209561, 13152431, 7965611],
  randint: [792, 251, 635, 392],
  randperm: [5, 3, 7, 6, 1, 4, 0, 2],
};
