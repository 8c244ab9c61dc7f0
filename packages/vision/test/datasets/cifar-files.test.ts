// Loading CIFAR from its archive and from the folder it unpacks to, and saying clearly what is wrong with them.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DatasetError } from "../../src/index.ts";
import { CIFAR10, CIFAR100, datasetFolder, loadCifar10, loadCifar100 } from "../../src/node.ts";
import { tarOf } from "./tar-writer.ts";

const IMAGE = 3072;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-cifar-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const image = (salt: number): Uint8Array => Uint8Array.from({ length: IMAGE }, (_, i) => (i * 31 + salt * 17) & 0xff);

/** A record for each list of labels. */
const records = (labels: readonly (readonly number[])[], salt: number): Uint8Array =>
  Buffer.concat(labels.flatMap((own, i) => [Uint8Array.from(own), image(salt + i)]));

const lines = (names: readonly string[]): Uint8Array => new TextEncoder().encode(`${names.join("\n")}\n\n`);
const numbered = (word: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${word}_${i}`);

/** CIFAR-10's files, with two images in each of five and three to test on. */
function cifar10(): Map<string, Uint8Array> {
  const parts = [1, 2, 3, 4, 5].map(
    (part) => [`data_batch_${part}.bin`, records([[part], [9 - part]], 10 * part)] as const,
  );
  return new Map<string, Uint8Array>([
    ...parts,
    ["test_batch.bin", records([[0], [9], [5]], 100)],
    ["batches.meta.txt", lines(numbered("thing", 10))],
    ["readme.html", lines(["<p>"])],
  ]);
}

const cifar100 = (): Map<string, Uint8Array> =>
  new Map([
    [
      "train.bin",
      records(
        [
          [19, 99],
          [0, 3],
        ],
        1,
      ),
    ],
    ["test.bin", records([[7, 42]], 9)],
    ["coarse_label_names.txt", lines(numbered("kind", 20))],
    ["fine_label_names.txt", lines(numbered("thing", 100))],
  ]);

const archiveOf = (files: ReadonlyMap<string, Uint8Array>, below: string): Uint8Array =>
  gzipSync(
    tarOf([
      { name: `${below}/`, type: "5" },
      ...[...files].map(([name, content]) => ({ name: `${below}/${name}`, content })),
    ]),
  );

async function write(files: ReadonlyMap<string, Uint8Array>, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  for (const [name, bytes] of files) await writeFile(join(into, name), bytes);
}

describe("CIFAR-10", () => {
  it.each([
    [
      "its archive",
      () => writeFile(join(folder, "cifar-10-binary.tar.gz"), archiveOf(cifar10(), "cifar-10-batches-bin")),
    ],
    ["the folder it unpacks to", () => write(cifar10(), folder)],
    ["the folder above that", () => write(cifar10(), join(folder, "cifar-10-batches-bin"))],
  ])("loads from %s", async (_, prepare) => {
    await prepare();
    const { train, test } = await loadCifar10(folder);
    expect([train.count, train.channels, train.height, train.width]).toEqual([10, 3, 32, 32]);
    expect([...train.labels]).toEqual([1, 8, 2, 7, 3, 6, 4, 5, 5, 4]);
    expect(train.images.subarray(3 * IMAGE, 4 * IMAGE)).toEqual(image(21));
    expect([...test.labels]).toEqual([0, 9, 5]);
    expect(test.images).toEqual(new Uint8Array(Buffer.concat([image(100), image(101), image(102)])));
    expect(test.classes).toEqual(numbered("thing", 10));
  });

  it("is a dataset of images [3, 32, 32], normalized by what its training images have", async () => {
    await write(cifar10(), folder);
    const { train } = await CIFAR10.load({ folder });
    expect(train.imageShape).toEqual([3, 32, 32]);
    const [{ data: values }] = train.getBatch([3]);
    const { mean, std } = CIFAR10.normalization as { mean: number[]; std: number[] };
    for (const channel of [0, 1, 2]) {
      const place = channel * 1024 + 5;
      expect(values[place]).toBeCloseTo((image(21)[place] / 255 - mean[channel]) / std[channel], 5);
    }
    const plain = (await CIFAR10.load({ folder, normalize: false })).train;
    expect(plain.getBatch([3])[0].data[5]).toBeCloseTo(image(21)[5] / 255, 6);
  });

  it.each([
    ["a label of 10", "test_batch.bin", records([[3], [10]], 1), /byte 3073: a label is 10, but there are 10 classes/],
    [
      "half a record",
      "data_batch_2.bin",
      records([[3], [4]], 1).subarray(0, 6145),
      /6145 bytes are not records of 3073/,
    ],
    ["no record", "data_batch_2.bin", new Uint8Array(0), /0 bytes are not records/],
    ["a name too few", "batches.meta.txt", lines(numbered("thing", 9)), /names 9 classes instead of 10/],
    ["names without end", "batches.meta.txt", new Uint8Array(20_000).fill(0x61), /expected 16384/],
  ])("with %s is refused, from its folder and from its archive", async (_, name, bytes, message) => {
    const files = cifar10().set(name, bytes);
    await write(files, join(folder, "unpacked"));
    await mkdir(join(folder, "packed"));
    await writeFile(join(folder, "packed", "cifar-10-binary.tar.gz"), archiveOf(files, "cifar-10-batches-bin"));
    for (const place of ["unpacked", "packed"]) {
      const loading = loadCifar10(join(folder, place));
      await expect(loading).rejects.toThrow(DatasetError);
      await expect(loading).rejects.toThrow(message);
      await expect(loading).rejects.toThrow(name);
    }
  });

  it.each([
    [
      "lacks a file",
      (files: Map<string, Uint8Array>) => files.delete("data_batch_3.bin"),
      /it lacks .*data_batch_3\.bin/,
    ],
    [
      "holds a file that is far too long",
      (files: Map<string, Uint8Array>) => files.set("test_batch.bin", new Uint8Array(40_000_000)),
      /test_batch\.bin has 40000000 bytes, more than the expected 30730000/,
    ],
    [
      "unpacks to too much",
      (files: Map<string, Uint8Array>) => files.set("other.bin", new Uint8Array(200_000_000)),
      /unpacks to more than the expected/,
    ],
  ])("is refused where its archive %s", async (_, change, message) => {
    const files = cifar10();
    change(files);
    await writeFile(join(folder, "cifar-10-binary.tar.gz"), archiveOf(files, "cifar-10-batches-bin"));
    await expect(loadCifar10(folder)).rejects.toThrow(message);
  });

  it("is refused where its archive is no gzip, cut short, or damaged", async () => {
    const archive = archiveOf(cifar10(), "cifar-10-batches-bin");
    const middle = Uint8Array.from(archive);
    middle[archive.length - 6] ^= 0x10; // in the checksum
    for (const bytes of [new Uint8Array(1000), archive.subarray(0, archive.length / 2), middle]) {
      await writeFile(join(folder, "cifar-10-binary.tar.gz"), bytes);
      const loading = loadCifar10(folder);
      await expect(loading).rejects.toThrow(DatasetError);
      await expect(loading).rejects.toThrow(/cifar-10-binary\.tar\.gz.* cannot be unpacked as gzip/);
    }
  });

  it("that is not there is named, with what to do", async () => {
    await expect(loadCifar10(folder)).rejects.toThrow(
      `CIFAR-10: looked for cifar-10-binary.tar.gz, or the folder cifar-10-batches-bin that it unpacks to, but ${folder} has neither. Call downloadDataset("cifar-10"), or pass the folder that holds one of them.`,
    );
  });

  it("is found where downloads go when no folder is given", async () => {
    vi.stubEnv("GRADUS_DATA", folder);
    const place = datasetFolder("cifar-10");
    expect(dirname(place)).toBe(folder);
    await mkdir(place);
    await writeFile(join(place, "cifar-10-binary.tar.gz"), archiveOf(cifar10(), "cifar-10-batches-bin"));
    expect((await loadCifar10()).train.count).toBe(10);
  });
});

describe("CIFAR-100", () => {
  it("has fine labels, and coarse ones where they are asked for", async () => {
    await writeFile(join(folder, "cifar-100-binary.tar.gz"), archiveOf(cifar100(), "cifar-100-binary"));
    const fine = await loadCifar100(folder);
    expect([[...fine.train.labels], [...fine.test.labels]]).toEqual([[99, 3], [42]]);
    expect(fine.train.classes[99]).toBe("thing_99");
    expect(fine.train.images.subarray(IMAGE)).toEqual(image(2));
    const coarse = await loadCifar100(folder, { labels: "coarse" });
    expect([[...coarse.train.labels], [...coarse.test.labels]]).toEqual([[19, 0], [7]]);
    expect(coarse.train.classes).toEqual(numbered("kind", 20));
    expect(coarse.test.images).toEqual(image(9));
    expect((await CIFAR100.load({ folder, labels: "coarse" })).test.classes).toHaveLength(20);
    expect((await CIFAR100.load({ folder })).test.classes).toHaveLength(100);
  });

  it.each([
    ["coarse", [[20, 5]], /byte 0: a label is 20, but there are 20 classes/],
    ["fine", [[3, 100]], /byte 1: a label is 100, but there are 100 classes/],
  ])("with a %s label that is none is refused", async (_, labels, message) => {
    await write(cifar100().set("test.bin", records(labels, 0)), folder);
    await expect(loadCifar100(folder)).rejects.toThrow(message);
  });
});
