// Tensors of pixels as pictures: what is looked at of a run. Leans on tensor for values and on the shape of a picture in
// png.ts.

import { ShapeError, type Tensor } from "../tensor/index.ts";
import type { PlainImage } from "./png.ts";

/** Options of `imageGrid`. */
export interface ImageGridOptions {
  /** Pictures in a row. Default: as many as make the grid nearly square. */
  readonly columns?: number;
  /** What is black and what is white; values beyond are cut off. Default [0, 1]; [-1, 1] for what ends in a tanh. */
  readonly range?: readonly [black: number, white: number];
}

/**
 * Images side by side in one picture, with a gap of one dark pixel (`torchvision.utils.make_grid`).
 *
 * @param images [N, 1, H, W] or [N, 3, H, W]
 * @throws ShapeError for another shape, or no images
 */
export async function imageGrid(
  images: Tensor,
  { columns, range = [0, 1] }: ImageGridOptions = {},
): Promise<PlainImage> {
  const [count, channels, height, width] = images.shape;
  if (images.ndim !== 4 || count === 0 || (channels !== 1 && channels !== 3)) {
    throw new ShapeError(
      "imageGrid",
      [images.shape],
      "this is no batch of gray or coloured images",
      "Give it [N, 1 or 3, H, W].",
    );
  }
  const values = await images.data();
  const [black, white] = range;
  const pixels = height * width;
  const pictures = Array.from({ length: count }, (_, n): PlainImage => {
    const data = new Uint8Array(channels * pixels);
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < pixels; i++) {
        const value = (values[(n * channels + channel) * pixels + i] - black) / (white - black);
        data[i * channels + channel] = Math.round(255 * Math.min(1, Math.max(0, value)));
      }
    }
    return { width, height, channels, data };
  });
  return tiled(pictures, columns);
}

/**
 * A picture of numbers whose range is unknown, as after normalizing: the least becomes black, the greatest white.
 * @param values [channels, height, width], row-major; of other than 1 or 3 channels the first is shown
 */
export function pictureOf(values: ArrayLike<number>, shape: readonly [number, number, number]): PlainImage {
  const [given, height, width] = shape;
  const channels = given === 3 ? 3 : 1;
  const pixels = height * width;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < channels * pixels; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  const scale = high > low ? 255 / (high - low) : 0;
  const data = new Uint8Array(channels * pixels);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < pixels; i++) {
      data[i * channels + channel] = Math.round((values[channel * pixels + i] - low) * scale);
    }
  }
  return { width, height, channels, data };
}

/** Pictures of one size side by side in rows, as nearly square as they come, with a gap of one dark pixel. */
export function tiled(
  pictures: readonly PlainImage[],
  columns: number = Math.ceil(Math.sqrt(pictures.length)),
): PlainImage {
  const [{ width, height, channels }] = pictures;
  const rows = Math.ceil(pictures.length / columns);
  const across = columns * (width + 1) - 1;
  const down = rows * (height + 1) - 1;
  const data = new Uint8Array(across * down * channels);
  pictures.forEach((picture, i) => {
    const left = (i % columns) * (width + 1);
    const top = Math.floor(i / columns) * (height + 1);
    for (let y = 0; y < height; y++) {
      const row = picture.data.subarray(y * width * channels, (y + 1) * width * channels);
      data.set(row, ((top + y) * across + left) * channels);
    }
  });
  return { width: across, height: down, channels, data };
}
