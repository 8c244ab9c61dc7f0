// Dropout: what it keeps, what it scales, and that a seed repeats it.

import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

const { nn } = gd;
beforeAll(useDevice);

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

test("repeats with the seed and differs from call to call", async () => {
  const draw = async (): Promise<unknown> => (await new nn.Dropout(0.5).forward(gd.ones([50])).data()).join();
  gd.manualSeed(2);
  const first = await draw();
  const second = await draw();
  gd.manualSeed(2);
  expect(await draw()).toBe(first);
  expect(second).not.toBe(first);
});

test("does nothing in evaluation, and zeroes all where p is 1", async () => {
  const x = gd.ones([4]);
  expect(new nn.Dropout(0.5).eval().forward(x)).toBe(x);
  expect(Array.from(await new nn.Dropout(1).forward(x).data())).toEqual([0, 0, 0, 0]);
  expect(() => new nn.Dropout(1.5)).toThrow(/1\.5 is no probability/);
});
