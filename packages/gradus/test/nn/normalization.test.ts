// Normalization: every layer against PyTorch, with second derivatives and running statistics; what may be normalized and
// what may not; lazy layers.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/normalization.json";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { testLayers } from "../support/layers.ts";
import { type LayerCase, normal } from "../support/nn-golden.ts";

const { F, nn } = gd;
beforeAll(useDevice);

const tables = golden as unknown as { readonly layers: readonly LayerCase[]; readonly empty: readonly LayerCase[] };

describe("agrees with PyTorch in output, gradients, second derivatives and running statistics", () =>
  testLayers(tables.layers));

describe("agrees with PyTorch where a batch is empty", () => testLayers(tables.empty));

describe("what cannot be normalized is refused", () => {
  test.each([
    [() => new nn.BatchNorm1d(3).forward(normal([1, 3], 1)), /in training a channel needs more than 1 value/],
    [() => new nn.BatchNorm2d(3).forward(normal([1, 3, 1, 1], 1)), /more than 1 value .*\[1, 3, 1, 1\].*eval\(\)/],
    [() => new nn.InstanceNorm1d(3).forward(normal([2, 3, 1], 1)), /a sample needs more than 1 value/],
    [() => new nn.InstanceNorm2d(3).eval().forward(normal([3, 1, 1], 1)), /a sample needs more than 1 value/],
    [() => new nn.GroupNorm(3, 3).forward(normal([1, 3], 1)), /each of 3 groups has a single value/],
    [() => new nn.BatchNorm1d(3).forward(normal([2, 4], 1)), /must be \[N, 3\] or \[N, 3, L\].*BatchNorm1d\(4\)/],
    [() => new nn.BatchNorm2d(3).forward(normal([3, 4, 4], 1)), /the input must be \[N, 3, H, W\]/],
    [() => new nn.BatchNorm3d(3).forward(normal([2, 3, 4, 4], 1)), /the input must be \[N, 3, D, H, W\]/],
    [() => new nn.InstanceNorm2d(3, { affine: true }).forward(normal([4, 2, 2], 1)), /\[N, 3, H, W\] or \[3, H, W\]/],
    [() => new nn.LazyBatchNorm2d().forward(normal([3, 4], 1)), /the input must be \[N, C, H, W\]/],
    [() => new nn.LayerNorm([2, 3]).forward(normal([3, 2], 1)), /does not end .*LayerNorm\(\[3, 2\]\)/],
    [() => new nn.RMSNorm(3).forward(normal([3, 2], 1)), /does not end .*RMSNorm\(\[2\]\)/],
    [() => new nn.LayerNorm([]), /\[\] is no shape to normalize over/],
    [() => F.layerNorm(normal([2], 1), []), /the normalized shape is empty/],
    [() => new nn.GroupNorm(4, 6), /6 channels cannot be divided into 4 groups/],
    [() => F.groupNorm(normal([2, 6, 2], 1), 4), /6 channels cannot be divided into 4 groups/],
    [() => new nn.GroupNorm(2, 4).forward(normal([2, 6, 2], 1)), /the input has 6 channels, weight has 4/],
    [() => new nn.LocalResponseNorm(2).forward(normal([2, 3], 1)), /three dimensions are needed/],
    [() => new nn.LocalResponseNorm(0), /size is 0/],
    [() => new nn.BatchNorm2d(0), /numFeatures is 0/],
    [() => F.batchNorm(normal([2, 3], 1)), /no running statistics.*training: true/],
    [() => F.instanceNorm(normal([2, 3, 2], 1), null, null, { useInputStats: false }), /useInputStats: true/],
    [() => F.batchNorm(normal([2, 3], 1), gd.zeros([2]), gd.ones([2])), /3 channels, runningMean has 2/],
  ])("%#", (body, message) => {
    expect(body).toThrow(message);
    expect(body).toThrow(gd.GradusError);
  });

  test("a layer without numbers for each channel takes any number of them, as in PyTorch", () => {
    expect(new nn.InstanceNorm2d(3).forward(normal([2, 5, 4, 4], 1)).shape).toEqual([2, 5, 4, 4]);
    const free = { affine: false, trackRunningStats: false };
    expect(new nn.BatchNorm2d(3, free).forward(normal([2, 5, 4, 4], 1)).shape).toEqual([2, 5, 4, 4]);
  });
});

