// Reads PNG, JPEG and WebP files as bytes, in one size and number of channels, through the npm package sharp. It is an
// optional dependency, loaded when the first image is read. For Node only.

import { ArgumentError, type data } from "gradus";
import { DatasetError } from "./errors.ts";

/** Options of `readImage`. */
export interface ReadImageOptions {
  /** Height and width of the result, by bilinear interpolation: one number for both, or [height, width]. Default: as it is. */
  readonly size?: number | readonly [height: number, width: number];
  /**
   * How images of other proportions become that size: "cover" (default) cuts off what stands out at both sides, "fill"
   * squeezes them.
   */
  readonly fit?: "cover" | "fill";
  /** 3 for red, green and blue (default), 1 for gray. Transparency is ignored, as torchvision ignores it. */
  readonly channels?: 1 | 3;
}

/** @throws ArgumentError for what is no size, fit or number of channels */
export function checkReadOptions(operation: string, { size, fit = "cover", channels = 3 }: ReadImageOptions): void {
  const sides = size === undefined ? [] : [size].flat();
  if (sides.length > 2 || sides.some((side) => !Number.isInteger(side) || side < 1)) {
    throw new ArgumentError(operation, `[${sides.join(", ")}] is no size`, "Use an integer from 1, or two of them.");
  }
  if (fit !== "cover" && fit !== "fill") {
    throw new ArgumentError(operation, `"${String(fit)}" is no way to fit`, 'Use "cover" or "fill".');
  }
  if (channels !== 1 && channels !== 3) {
    throw new ArgumentError(operation, `${String(channels)} channels cannot be read`, "Use 1 or 3.");
  }
}

type Sharp = typeof import("sharp")["default"];
let sharp: Promise<Sharp> | null = null;

function loadSharp(): Promise<Sharp> {
  sharp ??= import("sharp").then(
    (module) => module.default,
    (cause) => {
      sharp = null;
      const problem = "the npm package sharp, which reads images, cannot be loaded";
      throw new DatasetError("sharp", "", problem, "Install it: npm install sharp.", { cause });
    },
  );
  return sharp;
}

/** A decoded image: bytes [height, width, channels]. */
export interface DecodedImage extends data.HostArray {
  /** Row-major; the channels of a pixel lie side by side. */
  readonly data: Uint8Array;
  /** Rows, columns, and channels: 3 or 1. */
  readonly shape: readonly [height: number, width: number, channels: number];
}

/**
 * Reads an image file.
 *
 * @returns uint8 [height, width, channels], what `toTensor` takes
 * @throws DatasetError if it cannot be read, or sharp is not installed
 *
 * @example
 * const image = toTensor(await readImage("cat.jpg", { size: 224 })); // [3, 224, 224]
 */
export async function readImage(path: string, options: ReadImageOptions = {}): Promise<DecodedImage> {
  checkReadOptions("readImage", options);
  const { size, fit = "cover", channels = 3 } = options;
  const decode = await loadSharp();
  try {
    let image = decode(path).removeAlpha().toColourspace("srgb");
    if (size !== undefined) {
      const [height, width = height] = [size].flat();
      image = image.resize({ width, height, fit, kernel: "linear" });
    }
    const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length);
    if (info.channels !== 3) throw new Error(`it has ${info.channels} channels instead of red, green and blue`);
    return { data: channels === 1 ? grayOf(bytes) : bytes, shape: [info.height, info.width, channels] };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const remedy = "Make sure that it is there and is a PNG, JPEG or WebP image.";
    throw new DatasetError(path, "", `it cannot be read as an image (${reason})`, remedy, { cause });
  }
}

/** Luma of red, green and blue (ITU-R BT.601), in the integers that Pillow computes it in. */
function grayOf(colours: Uint8Array): Uint8Array {
  const gray = new Uint8Array(colours.length / 3);
  for (let i = 0; i < gray.length; i++) {
    const [red, green, blue] = [colours[3 * i], colours[3 * i + 1], colours[3 * i + 2]];
    gray[i] = (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16;
  }
  return gray;
}
