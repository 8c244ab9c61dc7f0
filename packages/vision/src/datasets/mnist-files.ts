// Loads MNIST and datasets of its form (Fashion-MNIST, Kuzushiji-MNIST) from the four IDX files of a folder, packed or not.
// For Node only. MNIST: Y. LeCun, C. Cortes, C. Burges. Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747.
// Kuzushiji-MNIST: T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha, arXiv 1812.01718.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatasetError } from "./errors.ts";
import { datasetFolder } from "./folders.ts";
import { tooLong } from "./gunzip.ts";
import { gunzipIfNeeded } from "./gunzip-node.ts";
import { type IdxArray, parseIdx } from "./idx.ts";
import type { DatasetSplits, LabeledImages } from "./labeled-images.ts";

/** Datasets that come in MNIST's files. */
export type MnistName = "mnist" | "fashion-mnist" | "kmnist";

interface MnistRow {
  readonly title: string;
  readonly classes: readonly string[];
  /** Folders of system packages, looked into after the folder for downloads. */
  readonly installed: readonly string[];
}

const DATASETS: Readonly<Record<MnistName, MnistRow>> = {
  mnist: {
    title: "MNIST",
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    installed: [],
  },
  "fashion-mnist": {
    title: "Fashion-MNIST",
    classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
    // Debian's package dataset-fashion-mnist.
    installed: ["/usr/share/datasets/fashion-mnist"],
  },
  kmnist: {
    title: "Kuzushiji-MNIST",
    classes: ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    installed: [],
  },
};

/** Height and width of every image. */
const SIDE = 28;

/** More images than any dataset of this form has; it bounds what a labels file may unpack to. */
const MOST_IMAGES = 1_000_000;

/** Bytes of an IDX file in front of its elements: the magic number, and one size a dimension. */
const headerBytes = (rank: number) => 4 + 4 * rank;

/** The four files, in the order in which they are looked for. */
const FILES = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
];

/**
 * Loads MNIST: 60,000 images of handwritten digits to train on, 10,000 to test on, 28x28.
 *
 * @param folder where the four files lie, as published or with a dot instead of the second dash
 *   (`train-images.idx3-ubyte`), each with or without `.gz`; by default the folder that `downloadDataset("mnist")` fills
 * @throws DatasetError if a file is missing or is not what it should be
 */
export function loadMnist(folder?: string): Promise<DatasetSplits> {
  return load("mnist", folder);
}

/**
 * Loads Fashion-MNIST: images of clothes in the form of MNIST, 60,000 and 10,000.
 *
 * @param folder as for `loadMnist`; by default the folder that `downloadDataset("fashion-mnist")` fills, or else the one
 *   of Debian's package dataset-fashion-mnist
 * @throws DatasetError if a file is missing or is not what it should be
 */
export function loadFashionMnist(folder?: string): Promise<DatasetSplits> {
  return load("fashion-mnist", folder);
}

/**
 * Loads Kuzushiji-MNIST: images of cursive Japanese characters in the form of MNIST, 60,000 and 10,000.
 *
 * @param folder as for `loadMnist`; by default the folder that `downloadDataset("kmnist")` fills
 * @throws DatasetError if a file is missing or is not what it should be
 */
export function loadKmnist(folder?: string): Promise<DatasetSplits> {
  return load("kmnist", folder);
}

async function load(name: MnistName, folder: string | undefined): Promise<DatasetSplits> {
  const { classes, installed } = DATASETS[name];
  const folders = folder === undefined ? [datasetFolder(name), ...installed] : [folder];
  const [trainImages, trainLabels, testImages, testLabels] = await findFiles(name, folders);
  return {
    train: await loadSplit(trainImages!, trainLabels!, classes),
    test: await loadSplit(testImages!, testLabels!, classes),
  };
}

/** The paths of the four files in the first folder that has them all. */
async function findFiles(name: MnistName, folders: readonly string[]): Promise<readonly string[]> {
  const failures: string[] = [];
  for (const folder of folders) {
    const present = new Set(await readdir(folder).catch(() => []));
    const found = FILES.map((file) => spellings(file).find((spelling) => present.has(spelling)));
    const missing = FILES.filter((_, i) => found[i] === undefined);
    if (missing.length === 0) return found.map((file) => join(folder, file!));
    failures.push(`${folder} lacks ${missing.length === FILES.length ? "all four" : missing.join(", ")}`);
  }
  const problem = `looked for ${FILES.join(", ")} (each with or without .gz), but ${failures.join("; ")}`;
  const remedy = `Call downloadDataset("${name}"), or pass the folder that holds the four files.`;
  throw new DatasetError(DATASETS[name].title, "", problem, remedy);
}

/** The names under which a file is known: as published, and as some programs unpack it. */
function spellings(file: string): readonly string[] {
  const dotted = file.replace("-idx", ".idx");
  return [file, dotted, `${file}.gz`, `${dotted}.gz`];
}

async function loadSplit(imagesFile: string, labelsFile: string, classes: readonly string[]): Promise<LabeledImages> {
  // Labels come first: their number says how long the images may be.
  const labels = await readIdx(labelsFile, headerBytes(1) + MOST_IMAGES, "labels");
  if (labels.dtype !== "uint8" || labels.shape.length !== 1) throw unexpected(labelsFile, labels, "uint8 [count]");
  const count = labels.shape[0]!;
  const wrong = labels.data.findIndex((label) => label >= classes.length);
  if (wrong >= 0) {
    const problem = `label ${wrong} is ${labels.data[wrong]}, but there are ${classes.length} classes, 0 to 9`;
    throw new DatasetError(labelsFile, `byte ${headerBytes(1) + wrong}`, problem, "Get the file again.");
  }
  const images = await readIdx(
    imagesFile,
    headerBytes(3) + count * SIDE * SIDE,
    `${count} images, as many as ${labelsFile} has labels`,
  );
  const [imageCount, height, width] = images.shape;
  if (images.dtype !== "uint8" || images.shape.length !== 3 || height !== SIDE || width !== SIDE) {
    throw unexpected(imagesFile, images, `uint8 [count, ${SIDE}, ${SIDE}]`);
  }
  if (imageCount !== count) {
    const problem = `it holds ${imageCount} images, but ${labelsFile} has ${count} labels`;
    throw new DatasetError(imagesFile, "byte 4", problem, "Get both files from one source.");
  }
  return { images: images.data, labels: labels.data, count, height, width, classes };
}

async function readIdx(file: string, limit: number, content: string): Promise<IdxArray> {
  // Gzip makes nothing longer by more than a thousandth or so: what is longer on disk would be too long unpacked.
  const { size } = await stat(file);
  if (size > limit + Math.ceil(limit / 100) + 1024) throw tooLong(file, limit, content);
  return parseIdx(await gunzipIfNeeded(await readFile(file), limit, file, content), file);
}

function unexpected(file: string, { dtype, shape }: IdxArray, expected: string): DatasetError {
  const problem = `it holds ${dtype} [${shape.join(", ")}] where ${expected} was expected`;
  return new DatasetError(file, "byte 0", problem, "Make sure that images and labels are not exchanged.");
}
