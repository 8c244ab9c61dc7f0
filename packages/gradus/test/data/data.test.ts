// Datasets, samplers and loaders.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

const { data } = gd;
beforeAll(useDevice);

/** n samples of [2, 3] whose first element is their index times ten, and their index as label. */
function numbered(n: number): gd.data.TensorDataset {
  const images = Float32Array.from({ length: n * 6 }, (_, i) => Math.floor(i / 6) * 10 + (i % 6));
  return new data.TensorDataset(
    { data: images, shape: [n, 2, 3] },
    { data: Int32Array.from({ length: n }, (_, i) => i), shape: [n] },
  );
}

async function labelsOf(loader: AsyncIterable<gd.Tensor[]>): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const [, y] of loader) batches.push(Array.from(await y.data()));
  return batches;
}

describe("datasets", () => {
  test("rows of arrays are samples, and batches of them one array each", () => {
    const dataset = numbered(4);
    expect(dataset.get(2)).toEqual([
      { data: Float32Array.of(20, 21, 22, 23, 24, 25), shape: [2, 3], dtype: undefined },
      { data: Int32Array.of(2), shape: [], dtype: undefined },
    ]);
    const [x, y] = dataset.getBatch(Int32Array.of(3, 1));
    expect(x.shape).toEqual([2, 2, 3]);
    expect(Array.from(x.data)).toEqual([30, 31, 32, 33, 34, 35, 10, 11, 12, 13, 14, 15]);
    expect(Array.from(y.data)).toEqual([3, 1]);
  });

  test("arrays that do not belong together are refused", () => {
    expect(() => new data.TensorDataset()).toThrow(/no arrays/);
    const four = { data: new Float32Array(4), shape: [4] };
    expect(() => new data.TensorDataset(four, { data: new Float32Array(5), shape: [5] })).toThrow(/4 and of 5/);
    expect(() => new data.TensorDataset({ data: new Float32Array(4), shape: [5] })).toThrow(/4 numbers .* \[5\]/);
    expect(() => numbered(3).get(3)).toThrow(/no sample 3 among 3/);
  });

  test("are made of tensors, too", async () => {
    const dataset = await data.TensorDataset.fromTensors(
      gd.tensor([
        [1, 2],
        [3, 4],
      ]),
      gd.tensor([true, false]),
    );
    expect(dataset.get(1)[0].data).toEqual(Float32Array.of(3, 4));
    expect(dataset.getBatch(Int32Array.of(0))[1].dtype).toBe("bool");
  });

  test("a random split covers all samples once and repeats with its seed", () => {
    const split = (seed: number) =>
      data
        .randomSplit(numbered(10), [0.75, 0.25], { generator: new gd.Generator(seed) })
        .map(({ indices }) => Array.from(indices));
    const [a, b] = split(1);
    expect([a.length, b.length]).toEqual([8, 2]);
    expect([...a, ...b].sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(split(1)).toEqual([a, b]);
    expect(split(2)).not.toEqual([a, b]);
    expect(() => data.randomSplit(numbered(10), [5, 4])).toThrow(/do not divide 10/);
  });
});

describe("a loader", () => {
  test("gives all samples in order, the last batch smaller or left out", async () => {
    const dataset = numbered(7);
    const loader = new data.DataLoader(dataset, { batchSize: 3 });
    expect(loader.length).toBe(3);
    expect(await labelsOf(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const dropping = new data.DataLoader(dataset, { batchSize: 3, dropLast: true });
    expect(dropping.length).toBe(2);
    expect(await labelsOf(dropping)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    for await (const [x, y] of loader) {
      expect(x.shape).toEqual([y.shape[0], 2, 3]);
      expect(y.dtype).toBe("int32");
      expect(await x.select(1, 0).select(1, 0).data()).toEqual(
        Float32Array.from(await y.data(), (label) => label * 10),
      );
    }
  });

  test("shuffles anew every epoch, repeats with its seed, and loses no sample", async () => {
    const make = (seed: number) =>
      new data.DataLoader(numbered(20), { batchSize: 6, shuffle: true, generator: new gd.Generator(seed) });
    const loader = make(3);
    const [first, second] = [await labelsOf(loader), await labelsOf(loader)];
    expect(first.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(second).not.toEqual(first);
    expect(await labelsOf(make(3))).toEqual(first);
    expect(await labelsOf(make(4))).not.toEqual(first);
  });

  test("follows the default generator's seed if it has none, whatever else is drawn in an epoch", async () => {
    const run = async (disturb: boolean): Promise<number[][]> => {
      gd.manualSeed(9);
      const loader = new data.DataLoader(numbered(20), { batchSize: 10, shuffle: true });
      const first = await labelsOf(loader);
      if (disturb) gd.rand([3]);
      return [...first, ...(await labelsOf(loader))];
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test.each([0, 2])("goes on from its state with exactly the batches that remain (prefetch %i)", async (prefetch) => {
    const make = () =>
      new data.DataLoader(numbered(20), { batchSize: 3, shuffle: true, prefetch, generator: new gd.Generator(5) });
    const whole = make();
    const expected = [await labelsOf(whole), await labelsOf(whole), await labelsOf(whole)];
    const stopped = make();
    await labelsOf(stopped);
    let state: gd.data.LoaderState | null = null;
    let seen = 0;
    for await (const _batch of stopped) {
      if (++seen < 3) continue;
      state = JSON.parse(JSON.stringify(stopped.stateDict()));
      break;
    }
    expect(state).toMatchObject({ epoch: 1, position: 3 });
    // Asked for after the loop was left, the state is the same.
    expect(stopped.stateDict()).toEqual(state);
    const resumed = make();
    resumed.loadStateDict(state!);
    expect(await labelsOf(resumed)).toEqual(expected[1].slice(3));
    expect(resumed.stateDict()).toMatchObject({ epoch: 2, position: 0 });
    expect(await labelsOf(resumed)).toEqual(expected[2]);
  });

  test("begins a new epoch after one that was left early", async () => {
    const loader = new data.DataLoader(numbered(6), { batchSize: 2 });
    for await (const _batch of loader) break;
    expect(await labelsOf(loader)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(loader.stateDict().epoch).toBe(2);
  });

  test("stacks the samples of any dataset, and loads ahead as many batches as it is told", async () => {
    const asked: number[] = [];
    const dataset: gd.data.Dataset<[Float32Array, number]> = {
      length: 8,
      get: async (index) => {
        asked.push(index);
        return [Float32Array.of(index, -index), index % 3];
      },
    };
    const loader = new data.DataLoader(dataset, { batchSize: 2, prefetch: 1 });
    const counts: number[] = [];
    for await (const [x, y] of loader) {
      expect(x.shape).toEqual([2, 2]);
      expect([x.dtype, y.dtype]).toEqual(["float32", "int32"]);
      counts.push(asked.length);
    }
    expect(counts).toEqual([4, 6, 8, 8]);
  });

  test("takes samples that are objects, and a collate function", async () => {
    const dataset = { length: 2, get: (index: number) => ({ image: gd.full([2], index), weight: index + 0.5 }) };
    for await (const batch of new data.DataLoader(dataset, { batchSize: 2 })) {
      expect(await batch.image.toArray()).toEqual([
        [0, 0],
        [1, 1],
      ]);
      expect(batch.weight.dtype).toBe("float32");
    }
    const texts = new data.DataLoader(
      { length: 3, get: (index: number) => `${index}` },
      { batchSize: 3, collate: (list) => list.join() },
    );
    for await (const text of texts) expect(text).toBe("0,1,2");
  });

  test("tells a dataset's failure where the batch is awaited", async () => {
    const dataset = {
      length: 4,
      get: async (index: number) => {
        if (index === 3) throw new Error("the file of sample 3 is gone");
        return index;
      },
    };
    const loader = new data.DataLoader(dataset, { prefetch: 3 });
    let seen = 0;
    await expect(async () => {
      for await (const _batch of loader) seen++;
    }).rejects.toThrow(/sample 3 is gone/);
    expect(seen).toBe(3);
  });

  test("refuses what cannot be loaded", () => {
    expect(() => new data.DataLoader(numbered(3), { batchSize: 0 })).toThrow(/batchSize of 0/);
    expect(() => new data.DataLoader(numbered(3), { batchSize: 1.5 })).toThrow(/batchSize of 1.5/);
    expect(() => new data.DataLoader(numbered(3), { batchSize: 4, dropLast: true })).toThrow(/3 samples do not fill/);
    expect(() => new data.DataLoader({ length: 0, get: () => 0 })).toThrow(/empty/);
    expect(() => new data.DataLoader(numbered(3)).loadStateDict({ epoch: 0, position: 9, generator: null })).toThrow(
      /no batch 9/,
    );
  });
});

describe("samplers and joined datasets", () => {
  const draws = (sampler: gd.data.Sampler) => Array.from(sampler.order());
  const seeded = { generator: new gd.Generator(7) };

  test("weighted draws come as often as their weights say, never those of weight 0, and repeat with the seed", () => {
    const weights = [1, 0, 3, 4];
    const drawn = draws(new data.WeightedRandomSampler(weights, 8000, true, seeded));
    const counts = weights.map((_, i) => drawn.filter((index) => index === i).length);
    expect(counts[1]).toBe(0);
    // Four standard deviations of a binomial count.
    for (const i of [0, 2, 3]) {
      const p = weights[i] / 8;
      expect(Math.abs(counts[i] - 8000 * p)).toBeLessThan(4 * Math.sqrt(8000 * p * (1 - p)));
    }
    const again = () => draws(new data.WeightedRandomSampler(weights, 20, true, { generator: new gd.Generator(3) }));
    expect(again()).toEqual(again());
  });

  test("without replacement each comes once, the heavy ones mostly first", () => {
    const sampler = new data.WeightedRandomSampler([1, 1, 100, 0], 3, false, seeded);
    const orders = Array.from({ length: 200 }, () => draws(sampler));
    for (const order of orders) expect([...order].sort()).toEqual([0, 1, 2]);
    expect(orders.filter(([first]) => first === 2).length).toBeGreaterThan(180);
  });

  test("weights that mean nothing, and too many draws, are refused", () => {
    const make =
      (weights: number[], length: number, replacement = true) =>
      () =>
        new data.WeightedRandomSampler(weights, length, replacement);
    expect(make([1, -1], 2)).toThrow(/weight 1 is -1/);
    expect(make([0, 0], 2)).toThrow(/add up to 0/);
    expect(make([1, 0, 2], 3, false)).toThrow(/3 of 3 samples cannot be drawn/);
    expect(make([1], 0)).toThrow(gd.ArgumentError);
  });

  test("a subset is shuffled, all of it", async () => {
    const sampler = new data.SubsetRandomSampler([5, 7, 9, 1], seeded);
    const loader = new data.DataLoader(numbered(10), { batchSize: 2, sampler });
    const visited = (await labelsOf(loader)).flat();
    expect([...visited].sort()).toEqual([1, 5, 7, 9]);
  });

  test("datasets in a row are one", async () => {
    const joined = new data.ConcatDataset([numbered(2), numbered(3)]);
    expect(await labelsOf(new data.DataLoader(joined, { batchSize: 5 }))).toEqual([[0, 1, 0, 1, 2]]);
    expect(() => joined.get(5)).toThrow(/no sample 5 among 5/);
    expect(() => new data.ConcatDataset([])).toThrow(/no datasets/);
  });
});
