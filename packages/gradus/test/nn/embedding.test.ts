// Embeddings: against PyTorch, with gradients, padding, limited norms; indices of either type and out of range.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/functional.json";
import { useDevice } from "../support/device.ts";
import { type FunctionCase, testFunctions } from "../support/functions.ts";
import { normal } from "../support/nn-golden.ts";

const { F, nn } = gd;
beforeAll(useDevice);

const integers = (values: readonly number[]): gd.Tensor => gd.tensor(values, { dtype: "int32" });

describe("agrees with PyTorch", () => testFunctions(golden.embeddings as unknown as readonly FunctionCase[]));

describe("sums, means and maxima of bags agree with PyTorch", () =>
  testFunctions(golden.bags as unknown as readonly FunctionCase[]));

test("bytes are indices as well", async () => {
  const table = normal([200, 2], 1);
  const bytes = gd.tensor([199, 0, 130], { dtype: "uint8" });
  expect(await F.embedding(bytes, table).toArray()).toEqual(
    await F.embedding(integers([199, 0, 130]), table).toArray(),
  );
});

test.each([
  ["too large", [0, 4]],
  ["negative", [-1, 0]],
])("an index that is %s is an error when the rows are computed", async (_what, indices) => {
  const rows = new nn.Embedding(4, 2).forward(integers(indices));
  await expect(rows.data()).rejects.toThrow(/out of range.*indices run from 0 to 3/);
});

test("indices that are no integers, and tables that are no matrices, are refused", () => {
  expect(() => F.embedding(gd.ones([2]), normal([3, 2], 1))).toThrow(gd.DTypeError);
  expect(() => F.embedding(gd.ones([2], { dtype: "bool" }), normal([3, 2], 1))).toThrow(gd.DTypeError);
  expect(() => F.embedding(integers([0]), normal([3], 1))).toThrow(/the table must be a matrix/);
  expect(() => new nn.Embedding(3, 2, { paddingIdx: 3 })).toThrow(/no row 3 among 3 for the padding.*-3 to 2/);
  expect(() => new nn.Embedding(3, 2, { paddingIdx: -4 })).toThrow(gd.ArgumentError);
  expect(() => new nn.Embedding(0, 2)).toThrow(/numEmbeddings is 0/);
  expect(() => new nn.Embedding(3, 2, { weight: normal([2, 3], 1) })).toThrow(/another shape/);
  expect(() => nn.Embedding.fromPretrained(normal([3], 1))).toThrow(/a table of 1 dimensions/);
});

describe("the layer", () => {
  test("begins with standard normal numbers, and zeros for the padding, which learning leaves alone", async () => {
    gd.manualSeed(1);
    const layer = new nn.Embedding(100, 50, { paddingIdx: -1 });
    expect(layer.paddingIdx).toBe(99);
    const values = Array.from(await layer.weight.data());
    expect(values.slice(-50).every((value) => value === 0)).toBe(true);
    const drawn = values.slice(0, -50);
    const mean = drawn.reduce((sum, value) => sum + value) / drawn.length;
    const variance = drawn.reduce((sum, value) => sum + value * value, 0) / drawn.length;
    // Of 4,950 numbers the mean varies by 0.014, the variance by 0.02.
    expect(Math.abs(mean)).toBeLessThan(0.06);
    expect(Math.abs(variance - 1)).toBeLessThan(0.1);
    const optimizer = new gd.optim.SGD(layer.parameters(), { lr: 0.5 });
    layer
      .forward(integers([99, 3, 3]))
      .sum()
      .backward();
    await optimizer.step();
    const after = Array.from(await layer.weight.data());
    expect(after.slice(-50).every((value) => value === 0)).toBe(true);
    // The third row was looked up twice.
    expect(after[150]).toBeCloseTo(values[150] - 1, 5);
    expect(after.slice(0, 150)).toEqual(values.slice(0, 150));
  });

  test("takes over given vectors, frozen or not, without drawing random numbers", async () => {
    const table = normal([4, 3], 1);
    const before = gd.defaultGenerator.getState();
    const frozen = nn.Embedding.fromPretrained(table, { paddingIdx: 0 });
    const free = nn.Embedding.fromPretrained(table, { freeze: false });
    expect(gd.defaultGenerator.getState()).toEqual(before);
    expect([frozen.weight.requiresGrad, free.weight.requiresGrad]).toEqual([false, true]);
    expect(await frozen.weight.toArray()).toEqual(await table.toArray());
    expect([frozen.numEmbeddings, frozen.embeddingDim, frozen.paddingIdx]).toEqual([4, 3, 0]);
  });

  test("has PyTorch's key, prints its options, and computes in its dtype", async () => {
    const layer = new nn.Embedding(4, 3, { paddingIdx: 1, maxNorm: 2, dtype: "float64" });
    expect([...layer.stateDict().keys()]).toEqual(["weight"]);
    expect(String(layer)).toBe("Embedding(4, 3, paddingIdx=1, maxNorm=2)");
    expect(layer.forward(integers([0])).dtype).toBe("float64");
  });

  test("limits the norms of rows that are looked up, for good, and of no others", async () => {
    const layer = nn.Embedding.fromPretrained(gd.full([3, 4], 2), { freeze: false, maxNorm: 1 });
    const rows = layer.forward(integers([2, 0, 2]));
    rows.sum().backward();
    await gd.flush(rows);
    const norms = Array.from(await layer.weight.norm(2, 1).data());
    expect(norms.map((norm) => Number(norm.toFixed(5)))).toEqual([1, 4, 1]);
    expect(await rows.toArray()).toEqual(await layer.weight.index(integers([2, 0, 2])).toArray());
    expect(await layer.weight.grad!.sum(1).toArray()).toEqual([4, 0, 8]);
  });

  test("a table that is computed from others cannot be changed by maxNorm", () => {
    const computed = normal([3, 2], 1).requiresGrad_().mul(2);
    expect(() => F.embedding(integers([0]), computed, { maxNorm: 1 })).toThrow(/computed from other tensors/);
    expect(() => F.embedding(integers([0]), computed.detach(), { maxNorm: 1 })).not.toThrow();
  });
});