describe("running statistics", () => {
  test("are the mean over all batches where the momentum is null", async () => {
    const layer = new nn.BatchNorm1d(2, { momentum: null });
    const batches = [1, 2, 3].map((seed) => normal([5, 2], seed));
    for (const batch of batches) {
      layer.forward(batch);
      await gd.flush(batch);
    }
    const means = await gd
      .stack(batches.map((batch) => batch.mean(0)))
      .mean(0)
      .data();
    const variances = await gd
      .stack(batches.map((batch) => batch.var(0)))
      .mean(0)
      .data();
    expectClose(await layer.runningMean!.data(), means, { rtol: 1e-5, atol: 1e-6 });
    expectClose(await layer.runningVar!.data(), variances, { rtol: 1e-5, atol: 1e-6 });
    expect(await layer.numBatchesTracked!.item()).toBe(3);
    layer.resetRunningStats();
    expect(await layer.runningMean!.toArray()).toEqual([0, 0]);
    expect(await layer.runningVar!.toArray()).toEqual([1, 1]);
    expect(await layer.numBatchesTracked!.item()).toBe(0);
  });

  test("of instances are read in evaluation, and used for a single value too", async () => {
    const layer = new nn.InstanceNorm1d(2, { trackRunningStats: true });
    layer.forward(normal([3, 2, 6], 1));
    layer.eval();
    const x = normal([1, 2, 1], 2);
    const [mean, variance] = [layer.runningMean!, layer.runningVar!].map((t) => t.reshape([1, 2, 1]));
    const expected = x.sub(mean).div(variance.add(1e-5).sqrt());
    expectClose(await layer.forward(x).data(), await expected.data(), { rtol: 1e-5, atol: 1e-6 });
    expect(await layer.numBatchesTracked!.item()).toBe(0);
  });

  test("stay as they are in evaluation", async () => {
    const layer = new nn.BatchNorm2d(2).eval();
    await layer.forward(normal([2, 2, 3, 3], 1)).data();
    expect(await layer.runningMean!.toArray()).toEqual([0, 0]);
    expect(await layer.numBatchesTracked!.item()).toBe(0);
  });
});

describe("RMSNorm's default eps is the machine epsilon of the input's dtype", () => {
  test.each([
    ["float32", 2 ** -23, 1e-3],
    ["float64", 2 ** -52, 1e-8],
  ] as const)("%s", async (dtype, eps, size) => {
    // Squares of such numbers are as small as the epsilon is, so that another one would be seen.
    const values = [1.5, -0.5, 2].map((value) => value * size * (dtype === "float32" ? 0.2 : 1));
    const x = gd.tensor(values, { dtype });
    const meanSquare = values.reduce((sum, value) => sum + value * value, 0) / 3;
    const expected = values.map((value) => value / Math.sqrt(meanSquare + eps));
    expectClose(await F.rmsNorm(x, [3]).data(), expected, { rtol: 1e-5 });
  });
});

describe("lazy layers", () => {
  test.each([
    ["BatchNorm1d", [2, 3]],
    ["BatchNorm1d", [2, 3, 4]],
    ["BatchNorm2d", [2, 3, 4, 2]],
    ["BatchNorm3d", [2, 3, 2, 2, 2]],
    ["InstanceNorm1d", [2, 3, 4]],
    ["InstanceNorm1d", [3, 4]],
    ["InstanceNorm2d", [3, 4, 2]],
    ["InstanceNorm3d", [2, 3, 2, 2, 2]],
  ] as const)("take the channels of Lazy%s from the input %s", async (type, shape) => {
    const options = { affine: true, trackRunningStats: true };
    const lazy = new nn[`Lazy${type}`](options);
    const plain = new nn[type](3, options);
    expect(lazy.hasUninitializedParams()).toBe(true);
    expect(() => lazy.parameters()).toThrow(/before it has seen an input/);
    expect(String(lazy)).toMatch(/^Lazy/);
    const x = normal(shape, 1);
    expectClose(await lazy.forward(x).data(), await plain.forward(x).data(), { rtol: 1e-6, atol: 1e-6 });
    expect(lazy.numFeatures).toBe(3);
    expect(String(lazy)).toBe(String(plain));
    expect([...lazy.stateDict().keys()]).toEqual([...plain.stateDict().keys()]);
  });

  test("take them from a state dict, and have nothing to wait for where nothing is learned or kept", () => {
    const source = new nn.BatchNorm2d(4);
    const lazy = new nn.LazyBatchNorm2d();
    lazy.loadStateDict(source.stateDict());
    expect(lazy.numFeatures).toBe(4);
    const tracking = new nn.LazyBatchNorm2d({ affine: false });
    tracking.loadStateDict(new nn.BatchNorm2d(4, { affine: false }).stateDict());
    expect(tracking.numFeatures).toBe(4);
    expect(() => new nn.LazyBatchNorm2d().loadStateDict(new Map())).toThrow(/Missing: weight/);
    const nothing = new nn.LazyInstanceNorm2d();
    expect(nothing.parameters()).toEqual([]);
    expect(nothing.forward(normal([2, 5, 2, 2], 1)).shape).toEqual([2, 5, 2, 2]);
  });
});

test("layers of float64 compute in float64", async () => {
  const x = gd.randn([4, 3, 2, 2], { generator: new gd.Generator(1), dtype: "float64" });
  const y = new nn.BatchNorm2d(3, { dtype: "float64" }).forward(x);
  expect(y.dtype).toBe("float64");
  const mean = x.mean([0, 2, 3], { keepdim: true });
  const variance = x.var([0, 2, 3], { correction: 0, keepdim: true });
  expectClose(await y.data(), await x.sub(mean).div(variance.add(1e-5).sqrt()).data(), { rtol: 1e-13, atol: 1e-14 });
});
