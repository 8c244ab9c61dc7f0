// Loading MNIST's four files from a folder, under all their names, and saying clearly what is wrong with them.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PUBLISHED } from "../../src/datasets/published.ts";
import { DatasetError } from "../../src/index.ts";
import { datasetFolder, loadFashionMnist, loadKmnist, loadMnist } from "../../src/node.ts";

const SIDE = 28;
const INSTALLED = "/usr/share/datasets/fashion-mnist";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-mnist-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

function idx(type: number, shape: readonly number[], data: Uint8Array): Uint8Array {
  const sizes = shape.flatMap((size) => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255]);
  return Uint8Array.of(0, 0, type, shape.length, ...sizes, ...data);
}

const pixelsOf = (count: number, salt: number) =>
  Uint8Array.from({ length: count * SIDE * SIDE }, (_, i) => (i * 31 + salt * 17 + (i >> 5)) & 0xff);
const labelsOf = (count: number, salt: number) => Uint8Array.from({ length: count }, (_, i) => (i * 3 + salt) % 10);

/** The four files of a dataset of 5 and 3 images, by their published names. */
function fourFiles(): Map<string, Uint8Array> {
  return new Map([
    ["train-images-idx3-ubyte", idx(8, [5, SIDE, SIDE], pixelsOf(5, 1))],
    ["train-labels-idx1-ubyte", idx(8, [5], labelsOf(5, 1))],
    ["t10k-images-idx3-ubyte", idx(8, [3, SIDE, SIDE], pixelsOf(3, 2))],
    ["t10k-labels-idx1-ubyte", idx(8, [3], labelsOf(3, 2))],
  ]);
}

async function write(files: ReadonlyMap<string, Uint8Array>, into = folder): Promise<void> {
  for (const [name, bytes] of files) await writeFile(join(into, name), bytes);
}

describe("a folder with MNIST's four files", () => {
  it.each([
    ["as published and unpacked", (name: string) => name, false],
    ["as published", (name: string) => `${name}.gz`, true],
    ["with dots in their names", (name: string) => name.replace("-idx", ".idx"), false],
    ["with dots and packed", (name: string) => `${name.replace("-idx", ".idx")}.gz`, true],
  ])("loads %s", async (_, rename, packed) => {
    await write(new Map([...fourFiles()].map(([name, bytes]) => [rename(name), packed ? gzipSync(bytes) : bytes])));
    const { train, test } = await loadMnist(folder);
    expect({ ...train, classes: train.classes.length }).toEqual({
      images: pixelsOf(5, 1),
      labels: labelsOf(5, 1),
      count: 5,
      height: SIDE,
      width: SIDE,
      classes: 10,
    });
    expect(test.images).toEqual(pixelsOf(3, 2));
    expect(test.labels).toEqual(labelsOf(3, 2));
  });

  it.each([
    [
      "fewer labels than images",
      "train-labels-idx1-ubyte",
      idx(8, [4], labelsOf(4, 1)),
      /expected 3152 bytes of 4 images, as many as/,
    ],
    ["more labels than images", "train-labels-idx1-ubyte", idx(8, [6], labelsOf(6, 1)), /5 images.* 6 labels/],
    ["a label of 10", "t10k-labels-idx1-ubyte", idx(8, [3], Uint8Array.of(9, 10, 0)), /byte 9: label 1 is 10/],
    ["images of another size", "t10k-images-idx3-ubyte", idx(8, [3, 14, 56], pixelsOf(3, 2)), /\[3, 14, 56\] where/],
    ["images of another type", "t10k-images-idx3-ubyte", idx(9, [3, SIDE, SIDE], pixelsOf(3, 2)), /holds int8/],
    ["images in place of labels", "train-labels-idx1-ubyte", idx(8, [1, 2, 2], labelsOf(4, 1)), /exchanged/],
    [
      "images that are cut short",
      "train-images-idx3-ubyte",
      idx(8, [5, SIDE, SIDE], pixelsOf(4, 1)),
      /take 3920 bytes/,
    ],
    [
      "images that unpack to too much",
      "train-images-idx3-ubyte",
      gzipSync(Buffer.alloc(4_000_000)),
      /more than the expected 3936/,
    ],
    ["images that are far too long", "train-images-idx3-ubyte", new Uint8Array(9_000), /more than the expected 3936/],
  ])("%s are refused, with the file's name", async (_, name, bytes, message) => {
    await write(fourFiles().set(name, bytes));
    const loading = loadMnist(folder);
    await expect(loading).rejects.toThrow(DatasetError);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toThrow(/(images|labels)-idx\d-ubyte/);
  });

  it("that lacks some or all names what was looked for, and where", async () => {
    const files = fourFiles();
    files.delete("t10k-images-idx3-ubyte");
    await write(files);
    await expect(loadMnist(folder)).rejects.toThrow(`${folder} lacks t10k-images-idx3-ubyte`);
    await expect(loadMnist(join(folder, "none"))).rejects.toThrow(
      `MNIST: looked for train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (each with or without .gz), but ${folder}/none lacks all four. Call downloadDataset("mnist"), or pass the folder that holds the four files.`,
    );
  });

  it.each([
    ["mnist", loadMnist, "9"],
    ["fashion-mnist", loadFashionMnist, "Ankle boot"],
    ["kmnist", loadKmnist, "wo"],
  ] as const)("is found where downloads of %s go when no folder is given", async (name, load, last) => {
    vi.stubEnv("GRADUS_DATA", folder);
    expect(datasetFolder(name)).toBe(join(folder, name));
    await mkdir(datasetFolder(name));
    await write(fourFiles(), datasetFolder(name));
    const { train } = await load();
    expect([train.count, train.classes.length, train.classes[9]]).toEqual([5, 10, last]);
  });
});

