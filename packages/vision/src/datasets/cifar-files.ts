// Loads CIFAR-10 and CIFAR-100 in their binary version, from the published archive or from the folder it unpacks to. For Node
// only. A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009; the format is described at
// https://www.cs.toronto.edu/~kriz/cifar.html: a record is its label, or for CIFAR-100 the coarse and the fine one, and then
// 3,072 bytes, the red, the green and the blue of 32x32 pixels.

import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DatasetError } from "./errors.ts";
import { datasetFolder } from "./folders.ts";
import { damaged, tooLong } from "./gunzip.ts";
import type { DatasetSplits, LabeledImages } from "./labeled-images.ts";
import { readTar } from "./tar.ts";

/** Datasets that come in CIFAR's files. */
export type CifarName = "cifar-10" | "cifar-100";

/** A label of a record: the file that names its classes, and how many there are. */
interface LabelRow {
  readonly names: string;
  readonly classes: number;
}

interface CifarRow {
  readonly title: string;
  readonly archive: string;
  /** The folder that the archive unpacks to. */
  readonly folder: string;
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** The most records that a file has. */
  readonly records: number;
  /** In the order in which they stand in a record. */
  readonly labels: readonly LabelRow[];
}

const DATASETS: Readonly<Record<CifarName, CifarRow>> = {
  "cifar-10": {
    title: "CIFAR-10",
    archive: "cifar-10-binary.tar.gz",
    folder: "cifar-10-batches-bin",
    train: [1, 2, 3, 4, 5].map((part) => `data_batch_${part}.bin`),
    test: ["test_batch.bin"],
    records: 10_000,
    labels: [{ names: "batches.meta.txt", classes: 10 }],
  },
  "cifar-100": {
    title: "CIFAR-100",
    archive: "cifar-100-binary.tar.gz",
    folder: "cifar-100-binary",
    train: ["train.bin"],
    test: ["test.bin"],
    records: 50_000,
    labels: [
      { names: "coarse_label_names.txt", classes: 20 },
      { names: "fine_label_names.txt", classes: 100 },
    ],
  },
};

const SIDE = 32;
const CHANNELS = 3;
const IMAGE_BYTES = CHANNELS * SIDE * SIDE;

/** The most bytes that a file of names may have. */
const NAMES_BYTES = 16 * 1024;

/** What an archive may have beside its wanted files. */
const OTHER_BYTES = 1024 * 1024;

/**
 * Loads CIFAR-10: 50,000 photographs of 10 kinds of things to train on, 10,000 to test on, 32x32 in colours.
 *
 * @param folder where `cifar-10-binary.tar.gz` lies, or what it unpacks to; by default the folder that
 *   `downloadDataset("cifar-10")` fills
 * @throws DatasetError if a file is missing or is not what it should be
 */
export function loadCifar10(folder?: string): Promise<DatasetSplits> {
  return load("cifar-10", folder, 0);
}

/** Options of `loadCifar100`. */
export interface Cifar100Options {
  /** The 100 classes ("fine", default) or their 20 superclasses. */
  readonly labels?: "fine" | "coarse";
}

/**
 * Loads CIFAR-100: as CIFAR-10, but of 100 classes, which belong to 20 superclasses.
 *
 * @param folder where `cifar-100-binary.tar.gz` lies, or what it unpacks to; by default the folder that
 *   `downloadDataset("cifar-100")` fills
 * @throws DatasetError if a file is missing or is not what it should be
 */
export function loadCifar100(folder?: string, { labels = "fine" }: Cifar100Options = {}): Promise<DatasetSplits> {
  return load("cifar-100", folder, labels === "coarse" ? 0 : 1);
}

/** @param label which of a record's labels */
async function load(name: CifarName, folder: string | undefined, label: number): Promise<DatasetSplits> {
  const row = DATASETS[name];
  const files = await readFiles(name, folder ?? datasetFolder(name));
  const { names, classes: count } = row.labels[label];
  const classes = parseNames(files.get(names)!, count);
  const split = (parts: readonly string[]): LabeledImages =>
    joinRecords(
      parts.map((part) => files.get(part)!),
      row,
      label,
      classes,
    );
  return { train: split(row.train), test: split(row.test) };
}

