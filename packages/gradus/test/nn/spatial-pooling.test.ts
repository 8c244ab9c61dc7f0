// Pooling against PyTorch (tools/golden_spatial.py): maxima, means and norms of windows, adaptive windows, positions of
// maxima and the way back, ties.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/spatial-pooling.json";
import { useDevice } from "../support/device.ts";
import type { StoredTensor } from "../support/golden.ts";
import { testLayers } from "../support/layers.ts";
import { construct, expectTensor, type LayerCase, normal, tensorOf, titleOf } from "../support/nn-golden.ts";
import { type FunctionCase, testFunctions } from "../support/spatial.ts";

const { nn } = gd;
const F = nn.functional;
beforeAll(useDevice);

interface IndicesCase {
  readonly type: string;
  readonly args: readonly unknown[];
  readonly input: StoredTensor;
  readonly seed: StoredTensor;
  readonly output: StoredTensor;
  readonly indices: StoredTensor;
  readonly gradient: StoredTensor;
}

interface UnpoolCase extends IndicesCase {
  readonly outputSize: readonly number[] | null;
}

const { layers, tied, indices, unpools, functions } = golden as unknown as {
  readonly layers: readonly LayerCase[];
  readonly tied: readonly LayerCase[];
  readonly indices: readonly IndicesCase[];
  readonly unpools: readonly UnpoolCase[];
  readonly functions: readonly FunctionCase[];
};

describe("agrees with PyTorch in output and gradients", () => testLayers(layers));

describe("gives the gradient to the first of equal elements", () => testLayers(tied));

describe("agrees with PyTorch in first and second derivatives", () => testFunctions(functions));

describe("tells where maxima are as PyTorch does", () => {
  test.each(indices.map((each, i) => [`${i} ${titleOf(each.type, each.args)}`, each] as const))(
    "%s",
    async (_title, { type, args, input, seed, output, indices, gradient }) => {
      const layer = construct<gd.nn.MaxPool2d<true>>(nn, type, args);
      const x = tensorOf(input, true);
      const [y, positions] = layer.forward(x);
      y.mul(tensorOf(seed)).sum().backward();
      expect(positions.dtype).toBe("int32");
      expect(positions.requiresGrad).toBe(false);
      await expectTensor(y, output, "output");
      await expectTensor(positions, indices, "indices");
      await expectTensor(x.grad!, gradient, "gradient");
    },
  );

  test("also as functions", async () => {
    type Pool = (x: gd.Tensor, size: number) => gd.nn.functional.PooledWithIndices;
    for (const rank of [1, 2, 3]) {
      const functions = F as unknown as Record<string, Pool>;
      const x = normal([2, 3, 6, 5, 4].slice(0, rank + 2), 5);
      for (const [layerName, name, size] of [
        ["MaxPool", "maxPool", 2],
        ["AdaptiveMaxPool", "adaptiveMaxPool", 3],
      ] as const) {
        const layer = construct<gd.nn.MaxPool2d<true>>(nn, `${layerName}${rank}d`, [size, { returnIndices: true }]);
        const [y, positions] = layer.forward(x);
        const [output, places] = functions[`${name}${rank}dWithIndices`](x, size);
        expect(await output.data()).toEqual(await y.data());
        expect(await places.data()).toEqual(await positions.data());
        const picked = x.flatten(2).gather(2, places.flatten(2));
        expect(await picked.data()).toEqual(await output.flatten(2).data());
      }
    }
  });

  test("within the input, where a window holds nothing but minus infinity", async () => {
    const x = gd.full([1, 5, 4], Number.NEGATIVE_INFINITY);
    const [, positions] = F.maxPool2dWithIndices(x, 3, { padding: 1, stride: 2, dilation: 2 });
    // Rows start at -1 and 1, columns at -1: the first ones inside are rows 1 and 1, column 1.
    expect(await positions.toArray()).toEqual([[[5], [5]]]);
  });
});