describe.skipIf(!existsSync(INSTALLED))("Fashion-MNIST as Debian installs it", () => {
  it("loads by itself: 60,000 and 10,000 images of ten kinds of clothes, as many of each", async () => {
    vi.stubEnv("GRADUS_DATA", folder);
    const { train, test } = await loadFashionMnist();
    for (const [split, count] of [
      [train, 60_000],
      [test, 10_000],
    ] as const) {
      expect(split.count).toBe(count);
      expect(split.images.length).toBe(count * SIDE * SIDE);
      const counts = new Array(10).fill(0);
      for (const label of split.labels) counts[label] += 1;
      expect(counts).toEqual(new Array(10).fill(count / 10));
    }
    // The mean gray level that the literature gives for the training images is 0.2860.
    let sum = 0;
    for (const pixel of train.images) sum += pixel;
    expect(sum / train.images.length / 255).toBeCloseTo(0.286, 4);
    expect(train.classes[train.labels[0]!]).toBe("Ankle boot");
  });

  // Debian took name and date out of the gzip headers (RFC 1952: flag 8, then four bytes of date); the dates are those
  // that make the published checksums come out, so sizes and checksums of the table belong to these very images.
  it.each([
    ["train-images-idx3-ubyte", 1_504_176_606],
    ["train-labels-idx1-ubyte", 1_504_176_606],
    ["t10k-images-idx3-ubyte", 1_504_176_627],
    ["t10k-labels-idx1-ubyte", 1_504_176_627],
  ])("%s is the published file once its name and date are put back", async (name, date) => {
    const stripped = await readFile(join(INSTALLED, `${name}.gz`));
    const head = Buffer.from(stripped.subarray(0, 10));
    head[3] = 8;
    head.writeUInt32LE(date, 4);
    const original = Buffer.concat([head, Buffer.from(`${name}\0`), stripped.subarray(10)]);
    const published = PUBLISHED["fashion-mnist"].files.find((file) => file.name === `${name}.gz`)!;
    expect(original.length).toBe(published.bytes);
    expect(createHash("md5").update(original).digest("hex")).toBe(published.md5);
  });
});
