// Padding against PyTorch (tools/golden_spatial.py): every layer, every mode, negative amounts.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/spatial-padding.json";
import { useDevice } from "../support/device.ts";
import { testLayers } from "../support/layers.ts";
import { type LayerCase, normal } from "../support/nn-golden.ts";
import { type FunctionCase, testFunctions } from "../support/spatial.ts";

const { nn } = gd;
const F = nn.functional;
beforeAll(useDevice);

const { layers, functions } = golden as unknown as {
  readonly layers: readonly LayerCase[];
  readonly functions: readonly FunctionCase[];
};

describe("agrees with PyTorch in output and gradients", () => testLayers(layers));

describe("agrees with PyTorch in first and second derivatives", () => testFunctions(functions));

describe("padding", () => {
  const letters = gd.tensor([1, 2, 3, 4], { dtype: "int32" });

  test.each([
    ["constant", [9, 9, 9, 1, 2, 3, 4, 9, 9]],
    ["reflect", [4, 3, 2, 1, 2, 3, 4, 3, 2]],
    ["replicate", [1, 1, 1, 1, 2, 3, 4, 4, 4]],
    ["circular", [2, 3, 4, 1, 2, 3, 4, 1, 2]],
  ] as const)("by %s keeps integers and takes a single dimension", async (mode, expected) => {
    const padded = F.pad(letters, [3, 2], { mode, value: 9 });
    expect(padded.dtype).toBe("int32");
    expect(Array.from(await padded.data())).toEqual([...expected]);
  });

  test.each(["reflect", "replicate", "circular"] as const)("by %s takes every dimension, one by one", async (mode) => {
    const x = normal([3, 4, 3, 5, 4], 6);
    const amounts = [1, 2, 0, 2, 2, 1, 3, 0, 1, 1];
    const whole = F.pad(x, amounts, { mode });
    let single = x;
    for (let i = 0; i < 5; i++) {
      const moved = single.transpose(4 - i, 4);
      single = F.pad(moved, amounts.slice(2 * i, 2 * i + 2), { mode }).transpose(4 - i, 4);
    }
    expect(whole.shape).toEqual([5, 7, 6, 7, 7]);
    expect(await whole.data()).toEqual(await single.data());
  });

  test("by nothing is the tensor itself", () => {
    for (const mode of ["constant", "reflect", "replicate", "circular"] as const) {
      const x = normal([2, 3], 1);
      expect(F.pad(x, [0, 0, 0, 0], { mode }).node).toBe(x.node);
    }
  });

  test("may leave nothing, but not less", () => {
    const x = normal([1, 2, 3], 1);
    expect(F.pad(x, [-1, -2], { mode: "replicate" }).shape).toEqual([1, 2, 0]);
    expect(() => F.pad(x, [-2, -2], { mode: "replicate" })).toThrow("leaves less than nothing");
    expect(() => F.pad(x, [-2, -2])).toThrow(gd.ShapeError);
  });

  test("refuses what cannot be, with the numbers", () => {
    const x = normal([1, 2, 3], 1);
    expect(() => F.pad(x, [3, 0], { mode: "reflect" })).toThrow(
      'pad: mode "reflect" cannot add 3 and 0 to dimension 2 of 3 (given [1, 2, 3]). Add at most 2 on each side.',
    );
    expect(() => F.pad(x, [0, 4], { mode: "circular" })).toThrow("Add at most 3 on each side.");
    expect(() => F.pad(normal([1, 0], 1), [1, 0], { mode: "replicate" })).toThrow("Add at most 0 on each side.");
    expect(() => F.pad(x, [1], { mode: "circular" })).toThrow("do not fit 3 dimensions");
    expect(() => F.pad(x, [0.5, 1], { mode: "reflect" })).toThrow(gd.ArgumentError);
    expect(() => F.pad(x, [1, 1], { mode: "mirror" as "reflect" })).toThrow('there is no mode "mirror"');
    expect(() => new nn.ZeroPad2d([1, 2])).toThrow("a padding of (1, 2) does not fit 2 spatial dimensions");
    expect(() => new nn.ReflectionPad2d(1).forward(x.select(0, 0))).toThrow("cannot be padded");
  });

  test("layers print what they are", () => {
    expect(String(new nn.ReflectionPad2d([1, 0, 2, 3]))).toBe("ReflectionPad2d((1, 0, 2, 3))");
    expect(String(new nn.CircularPad1d(2))).toBe("CircularPad1d((2, 2))");
    expect(String(new nn.ConstantPad3d(1, 0.5))).toBe("ConstantPad3d(padding=(1, 1, 1, 1, 1, 1), value=0.5)");
  });
});
