// Kinds: equal operations are one object, different ones never are, shape rules are asked whenever there is something
// new to be asked, and a process that makes ever new kinds neither leaks nor goes wrong.

import * as gd from "gradus";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { mix, mixNumbers, mixText } from "../../src/graph/hash-table.ts";
import { build, clearInterned, leaf, type Node, node, type OpAttributes, shapeRules } from "../../src/graph/index.ts";
import { inferKind, kindOf, kindStatistics, rememberedKinds, typeOf } from "../../src/graph/kind.ts";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);
afterEach(() => {
  vi.restoreAllMocks();
  clearInterned();
});

const float = (...shape: number[]) => ({ shape, dtype: "float32" as const });
const data = (...shape: number[]): Node => leaf("data", { requiresGrad: false }, float(...shape)) as unknown as Node;

describe("a type", () => {
  test("is one object for one shape and dtype, with a number of its own", () => {
    expect(typeOf(float(2, 3))).toBe(typeOf(float(2, 3)));
    const others = [float(3, 2), float(2), float(2, 3, 1), { shape: [2, 3], dtype: "int32" as const }].map(typeOf);
    expect(new Set([typeOf(float(2, 3)), ...others].map(({ id }) => id)).size).toBe(5);
  });
});

describe("a kind", () => {
  const full = (value: number) => kindOf("full", { value }, float(4));

  test("is one object for one operation, its attributes and its result", () => {
    expect(kindOf("sum", { axes: [0, 2] }, float(5))).toBe(kindOf("sum", { axes: [0, 2] }, float(5)));
    const others = [
      kindOf("sum", { axes: [0, 1] }, float(5)),
      kindOf("sum", { axes: [0, 2] }, float(6)),
      kindOf("sum", { axes: [0, 2] }, { shape: [5], dtype: "float64" }),
      kindOf("max", { axes: [0, 2] }, float(5)),
    ];
    for (const other of others) expect(other).not.toBe(kindOf("sum", { axes: [0, 2] }, float(5)));
  });

  test("tells 0 from -0, and takes every NaN for the same", () => {
    expect(full(0)).toBe(full(0));
    expect(full(-0)).toBe(full(-0));
    expect(full(-0)).not.toBe(full(0));
    expect(full(Number.NaN)).toBe(full(-Number.NaN));
    expect(full(Number.NaN)).not.toBe(full(0));
    expect(full(0.1 + 0.2)).not.toBe(full(0.3));
    expect(full(2 ** 31)).not.toBe(full(-(2 ** 31)));
  });

  test("tells a list from its only number, and a word from a number", () => {
    const sum = (axes: unknown) => kindOf("sum", { axes } as OpAttributes["sum"], float(4));
    const kinds = [1, [1], "1", true, [], [1, 1]].map(sum);
    expect(new Set(kinds).size).toBe(kinds.length);
  });

  test("is not confused with another of the same hash", () => {
    // The second number of a list can be chosen so that it makes up for the first.
    const type = typeOf(float(4));
    const start = mix(mixText(type.hash, "sum"), 2);
    const [a, b, otherA] = [3, 17, 4];
    const otherB = mix(start, a) ^ b ^ mix(start, otherA);
    const hashOf = (...axes: number[]): number => mixNumbers(mixText(type.hash, "sum"), axes);
    expect(hashOf(otherA, otherB)).toBe(hashOf(a, b));
    const [one, other] = [kindOf("sum", { axes: [a, b] }, type), kindOf("sum", { axes: [otherA, otherB] }, type)];
    expect(other).not.toBe(one);
    expect(kindOf("sum", { axes: [a, b] }, type)).toBe(one);
    expect(kindOf("sum", { axes: [otherA, otherB] }, type)).toBe(other);
  });

  test("keeps lists of its own, whatever becomes of those it was made with", () => {
    const [axes, shape] = [[0, 1], [4]];
    const made = kindOf("sum", { axes }, { shape, dtype: "float32" });
    axes[1] = 2;
    shape[0] = 9;
    expect([made.attributes.axes, made.type.shape]).toEqual([[0, 1], [4]]);
    expect(kindOf("sum", { axes: [0, 1] }, float(4))).toBe(made);
    expect(kindOf("sum", { axes: [0, 2] }, float(4))).not.toBe(made);
  });

  test("says what it is", () => {
    expect(String(kindOf("full", { value: -0 }, float(2, 3)))).toBe("full:float32[2,3] value=-0");
    expect(String(kindOf("sum", { axes: [0, 2] }, float(5)))).toBe("sum:float32[5] axes=0,2");
  });
});

