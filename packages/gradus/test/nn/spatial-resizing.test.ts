// Resizing against PyTorch (tools/golden_spatial.py): interpolation in every mode, channels for pixels, windows as columns.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/spatial-resizing.json";
import { expectClose } from "../support/compare.ts";
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

describe("interpolation", () => {
  test("takes any dtype where it only picks", async () => {
    const x = gd.tensor([[[1, 2, 3]]], { dtype: "uint8" });
    for (const [mode, expected] of [
      ["nearest", [1, 1, 2, 2, 3]],
      ["nearest-exact", [1, 1, 2, 3, 3]],
    ] as const) {
      const picked = F.interpolate(x, { size: 5, mode });
      expect(picked.dtype).toBe("uint8");
      expect(Array.from(await picked.data())).toEqual(expected);
    }
    expect(() => F.interpolate(x, { size: 5, mode: "linear" })).toThrow(gd.DTypeError);
  });

  test.each([3, 7, 49, 130])("by nearest elements repeats each of two as often as it says: %i times", async (times) => {
    // As floats, 1 / 49 times 49 is below 1, and 2 / 98 too: an element would be repeated once too often.
    const x = gd.tensor([[[1, 2]]]);
    const byPhase = await F.interpolate(x, { scaleFactor: times }).data();
    // An odd number more, so that positions are looked up.
    const byLookUp = await F.interpolate(gd.tensor([[[1, 2, 3, 4]]]), { size: 2 * times }).data();
    const count = (data: ArrayLike<number>, value: number) => Array.from(data).filter((each) => each === value).length;
    expect([1, 2].map((value) => count(byPhase, value))).toEqual([times, times]);
    const halves = [Math.ceil(times / 2), Math.floor(times / 2)];
    expect([1, 2, 3, 4].map((value) => count(byLookUp, value))).toEqual([...halves, ...halves]);
  });

  // What PyTorch gives for 0, 1, 2, ...
  test.each([
    ["nearest", 40, 1.3, 39, 30],
    ["nearest-exact", 40, 1.3, 19, 15],
    ["nearest", 3, 2.1, 2, 0],
    ["nearest", 3, 1.3, 1, 0],
    ["nearest-exact", 3, 1.3, 1, 1],
    ["linear", 3, 1.3, 1, 1],
  ] as const)("by mode %s of %i times %d: element %i is %i", async (mode, length, scaleFactor, index, expected) => {
    const y = F.interpolate(gd.arange(length).float().reshape(1, 1, -1), { scaleFactor, mode });
    expect((await y.data())[index]).toBe(expected);
  });

  test.each(["linear", "bilinear", "trilinear", "bicubic"] as const)("by mode %s keeps constants", async (mode) => {
    const rank = { linear: 1, bilinear: 2, trilinear: 3, bicubic: 2 }[mode];
    const x = gd.full([1, 1, 5, 4, 3].slice(0, rank + 2), 0.75);
    for (const alignCorners of [false, true]) {
      for (const size of [2, 7, 8]) {
        const y = F.interpolate(x, { size, mode, alignCorners });
        // Weights are rounded one by one, and so their sum may miss 1 by some units in the last place.
        expectClose(await y.data(), new Array<number>(size ** rank).fill(0.75), { rtol: 1e-6 });
      }
    }
  });

  test("leaves a NaN where it lies if factors are whole", async () => {
    const x = gd.tensor([[[1, Number.NaN, 3, 4, 5]]]);
    const whereNaN = async (y: gd.Tensor) => Array.from(await y.ne(y).data());
    expect(await whereNaN(F.interpolate(x, { scaleFactor: 2 }))).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect(await whereNaN(F.interpolate(x, { scaleFactor: 2, mode: "linear" }))).toEqual([
      0, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    ]);
  });

  test("refuses options that contradict each other or the input", () => {
    const x = normal([1, 1, 4, 4], 1);
    expect(() => F.interpolate(x, {})).toThrow("neither size and scaleFactor are given");
    expect(() => F.interpolate(x, { size: 3, scaleFactor: 2 })).toThrow("both size and scaleFactor are given");
    expect(() => F.interpolate(x, { size: [3] })).toThrow("size [3] does not fit 2 spatial dimensions");
    expect(() => F.interpolate(x, { scaleFactor: [2, -1] })).toThrow("scaleFactor 2, -1 does not fit");
    expect(() => F.interpolate(x, { scaleFactor: 0.2 })).toThrow("sizes 0, 0 cannot be made");
    expect(() => F.interpolate(x, { size: 2, alignCorners: true })).toThrow(
      'alignCorners means nothing in mode "nearest"',
    );
    expect(() => F.interpolate(x, { size: 2, mode: "linear" })).toThrow('Use "bilinear", or "nearest" for any.');
    expect(() => F.interpolate(x, { size: 2, mode: "cubic" as "bicubic" })).toThrow('there is no mode "cubic"');
    expect(() => F.interpolate(x.select(0, 0).select(0, 0), { size: 2 })).toThrow(gd.ShapeError);
  });
});