describe("unpooling puts maxima back as PyTorch does", () => {
  test.each(unpools.map((each) => [`${titleOf(each.type, each.args)} to [${each.output.shape}]`, each] as const))(
    "%s",
    async (_title, { type, args, input, indices, outputSize, seed, output, gradient }) => {
      const layer = construct<gd.nn.MaxUnpool2d>(nn, type, args);
      const x = tensorOf(input, true);
      const y = layer.forward(x, tensorOf(indices), outputSize ?? undefined);
      y.mul(tensorOf(seed)).sum().backward();
      await expectTensor(y, output, "output");
      await expectTensor(x.grad!, gradient, "gradient");
    },
  );

  test("in the functions as well, infinities included", async () => {
    const x = gd.tensor([[1, 3, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 2, 0]], { requiresGrad: true });
    const [pooled, positions] = F.maxPool1dWithIndices(x, 2);
    expect(await F.maxUnpool1d(pooled, positions, 2).toArray()).toEqual([[0, 3, Number.NEGATIVE_INFINITY, 0, 2, 0]]);
    const image = normal([2, 4, 6], 3);
    for (const [unpool, [y, places]] of [
      [F.maxUnpool2d, F.maxPool2dWithIndices(image, 2)],
      [F.maxUnpool3d, F.maxPool3dWithIndices(image.unsqueeze(0), 2)],
    ] as const) {
      const back = unpool(y, places, 2);
      const kept = back.reshape([-1]).ne(0);
      expect(await kept.to("int32").sum().item()).toBe(y.numel());
      const same = back
        .reshape([-1])
        .sub(image.reshape([-1]))
        .mul(kept.to("float32"));
      expect(await same.abs().max().item()).toBe(0);
    }
  });

  test("and refuses sizes and positions that do not fit", async () => {
    const [y, places] = F.maxPool2dWithIndices(normal([1, 4, 4], 2), 2);
    expect(() => F.maxUnpool2d(y, places.flatten(1), 2)).toThrow("must have one shape");
    expect(() => F.maxUnpool2d(y, places, 2, { outputSize: [6, 4] })).toThrow(
      "Ask for sizes less than (2, 2) away from (4, 4).",
    );
    await expect(F.maxUnpool2d(y, places.add(14), 2).data()).rejects.toThrow(gd.GradusError);
  });
});

