// What is left after something went wrong: nothing half done, and no later work disturbed.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

const indices = (...values: number[]): gd.Tensor => gd.tensor(values, { dtype: "int32" });

describe("a step that fails", () => {
  test("leaves parameters and momentum as they were, and the next step works", async () => {
    const table = new gd.Parameter(gd.rand([4, 3]));
    const optimizer = new gd.optim.SGD([table], { lr: 0.1, momentum: 0.9 });
    const step = async (...rows: number[]): Promise<void> => {
      optimizer.zeroGrad();
      table
        .indexSelect(0, indices(...rows))
        .sum()
        .backward();
      await optimizer.step();
    };
    await step(0, 1);
    const before = await table.data();
    await expect(step(0, 9)).rejects.toThrow(/index|range/i);
    expect(await table.data()).toEqual(before);
    await step(0, 1);
    const after = await table.data();
    expect(after[0]).toBeCloseTo(before[0] - 0.19, 5);
    expect(after[11]).toBe(before[11]);
  });

  test("because a value is stale disturbs neither other tensors nor the next step", async () => {
    const p = new gd.Parameter(gd.ones([2]));
    const q = new gd.Parameter(gd.ones([2]));
    const first = new gd.optim.SGD([p], { lr: 0.25 });
    const second = new gd.optim.SGD([q], { lr: 0.25 });
    const old = p.mul(3);
    for (let i = 0; i < 3; i++) {
      first.zeroGrad();
      p.sum().backward();
      await first.step();
    }
    old.mul(q).sum().backward();
    await expect(second.step()).rejects.toThrow(gd.StaleTensorError);
    expect(await gd.ones([2]).add(5).toArray()).toEqual([6, 6]);
    expect(await q.toArray()).toEqual([1, 1]);
    second.zeroGrad();
    q.sum().backward();
    await second.step();
    expect(await q.toArray()).toEqual([0.75, 0.75]);
  });
});

test("noGrad bodies that end in another order than they began leave gradients on", async () => {
  const wait = (milliseconds: number) => () => new Promise((resolve) => setTimeout(resolve, milliseconds));
  await Promise.all([gd.noGrad(wait(2)), gd.noGrad(wait(12)), gd.enableGrad(wait(6))]);
  expect(gd.isGradEnabled()).toBe(true);
});

describe("what vectors have no room for", () => {
  test("a product that goes on as float64 is computed", async () => {
    const a = gd.tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: rows
    const product = a.matmul(a.T).add(1).to("float64");
    expect(await product.toArray()).toEqual([[15, 33], [33, 78]]); // biome-ignore format: rows
  });

  test("products of bytes wrap, also where they go on as floats", async () => {
    const bytes = (start: number): gd.Tensor =>
      gd.tensor(Uint8Array.from({ length: 100 }, (_, i) => (i * 37 + start) % 256));
    const [a, b] = [bytes(1), bytes(5)];
    const [x, y] = [await a.data(), await b.data()];
    const expected = x.reduce((sum: number, value: number, i: number) => (sum + value * y[i]) % 256, 0);
    expect(await a.dot(b).float().item()).toBe(expected);
  });

  test("the smallest integer of all is a minimum too", async () => {
    const x = indices(5, -(2 ** 31), 3);
    expect(await x.amin().item()).toBe(-(2 ** 31));
    expect(await x.argmin().item()).toBe(1);
  });
});
