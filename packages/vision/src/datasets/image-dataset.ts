// Labeled images as a dataset of tensors: float32 [1, H, W], from 0 to 1 and then normalized, with int32 labels. The bytes
// stay bytes until a batch is made, which takes a quarter of the memory. Works in Node and in browsers.

import { ArgumentError, type data } from "gradus";
import type { LabeledImages } from "./labeled-images.ts";

/** Mean and standard deviation of a dataset's pixels, as fractions of full ink. */
export interface Normalization {
  readonly mean: number;
  readonly std: number;
}

/** Pixels as they are, from 0 to 1. */
export const NOT_NORMALIZED: Normalization = { mean: 0, std: 1 };

const GRAY_LEVELS = 256;

/**
 * A dataset for `data.DataLoader`, whose batches are `[images, labels]`: float32 [N, 1, H, W] and int32 [N].
 *
 * @example
 * const loader = new data.DataLoader(new ImageDataset(images), { batchSize: 64, shuffle: true });
 */
export class ImageDataset implements data.Dataset<data.HostArray[]> {
  readonly length: number;
  /** [1, H, W] */
  readonly imageShape: readonly [number, number, number];
  readonly classes: readonly string[];
  /** What each of 256 gray levels becomes. */
  private readonly levels: Float32Array;

  /** @param normalization by default pixels stay from 0 to 1 */
  constructor(
    readonly source: LabeledImages,
    readonly normalization: Normalization = NOT_NORMALIZED,
  ) {
    const { mean, std } = normalization;
    if (!(Number.isFinite(mean) && Number.isFinite(std) && std > 0)) {
      throw new ArgumentError("ImageDataset", `a mean of ${mean} and a deviation of ${std} normalize nothing`);
    }
    this.length = source.count;
    this.imageShape = [1, source.height, source.width];
    this.classes = source.classes;
    this.levels = Float32Array.from({ length: GRAY_LEVELS }, (_, level) => (level / (GRAY_LEVELS - 1) - mean) / std);
  }

  get(index: number): data.HostArray[] {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw new ArgumentError("ImageDataset", `there is no image ${index} among ${this.length}`);
    }
    const [images, labels] = this.getBatch([index]);
    return [
      { ...images, shape: images.shape.slice(1) },
      { ...labels, shape: [] },
    ];
  }

  getBatch(indices: ArrayLike<number>): data.HostArray[] {
    const { images, labels } = this.source;
    const [channels, height, width] = this.imageShape;
    const size = channels * height * width;
    const pixels = new Float32Array(indices.length * size);
    const classes = new Int32Array(indices.length);
    for (let i = 0; i < indices.length; i++) {
      const from = indices[i] * size;
      for (let p = 0; p < size; p++) pixels[i * size + p] = this.levels[images[from + p]];
      classes[i] = labels[indices[i]];
    }
    return [
      { data: pixels, shape: [indices.length, channels, height, width] },
      { data: classes, shape: [indices.length] },
    ];
  }
}

/** The mean and the standard deviation of a dataset's pixels, to normalize it and its test set with. */
export function normalizationOf({ images }: LabeledImages): Normalization {
  const counts = new Float64Array(GRAY_LEVELS);
  for (const level of images) counts[level]++;
  const moment = (power: number): number =>
    counts.reduce((sum, count, level) => sum + count * (level / (GRAY_LEVELS - 1)) ** power, 0) / images.length;
  const mean = moment(1);
  return { mean, std: Math.sqrt(moment(2) - mean ** 2) };
}
