// Reading at once: what is computed can be read anywhere, what has to be computed only where the thread may block, which
// a browser's main thread must not.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { canBlock, useDevice } from "../support/device.ts";

beforeAll(useDevice);

const computed = (): gd.Tensor => gd.tensor([1, -2, 3]).mul(2);

/** The value where the thread may block; elsewhere the error, which must name what to do. */
function expectAtOnce(read: () => unknown, value: unknown, says: string): void {
  if (canBlock()) expect(read()).toEqual(value);
  else {
    expect(read).toThrow(gd.ReadError);
    expect(read).toThrow(says);
  }
}

describe("what is not computed yet is read at once where the thread may block, and a ReadError elsewhere", () => {
  test("by dataSync", () => expectAtOnce(() => [...computed().dataSync()], [2, -4, 6], "await tensor.data()"));

  test("by toArraySync", () => expectAtOnce(() => computed().toArraySync(), [2, -4, 6], "await tensor.data()"));

  test("by itemSync", () => expectAtOnce(() => computed().sum().itemSync(), 4, "await tensor.data()"));

  test("by a bool index", async () => {
    const x = computed();
    let chosen: gd.Tensor | null = null;
    const index = (): readonly number[] => (chosen = x.index(x.gt(0))).shape;
    expectAtOnce(index, [2], "maskedSelect");
    if (chosen !== null) expect(await (chosen as gd.Tensor).toArray()).toEqual([2, 6]);
  });

  test("also while the run that computes it is under way", async () => {
    const x = computed();
    const done = gd.flush(x);
    expectAtOnce(() => x.toArraySync(), [2, -4, 6], "await tensor.data()");
    await done;
    expect(x.toArraySync()).toEqual([2, -4, 6]);
  });
});

describe("anywhere one can read at once", () => {
  test("what came from the host", () => {
    expect(gd.tensor([5, 7]).toArraySync()).toEqual([5, 7]);
  });

  test("what was awaited", async () => {
    const x = computed();
    expect(await x.toArray()).toEqual([2, -4, 6]);
    expect(x.toArraySync()).toEqual([2, -4, 6]);
  });

  test("what a flush has computed along", async () => {
    const x = computed();
    const sum = x.sum();
    await gd.flush(x, sum);
    expect(sum.itemSync()).toBe(4);
  });

  test("a parameter after the step that updated it", async () => {
    const weight = new gd.Parameter(gd.tensor([1, 2]));
    gd.noGrad(() => weight.add_(gd.tensor([10, 10])));
    await gd.flush();
    expect(weight.toArraySync()).toEqual([11, 12]);
  });

  test("a bool index that was awaited", async () => {
    const x = computed();
    const mask = x.gt(0);
    await mask.data();
    expect(await x.index(mask).toArray()).toEqual([2, 6]);
  });
});