test("learns in one program, whatever the indices are", async () => {
  const layer = new nn.Embedding(10, 4);
  const optimizer = new gd.optim.Adam(layer.parameters());
  const step = async (indices: readonly number[]): Promise<void> => {
    optimizer.zeroGrad();
    layer.forward(integers(indices)).square().sum().backward();
    await optimizer.step();
  };
  await step([1, 2, 3]);
  await step([4, 4, 0]);
  await step([9, 8, 7]);
  const before = gd.statistics().programsCompiled;
  await step([5, 5, 5]);
  await step([0, 1, 9]);
  expect(gd.statistics().programsCompiled).toBe(before);
});

describe("EmbeddingBag", () => {
  test("is the function, with PyTorch's key", async () => {
    const table = normal([6, 3], 1);
    const layer = nn.EmbeddingBag.fromPretrained(table, { mode: "sum", freeze: false, paddingIdx: 2 });
    const [input, offsets] = [integers([1, 2, 5, 2]), integers([0, 3])];
    const weights = normal([4], 2);
    const expected = F.embeddingBag(input, table, {
      mode: "sum",
      paddingIdx: 2,
      offsets,
      perSampleWeights: weights,
    });
    expect(await layer.forward(input, offsets, weights).toArray()).toEqual(await expected.toArray());
    expect((await layer.forward(input, offsets).toArray())[1 as never]).toEqual([0, 0, 0]);
    expect([...layer.stateDict().keys()]).toEqual(["weight"]);
    expect(layer.weight.requiresGrad).toBe(true);
    expect(String(layer)).toBe("EmbeddingBag(6, 3, paddingIdx=2, mode=sum)");
    expect(new nn.EmbeddingBag(4, 2).mode).toBe("mean");
  });

  test("scales gradients by frequency like an embedding whose rows are averaged", async () => {
    const input = integers([1, 4, 1, 5, 1, 0]).reshape([2, 3]);
    const gradientOf = async (mean: (table: gd.Tensor) => gd.Tensor): Promise<unknown> => {
      const table = normal([6, 3], 1).requiresGrad_();
      mean(table)
        .mul(normal([2, 3], 2))
        .sum()
        .backward();
      return (await table.grad!.mul(1024).round().toArray()) as unknown;
    };
    const options = { scaleGradByFreq: true };
    const bagged = await gradientOf((table) => F.embeddingBag(input, table, options));
    expect(bagged).toEqual(await gradientOf((table) => F.embedding(input, table, options).mean(1)));
  });

  test("refuses what does not go together", () => {
    const table = normal([4, 2], 1);
    const two = integers([1, 2]).reshape([1, 2]);
    const bag = (input: gd.Tensor, options: gd.nn.functional.EmbeddingBagOptions) => () =>
      F.embeddingBag(input, table, options);
    expect(bag(integers([1, 2]), {})).toThrow(/\[length\] with offsets of \[bags\]/);
    expect(bag(two, { offsets: integers([0]) })).toThrow(gd.ShapeError);
    expect(bag(integers([1]), { offsets: gd.zeros([1]) })).toThrow(gd.DTypeError);
    expect(bag(integers([1]), { offsets: integers([]), includeLastOffset: true })).toThrow(/no last offset/);
    expect(bag(two, { perSampleWeights: gd.ones([1, 2]) })).toThrow(/cannot be weighted in mode "mean"/);
    expect(bag(two, { mode: "sum", perSampleWeights: gd.ones([2]) })).toThrow(/one weight for each index/);
    expect(bag(two, { mode: "max", scaleGradByFreq: true })).toThrow(gd.ArgumentError);
    expect(bag(two, { mode: "median" as "mean" })).toThrow(/no mode "median"/);
    expect(bag(two.float(), {})).toThrow(gd.DTypeError);
  });

  test("an input without bags gives none", async () => {
    expect(F.embeddingBag(integers([]), normal([4, 2], 1), { offsets: integers([]) }).shape).toEqual([0, 2]);
    expect(await F.embeddingBag(integers([]), normal([4, 2], 1), { offsets: integers([0, 0]) }).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});

test("layers print their options", () => {
  const limited = new nn.Embedding(5, 2, { paddingIdx: -1, maxNorm: 1, normType: 1, scaleGradByFreq: true });
  expect(String(limited)).toBe("Embedding(5, 2, paddingIdx=4, maxNorm=1, normType=1, scaleGradByFreq=true)");
  expect(String(new nn.EmbeddingBag(5, 2, { mode: "sum", includeLastOffset: true }))).toBe(
    "EmbeddingBag(5, 2, mode=sum, includeLastOffset=true)",
  );
});