/** A file, and what to call it in errors. */
interface Content {
  readonly bytes: Uint8Array;
  readonly file: string;
}

/** The wanted files by name, from a folder that has them all, from one below it, or from the archive. */
async function readFiles(name: CifarName, folder: string): Promise<Map<string, Content>> {
  const row = DATASETS[name];
  const limits = new Map<string, number>([
    ...[...row.train, ...row.test].map((file) => [file, row.records * (row.labels.length + IMAGE_BYTES)] as const),
    ...row.labels.map(({ names }) => [names, NAMES_BYTES] as const),
  ]);
  for (const place of [folder, join(folder, row.folder)]) {
    const present = new Set(await readdir(place).catch(() => []));
    if ([...limits.keys()].every((file) => present.has(file))) return readUnpacked(place, limits);
  }
  const archive = join(folder, row.archive);
  if (await stat(archive).catch(() => null)) return readArchive(archive, row.folder, limits);
  const problem = `looked for ${row.archive}, or the folder ${row.folder} that it unpacks to, but ${folder} has neither`;
  const remedy = `Call downloadDataset("${name}"), or pass the folder that holds one of them.`;
  throw new DatasetError(row.title, "", problem, remedy);
}

async function readUnpacked(folder: string, limits: ReadonlyMap<string, number>): Promise<Map<string, Content>> {
  const files = new Map<string, Content>();
  for (const [name, limit] of limits) {
    const file = join(folder, name);
    if ((await stat(file)).size > limit) throw tooLong(file, limit);
    files.set(name, { bytes: await readFile(file), file });
  }
  return files;
}

async function readArchive(
  archive: string,
  folder: string,
  limits: ReadonlyMap<string, number>,
): Promise<Map<string, Content>> {
  const wanted = new Map([...limits].map(([name, limit]) => [`${folder}/${name}`, limit]));
  const total = [...limits.values()].reduce((sum, limit) => sum + limit, OTHER_BYTES);
  const files = new Map<string, Content>();
  try {
    await pipeline(createReadStream(archive), createGunzip(), async (chunks: AsyncIterable<Uint8Array>) => {
      for (const [path, bytes] of await readTar(chunks, wanted, archive, total)) {
        files.set(path.slice(folder.length + 1), { bytes, file: `${archive}, ${path}` });
      }
    });
  } catch (cause) {
    throw cause instanceof DatasetError ? cause : damaged(archive, cause);
  }
  return files;
}

/** One name a line. */
function parseNames({ bytes, file }: Content, count: number): readonly string[] {
  const names = new TextDecoder("latin1")
    .decode(bytes)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (names.length !== count) {
    throw new DatasetError(file, "", `it names ${names.length} classes instead of ${count}`, "Get the file again.");
  }
  return names;
}

/** Files of records as images and labels. */
function joinRecords(
  parts: readonly Content[],
  { labels: rows }: CifarRow,
  label: number,
  classes: readonly string[],
): LabeledImages {
  const record = rows.length + IMAGE_BYTES;
  const count = parts.reduce((sum, { bytes, file }) => {
    if (bytes.length === 0 || bytes.length % record !== 0) {
      const problem = `its ${bytes.length} bytes are not records of ${record}`;
      throw new DatasetError(file, "", problem, "It is cut short or damaged: get it again.");
    }
    return sum + bytes.length / record;
  }, 0);
  const images = new Uint8Array(count * IMAGE_BYTES);
  const labels = new Uint8Array(count);
  let image = 0;
  for (const { bytes, file } of parts) {
    for (let at = 0; at < bytes.length; at += record) {
      const wrong = rows.findIndex((row, i) => bytes[at + i] >= row.classes);
      if (wrong >= 0) {
        const problem = `a label is ${bytes[at + wrong]}, but there are ${rows[wrong].classes} classes`;
        throw new DatasetError(file, `byte ${at + wrong}`, problem, "It is damaged: get it again.");
      }
      labels[image] = bytes[at + label];
      images.set(bytes.subarray(at + rows.length, at + record), image * IMAGE_BYTES);
      image++;
    }
  }
  return { images, labels, count, channels: CHANNELS, height: SIDE, width: SIDE, classes };
}