describe("channels and pixels", () => {
  test("change places and back", async () => {
    const x = normal([2, 3, 8, 2, 3], 2);
    const back = F.pixelUnshuffle(F.pixelShuffle(x, 2), 2);
    expect(await back.data()).toEqual(await x.data());
    const channels = normal([2, 6, 3], 3);
    expect(await F.channelShuffle(F.channelShuffle(channels, 2), 3).data()).toEqual(await channels.data());
  });

  test("also of an empty batch", async () => {
    const shuffled = F.pixelShuffle(gd.zeros([0, 8, 2, 3]), 2);
    expect(shuffled.shape).toEqual([0, 2, 4, 6]);
    expect(await shuffled.data()).toHaveLength(0);
    expect(F.pixelUnshuffle(shuffled, 2).shape).toEqual([0, 8, 2, 3]);
  });

  test("refuse sizes that cannot be divided", () => {
    expect(() => F.pixelShuffle(gd.ones([1, 6, 2, 2]), 2)).toThrow("6 channels cannot be divided by 2 x 2");
    expect(() => F.pixelUnshuffle(gd.ones([1, 1, 4, 3]), 2)).toThrow("4 x 3 cannot be divided into squares of 2 x 2");
    expect(() => F.channelShuffle(gd.ones([1, 5, 2]), 2)).toThrow("5 channels cannot be divided into 2 groups");
    expect(() => F.pixelShuffle(gd.ones([4, 4]), 2)).toThrow(gd.ShapeError);
    expect(() => F.pixelShuffle(gd.ones([1, 4, 4]), 0.5)).toThrow("upscaleFactor is 0.5");
  });
});

describe("windows as columns", () => {
  test("make a convolution a product of matrices", async () => {
    const x = normal([2, 3, 6, 5], 4);
    const weight = normal([4, 3, 3, 2], 5);
    const options = { stride: [2, 1], padding: 1, dilation: [1, 2] };
    const columns = F.unfold(x, [3, 2], options);
    const expected = F.conv2d(x, weight, null, options);
    const product = weight.flatten(1).matmul(columns);
    expect(columns.shape).toEqual([2, 18, 3 * 5]);
    // Sums of 18 terms of size 1.
    expectClose(await product.data(), await expected.data(), { rtol: 1e-5, scaled: 1e-6 });
  });

  test("are folded to as often as an element was read", async () => {
    const ones = gd.ones([1, 1, 4, 5]);
    const times = F.fold(F.unfold(ones, 2), [4, 5], 2);
    expect(await times.toArray()).toEqual([
      [
        [
          [1, 2, 2, 2, 1],
          [2, 4, 4, 4, 2],
          [2, 4, 4, 4, 2],
          [1, 2, 2, 2, 1],
        ],
      ],
    ]);
  });

  test("refuse sizes that do not fit, with the numbers", () => {
    expect(() => F.unfold(gd.ones([1, 1, 2, 2]), 3)).toThrow("a window of (3, 3) does not fit");
    expect(() => F.unfold(gd.ones([4, 4]), 2)).toThrow("cannot be unfolded");
    expect(() => F.fold(gd.ones([1, 4, 5]), 3, 2)).toThrow(
      "4 x 5 are not the columns of 2 x 2 windows of an image of 3 x 3",
    );
    expect(() => F.fold(gd.ones([1, 5, 4]), 3, 2)).toThrow("Give it a multiple of 4 rows, and 2 x 2 = 4 columns.");
    expect(() => F.fold(gd.ones([4]), 3, 2)).toThrow(gd.ShapeError);
  });
});

test("layers print what they are", () => {
  expect(String(new nn.Upsample({ scaleFactor: [2, 3], mode: "bilinear" }))).toBe(
    "Upsample(scaleFactor=(2, 3), mode=bilinear)",
  );
  expect(String(new nn.UpsamplingBilinear2d({ size: 8 }))).toBe(
    "UpsamplingBilinear2d(size=8, mode=bilinear, alignCorners=true)",
  );
  expect(String(new nn.UpsamplingNearest2d({ size: 8 }))).toBe("UpsamplingNearest2d(size=8, mode=nearest)");
  expect(String(new nn.PixelShuffle(3))).toBe("PixelShuffle(upscaleFactor=3)");
  expect(String(new nn.PixelUnshuffle(2))).toBe("PixelUnshuffle(downscaleFactor=2)");
  expect(String(new nn.ChannelShuffle(2))).toBe("ChannelShuffle(groups=2)");
  expect(String(new nn.Unfold([2, 3], { padding: 1 }))).toBe(
    "Unfold(kernelSize=(2, 3), dilation=1, padding=1, stride=1)",
  );
  expect(String(new nn.Fold(4, 2))).toBe("Fold(outputSize=4, kernelSize=2, dilation=1, padding=0, stride=1)");
});