describe("pooling", () => {
  test("of integers gives integers for maxima and floats for means", async () => {
    const x = gd.tensor([[5, -3, -7, -8, 0, -1]], { dtype: "int32" });
    const largest = F.maxPool1d(x, 3, { padding: 1 });
    expect(largest.dtype).toBe("int32");
    expect(await largest.toArray()).toEqual([[5, 0]]);
    const [values, places] = F.adaptiveMaxPool1dWithIndices(x, 4);
    expect(await values.toArray()).toEqual([[5, -3, 0, 0]]);
    expect(await places.toArray()).toEqual([[0, 1, 4, 4]]);
    const mean = F.avgPool1d(x, 2);
    expect(mean.dtype).toBe("float32");
    expect(await mean.toArray()).toEqual([[1, -7.5, -0.5]]);
  });

  test("of a NaN is NaN where it lies and nowhere else", async () => {
    const x = gd.tensor([[1, 2, Number.NaN, 4, 5, 6, 7]]);
    const whereNaN = async (y: gd.Tensor) => Array.from(await y.ne(y).data());
    expect(await whereNaN(F.maxPool1d(x, 2))).toEqual([0, 1, 0]);
    expect(await whereNaN(F.avgPool1d(x, 2))).toEqual([0, 1, 0]);
    expect(await whereNaN(F.adaptiveMaxPool1d(x, 5))).toEqual([0, 1, 1, 0, 0]);
    expect(await whereNaN(F.adaptiveAvgPool1d(x, 3))).toEqual([1, 1, 0]);
  });

  test("does not change with a batch around it", async () => {
    const x = normal([3, 2, 7, 6], 4);
    for (const pool of [
      (y: gd.Tensor) => F.maxPool2d(y, [3, 2], { stride: 2, padding: 1 }),
      (y: gd.Tensor) => F.avgPool2d(y, [3, 2], { stride: 2, padding: 1 }),
      (y: gd.Tensor) => F.adaptiveMaxPool2d(y, [3, 4]),
      (y: gd.Tensor) => F.adaptiveAvgPool2d(y, [3, 4]),
      (y: gd.Tensor) => F.lpPool2d(y, 2, [3, 2]),
    ]) {
      const whole = pool(x);
      const single = pool(x.select(0, 2));
      expect(single.shape).toEqual(whole.shape.slice(1));
      const difference = single.sub(whole.select(0, 2)).abs().max();
      // The same sums, which may be taken in another order.
      expect(await difference.item()).toBeLessThan(2e-6);
    }
  });

  test("refuses what it cannot pool, with the numbers", () => {
    const x = gd.ones([1, 2, 4, 4]);
    expect(() => F.maxPool1d(x, 2)).toThrow("an input of 4 dimensions cannot be pooled");
    expect(() => F.maxPool2d(x, 5)).toThrow("a window of (5, 5) does not fit");
    expect(() => F.maxPool2d(x, 3, { padding: 2 })).toThrow("a padding of 2 is more than half the kernel of 3");
    expect(() => F.avgPool3d(x, [1, 2])).toThrow("kernelSize [1, 2] does not fit 3 spatial dimensions");
    expect(() => F.avgPool2d(x, 2, { divisorOverride: 0 })).toThrow("the divisor cannot be 0");
    expect(() => F.adaptiveAvgPool2d(x, 0)).toThrow("outputSize 0 does not fit");
    expect(() => F.adaptiveMaxPool3d(gd.ones([4, 4, 4, 4]), [1, 2])).toThrow(gd.ArgumentError);
    expect(() => F.adaptiveMaxPool2d(gd.ones([4, 4]), 2)).toThrow(gd.ShapeError);
    expect(() => F.lpPool2d(x, 0, 2)).toThrow("no norm of order 0");
  });

  test("layers print what they are", () => {
    expect(String(new nn.MaxPool3d(2, { stride: [1, 2, 2], ceilMode: true }))).toBe(
      "MaxPool3d(kernelSize=2, stride=(1, 2, 2), padding=0, ceilMode=true)",
    );
    expect(String(new nn.AvgPool1d(3, { countIncludePad: false, divisorOverride: 2 }))).toBe(
      "AvgPool1d(kernelSize=3, stride=3, padding=0, countIncludePad=false, divisorOverride=2)",
    );
    expect(String(new nn.AdaptiveMaxPool2d([null, 3]))).toBe("AdaptiveMaxPool2d(outputSize=(null, 3))");
    expect(String(new nn.LPPool1d(2, 3))).toBe("LPPool1d(normType=2, kernelSize=3, stride=3, ceilMode=false)");
    expect(String(new nn.MaxUnpool2d(2))).toBe("MaxUnpool2d(kernelSize=2, stride=2, padding=0)");
  });

  test("layers give a pair or a tensor, as their options say", () => {
    const x = gd.ones([1, 1, 4, 4]);
    const plain: gd.Tensor = new nn.MaxPool2d(2, { stride: 1 }).forward(x);
    const [output, positions]: readonly [gd.Tensor, gd.Tensor] = new nn.MaxPool2d(2, { returnIndices: true }).forward(
      x,
    );
    const sequence = new nn.Sequential(new nn.MaxPool2d(2), new nn.AdaptiveMaxPool2d(1));
    expect([plain.shape, output.shape, positions.shape]).toEqual([
      [1, 1, 3, 3],
      [1, 1, 2, 2],
      [1, 1, 2, 2],
    ]);
    expect(sequence.forward(x).shape).toEqual([1, 1, 1, 1]);
  });
});
