// Pictures as plain bytes, and their PNG files: what event files and reports carry.
// Leans on fast-png for the format itself (PNG, W3C recommendation, third edition); adds the check that
// the numbers of a picture agree with each other, for a wrong width gives a sheared picture, not an error.

import { encode } from "fast-png";

/** A picture of 8-bit samples, rows from the top, channels interleaved: `data` is `[height, width, channels]`. */
export interface PlainImage {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** 1 is gray, 3 is red, green, blue. */
  readonly channels: 1 | 3;
  /** `height * width * channels` samples, 0 (dark) to 255. */
  readonly data: Uint8Array;
}

/** As {@link PlainImage}, or with opacity as a fourth channel (0 is clear, 255 opaque). */
export interface TransparentImage extends Omit<PlainImage, "channels"> {
  readonly channels: 4;
}

/** A picture whose size, channels and data do not agree. */
export class ImageDataError extends Error {
  override readonly name = "ImageDataError";
}

/**
 * The bytes of a PNG file, 8 bits a sample, without loss.
 * @throws ImageDataError where `data` does not hold `height * width * channels` samples.
 */
export function encodePng(image: PlainImage | TransparentImage): Uint8Array {
  const { width, height, channels, data } = image;
  if (!isPositiveInteger(width) || !isPositiveInteger(height)) {
    throw new ImageDataError(`A picture of ${width} x ${height} pixels cannot be stored. Give whole sizes from 1 on.`);
  }
  if (![1, 3, 4].includes(channels)) {
    throw new ImageDataError(`A picture has ${channels} channels. Give 1 for gray or 3 for colour.`);
  }
  if (data.length !== width * height * channels) {
    throw new ImageDataError(
      `A picture of ${width} x ${height} pixels and ${channels} channels needs ${width * height * channels} samples ` +
        `but has ${data.length}. Give the samples as [height, width, channels].`,
    );
  }
  return encode({ width, height, channels, data, depth: 8 });
}

function isPositiveInteger(size: number): boolean {
  return Number.isSafeInteger(size) && size > 0;
}