describe("a shape rule", () => {
  test("is asked about every combination of attributes and types once", () => {
    const rule = vi.spyOn(shapeRules as { slice: (typeof shapeRules)["slice"] }, "slice");
    const sliced = (x: Node, stop: number) => inferKind("slice", [x], { start: [1], stop: [stop], step: [1] });
    const kinds = [data(31), data(31), data(31)].map((x) => sliced(x, 8));
    expect(rule).toHaveBeenCalledTimes(1);
    expect(new Set(kinds).size).toBe(1);
    sliced(data(31), 9);
    expect(rule).toHaveBeenCalledTimes(2);
    // The result is the same kind, but that is the rule's to say.
    expect(sliced(data(37), 9)).toBe(sliced(data(31), 9));
    expect(rule).toHaveBeenCalledTimes(3);
  });

  test("refuses what does not fit every time, also when much that fits was met before", () => {
    const [a, b] = [data(6, 4), data(4, 6)];
    build.add(a, a);
    build.add(b, b);
    for (let i = 0; i < 3; i++) {
      expect(() => build.add(a, b)).toThrow(gd.ShapeError);
      expect(() => build.add(a, build.cast(a, "float64"))).toThrow(gd.DTypeError);
      expect(() => build.reshape(a, [5, 5])).toThrow(gd.ShapeError);
    }
    expect(build.reshape(a, [3, 8]).shape).toEqual([3, 8]);
  });
});

describe("nodes", () => {
  test("of one operation on the same inputs are one until the next flush", () => {
    const [a, b] = [data(3), data(3)];
    const sum = build.add(a, b);
    expect(build.add(a, b)).toBe(sum);
    expect(build.add(b, a)).not.toBe(sum);
    expect(build.sub(a, b)).not.toBe(sum);
    expect(build.full(-0, [3], "float32")).not.toBe(build.full(0, [3], "float32"));
    clearInterned();
    expect(build.add(a, b)).not.toBe(sum);
    expect(build.add(a, b).kind).toBe(sum.kind);
  });

  test("of as many inputs as there are differ from those of fewer", () => {
    const [a, b, c] = [data(2), data(2), data(2)];
    const joined = [
      [a, b],
      [a, b, c],
      [b, a],
      [a, a],
    ].map((inputs) => node("concat", inputs, { axis: 0 }));
    expect(new Set(joined).size).toBe(4);
  });
});

describe("a process that makes ever new kinds", () => {
  const makeMany = (count: number, from: number): void => {
    for (let i = 0; i < count; i++) {
      inferKind("unary", [data(1, from + i)], { fn: "exp" });
      clearInterned();
    }
  };

  test("remembers only so many, and gives no number twice", { timeout: 60_000 }, () => {
    const before = kindOf("full", { value: 0.625 }, float(12_345));
    let highest = 0;
    const used = kindOf("full", { value: 0.75 }, float(54_321));
    for (let round = 0; round < 8; round++) {
      makeMany(rememberedKinds / 2, 1 + round * rememberedKinds);
      for (const size of Object.values(kindStatistics())) expect(size).toBeLessThanOrEqual(2 * rememberedKinds);
      const latest = kindOf("full", { value: round }, float(7, 7, 7));
      expect(latest.id).toBeGreaterThan(highest);
      highest = latest.id;
      // What is in use is not forgotten.
      expect(kindOf("full", { value: 0.75 }, float(54_321))).toBe(used);
    }
    const after = kindOf("full", { value: 0.625 }, float(12_345));
    expect(after).not.toBe(before);
    expect(after.id).toBeGreaterThan(before.id);
    expect(String(after)).toBe(String(before));
  });

  test("computes the same with nodes from before and after", { timeout: 60_000 }, async () => {
    const x = gd.tensor([1, 2, 3]).requiresGrad_();
    const before = x.mul(3).add(1);
    makeMany(3 * rememberedKinds, 10 ** 7);
    const after = before.mul(x).sum();
    after.backward();
    expect(await after.item()).toBe(4 + 14 + 30);
    expect(await x.grad!.toArray()).toEqual([7, 13, 19]);
    // After one compilation under the new numbers a program is found again.
    const y = gd.tensor([1, 2, 3]);
    const step = (): Promise<number> => y.mul(3).add(1).sum().item();
    await step();
    const { programsCompiled } = gd.statistics();
    expect(await step()).toBe(21);
    expect(gd.statistics().programsCompiled).toBe(programsCompiled);
  });
});
