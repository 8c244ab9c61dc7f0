// Labeled images as batches of tensors: ranges, normalization, order, dtypes.

import { ImageDataset, type LabeledImages, normalizationOf } from "@gradus/vision";
import { Digits } from "@gradus/vision/node";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

beforeAll(() => gd.init({ threads: 1 }));

const source: LabeledImages = {
  images: Uint8Array.from({ length: 5 * 6 }, (_, i) => (i * 37) % 256),
  labels: Uint8Array.of(2, 0, 1, 1, 2),
  count: 5,
  height: 2,
  width: 3,
  classes: ["a", "b", "c"],
};

async function firstBatch(dataset: gd.data.Dataset<gd.data.HostArray[]>): Promise<gd.Tensor[]> {
  for await (const batch of new gd.data.DataLoader(dataset, { batchSize: 5 })) return batch;
  throw new Error("there is no batch");
}

describe("an image dataset", () => {
  test("gives float32 [N, 1, H, W] from 0 to 1 and int32 labels, in the order asked for", async () => {
    const dataset = new ImageDataset(source);
    const [images, labels] = dataset.getBatch([4, 1]);
    expect([images.shape, labels.shape]).toEqual([[2, 1, 2, 3], [2]]);
    const expected = [...source.images.slice(24, 30), ...source.images.slice(6, 12)].map((level) => level / 255);
    expect([...images.data]).toEqual([...Float32Array.from(expected)]);
    expect(labels.data).toEqual(Int32Array.of(2, 0));
  });

  test("is batched alike with and without its fast path", async () => {
    const dataset = new ImageDataset(source, { mean: 0.4, std: 0.2 });
    const slow = { length: dataset.length, get: (index: number) => dataset.get(index) };
    const [fastImages, fastLabels] = await firstBatch(dataset);
    const [images, labels] = await firstBatch(slow);
    expect(images.shape).toEqual(fastImages.shape);
    expect(labels.shape).toEqual(fastLabels.shape);
    expect(await images.data()).toEqual(await fastImages.data());
    expect(await labels.data()).toEqual(await fastLabels.data());
  });

  test("has mean 0 and deviation 1 when normalized by its own statistics", () => {
    const [{ data }] = new ImageDataset(source, normalizationOf(source)).getBatch([0, 1, 2, 3, 4]);
    const values = [...data];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(0, 6);
    expect(variance).toBeCloseTo(1, 6);
  });

  test("of colours has three channels, each with its own mean and deviation", async () => {
    const colours: LabeledImages = {
      images: Uint8Array.from({ length: 4 * 3 * 6 }, (_, i) => (i * 67 + (i >> 4) * 29) % 256),
      labels: Uint8Array.of(0, 1, 1, 0),
      count: 4,
      channels: 3,
      height: 2,
      width: 3,
      classes: ["a", "b"],
    };
    const normalization = normalizationOf(colours);
    const dataset = new ImageDataset(colours, normalization);
    expect(dataset.imageShape).toEqual([3, 2, 3]);
    const [{ data, shape }] = dataset.getBatch([3, 0, 1, 2]);
    expect(shape).toEqual([4, 3, 2, 3]);
    for (let channel = 0; channel < 3; channel++) {
      const values = [...data].filter((_, i) => Math.floor(i / 6) % 3 === channel);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean).toBeCloseTo(0, 6);
      expect(values.reduce((sum, value) => sum + value ** 2, 0) / values.length).toBeCloseTo(1, 6);
    }
    const { mean, std } = normalization as { mean: number[]; std: number[] };
    expect([mean.length, std.length]).toEqual([3, 3]);
    const byte = colours.images[3 * 18 + 6];
    expect(data[6]).toBeCloseTo((byte / 255 - mean[1]) / std[1], 6);
    expect((await firstBatch(dataset))[0].shape).toEqual([4, 3, 2, 3]);
  });

  test("is refused where sizes or channels do not fit", () => {
    expect(() => new ImageDataset({ ...source, height: 3 })).toThrow("30 bytes are not 5 images of [1, 3, 3]");
    expect(() => new ImageDataset({ ...source, labels: source.labels.subarray(1) })).toThrow(
      "4 labels are not one for each of 5 images",
    );
    expect(() => new ImageDataset(source, { mean: [0, 0], std: 1 })).toThrow(
      "2 values of mean are not one for each of 1 channels",
    );
  });

  test("has no image beyond its last, and no deviation of 0", () => {
    const dataset = new ImageDataset(source);
    expect(() => dataset.get(5)).toThrow("no image 5 among 5");
    for (const index of [-1, 5, 0.5, Number.NaN]) {
      expect(() => dataset.getBatch([0, index])).toThrow(`no image ${index} among 5`);
    }
    expect(() => new ImageDataset(source, { mean: 0, std: 0 })).toThrow("deviation of 0");
  });

  test("of the digits is normalized by what its training images have", async () => {
    const { train, test: held } = await Digits.load();
    expect([train.length, held.length, train.imageShape]).toEqual([8_000, 2_000, [1, 28, 28]]);
    const { mean, std } = normalizationOf(train.source) as { mean: number; std: number };
    expect(Digits.normalization.mean).toBeCloseTo(mean, 4);
    expect(Digits.normalization.std).toBeCloseTo(std, 4);
    const [plain] = (await Digits.load({ normalize: false })).test.getBatch([0]);
    expect(Math.min(...plain.data)).toBe(0);
    expect(Math.max(...plain.data)).toBeLessThanOrEqual(1);
  });
});
