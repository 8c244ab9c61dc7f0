// Small computations at which compilers go wrong: rows that end in the middle of a vector around sums over windows, short
// loops that run backwards, integers without a quotient, indices of what padding covers.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

const counting = (...shape: number[]): gd.Tensor =>
  gd.arange(shape.reduce((product, extent) => product * extent, 1)).reshape(shape);

const ints = (...values: number[]): gd.Tensor => gd.tensor(Int32Array.from(values));

describe("sums over windows", () => {
  test("are right in every row, also past the last whole vector", async () => {
    const sums = await counting(20, 7, 3).unfold(1, 3, 2).sum([2, 3]).data();
    // Window w of row i holds elements 21 i + 6 w to 21 i + 6 w + 8, of all three columns.
    const expected = Array.from({ length: 20 }, (_, i) => [0, 1, 2].map((w) => 9 * (21 * i + 6 * w + 4)));
    expect([...sums]).toEqual(expected.flat());
  });
});

describe("sums of what is flipped", () => {
  test("are those of what is not", async () => {
    expect(await counting(14, 2).flip([1]).reshape(28).sum([0]).item()).toBe(378);
    const rows = await counting(160, 2).flip([1]).reshape(20, 16).sum([1]).data();
    expect([...rows]).toEqual(Array.from({ length: 20 }, (_, i) => 16 * 16 * i + 120));
  });
});

describe("the remainder by -1", () => {
  test.each([1, 33])("is 0 for %d of the smallest integer", async (count) => {
    const smallest = ints(...new Array<number>(count).fill(-(2 ** 31)));
    const minusOne = ints(...new Array<number>(count).fill(-1));
    expect([...(await smallest.remainder(minusOne).data())]).toEqual(new Array(count).fill(0));
  });
});

describe("a padded look-up", () => {
  test.each([
    [1, 1],
    [1, 40],
  ])("asks for nothing outside of it: %d before, %d after", async (before, after) => {
    const found = await gd.tensor([5, 6]).gather(0, ints(1, 2).sub(1)).pad([before, after]).data();
    expect([...found]).toEqual([...new Array(before).fill(0), 5, 6, ...new Array(after).fill(0)]);
  });

  test("still refuses an index that is out of range", async () => {
    await expect(gd.tensor([5, 6]).gather(0, ints(1, 3).sub(1)).pad([1, 1]).data()).rejects.toThrow(/out of range/);
  });
});
