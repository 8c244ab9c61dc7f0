// Labeled images as a dataset of tensors: float32 [C, H, W], from 0 to 1 and then normalized, with int32 labels. The bytes
// stay bytes until a batch is made, which takes a quarter of the memory. Works in Node and in browsers.

import { ArgumentError, type data } from "gradus";
import type { LabeledImages } from "./labeled-images.ts";

/** Mean and standard deviation of a dataset's values, which go from 0 to 1: one for all channels, or one for each. */
export interface Normalization {
  /** What is subtracted. */
  readonly mean: number | readonly number[];
  /** What the difference is divided by; above 0. */
  readonly std: number | readonly number[];
}

/** Values as they are, from 0 to 1. */
export const NOT_NORMALIZED: Normalization = { mean: 0, std: 1 };

/** Values that a byte has. */
export const LEVELS = 256;

/**
 * What each byte of each channel becomes, [channels, 256].
 * @throws ArgumentError unless there are a mean and a deviation for each channel, which divide
 */
export function normalizedLevels(operation: string, { mean, std }: Normalization, channels: number): Float32Array {
  const each = (name: string, values: number | readonly number[]): readonly number[] => {
    if (typeof values === "number") return new Array<number>(channels).fill(values);
    if (values.length === channels) return values;
    throw new ArgumentError(
      operation,
      `${values.length} values of ${name} are not one for each of ${channels} channels`,
    );
  };
  const [means, deviations] = [each("mean", mean), each("std", std)];
  if (!(means.every(Number.isFinite) && deviations.every((value) => Number.isFinite(value) && value > 0))) {
    throw new ArgumentError(operation, `a mean of ${String(mean)} and a deviation of ${String(std)} normalize nothing`);
  }
  return Float32Array.from({ length: channels * LEVELS }, (_, i) => {
    const channel = Math.floor(i / LEVELS);
    return ((i % LEVELS) / (LEVELS - 1) - means[channel]) / deviations[channel];
  });
}

/**
 * A dataset for `data.DataLoader`, whose batches are `[images, labels]`: float32 [N, C, H, W] and int32 [N].
 *
 * @example
 * const loader = new data.DataLoader(new ImageDataset(images), { batchSize: 64, shuffle: true });
 */
export class ImageDataset implements data.Dataset<data.HostArray[]> {
  readonly length: number;
  /** [C, H, W] */
  readonly imageShape: readonly [number, number, number];
  /** The names of the classes, which labels are indices of. */
  readonly classes: readonly string[];
  private readonly levels: Float32Array;

  /**
   * @param source the images and their classes
   * @param normalization by default values stay from 0 to 1
   */
  constructor(
    readonly source: LabeledImages,
    readonly normalization: Normalization = NOT_NORMALIZED,
  ) {
    const { count, channels = 1, height, width } = source;
    if (source.images.length !== count * channels * height * width) {
      throw new ArgumentError(
        "ImageDataset",
        `${source.images.length} bytes are not ${count} images of [${channels}, ${height}, ${width}]`,
      );
    }
    if (source.labels.length !== count) {
      throw new ArgumentError("ImageDataset", `${source.labels.length} labels are not one for each of ${count} images`);
    }
    this.levels = normalizedLevels("ImageDataset", normalization, channels);
    this.length = count;
    this.imageShape = [channels, height, width];
    this.classes = source.classes;
  }

  get(index: number): data.HostArray[] {
    const [images, labels] = this.getBatch([index]);
    return [
      { ...images, shape: images.shape.slice(1) },
      { ...labels, shape: [] },
    ];
  }

  /** @throws ArgumentError for an index beyond the last image */
  getBatch(indices: ArrayLike<number>): data.HostArray[] {
    const { images, labels } = this.source;
    const [channels, height, width] = this.imageShape;
    const plane = height * width;
    const size = channels * plane;
    const values = new Float32Array(indices.length * size);
    const classes = new Int32Array(indices.length);
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i];
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        throw new ArgumentError("ImageDataset", `there is no image ${index} among ${this.length}`);
      }
      for (let channel = 0; channel < channels; channel++) {
        const from = index * size + channel * plane;
        const to = i * size + channel * plane;
        for (let p = 0; p < plane; p++) values[to + p] = this.levels[channel * LEVELS + images[from + p]];
      }
      classes[i] = labels[index];
    }
    return [
      { data: values, shape: [indices.length, channels, height, width] },
      { data: classes, shape: [indices.length] },
    ];
  }
}

/**
 * The mean and the standard deviation of a dataset's values, to normalize it and its test set with: a number each for gray
 * images, else one for each channel.
 */
export function normalizationOf({ images, count, channels = 1 }: LabeledImages): Normalization {
  const plane = images.length / (count * channels);
  const counts = new Float64Array(channels * LEVELS);
  for (let i = 0; i < images.length; i++) counts[(Math.floor(i / plane) % channels) * LEVELS + images[i]]++;
  const moment = (channel: number, power: number): number =>
    counts
      .subarray(channel * LEVELS, (channel + 1) * LEVELS)
      .reduce((sum, found, level) => sum + found * (level / (LEVELS - 1)) ** power, 0) /
    (count * plane);
  const mean = Array.from({ length: channels }, (_, channel) => moment(channel, 1));
  const std = mean.map((center, channel) => Math.sqrt(moment(channel, 2) - center ** 2));
  return channels === 1 ? { mean: mean[0], std: std[0] } : { mean, std };
}
