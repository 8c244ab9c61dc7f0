// Datasets for the recipes: pixels from 0 to 1, so that augmentation sees plain images; they are normalized after it.

import { UsageError } from "@gradus/cli";
import { DatasetError, transforms, withTransforms } from "@gradus/vision";
import { downloadDataset, type ImageDatasetSource, type ImageDatasetSplits, progressBar } from "@gradus/vision/node";
import type { Command } from "commander";
import { data, type Tensor } from "gradus";

/** Options of recipes whose data may have to be fetched. */
export interface DataOptions {
  readonly dataDir?: string;
  readonly download?: boolean;
}

export function addDataOptions(command: Command): Command {
  return command
    .option("--data-dir <folder>", "where the data's files are (default: the folder of downloads)")
    .option("--download", "fetch the data's files first where they are missing");
}

/** Loads a dataset, after fetching it where that was asked for. @throws UsageError with what to do if it is not there */
export async function loadImages(
  source: ImageDatasetSource,
  name: Parameters<typeof downloadDataset>[0],
  { dataDir, download = false }: DataOptions,
): Promise<ImageDatasetSplits> {
  if (download) await downloadDataset(name, dataDir, { onProgress: progressBar() });
  try {
    return await source.load({ folder: dataDir, normalize: false });
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error;
    throw new UsageError(`${error.message} Or add --download.`, { cause: error });
  }
}

/** Images at once in an evaluation: a divisor of every test set, so that all batches are one program. */
const TEST_BATCH_SIZE = 500;

export interface LoaderPlan {
  readonly batchSize: number;
  /** Training images beyond so many are left out. */
  readonly limit?: number;
  /** What happens to training images; test images are only normalized. */
  readonly augment?: (images: Tensor) => Tensor;
}

/** Batches to train on, augmented and normalized, and to test on, normalized. */
export function loadersOf(
  { train, test }: Readonly<Record<"train" | "test", data.Dataset<data.HostArray[]>>>,
  source: ImageDatasetSource,
  plan: LoaderPlan,
) {
  const { mean, std } = source.normalization;
  const normalize = new transforms.Normalize(mean, std);
  const { batchSize, limit, augment = (images) => images } = plan;
  const shuffled = new data.DataLoader(limited(train, limit), { batchSize, shuffle: true, dropLast: true });
  return {
    loader: withTransforms(shuffled, (images) => normalize.forward(augment(images))),
    evaluate: withTransforms(new data.DataLoader(test, { batchSize: TEST_BATCH_SIZE }), normalize),
  };
}

/** The first samples of a dataset; all of them without a limit. */
export function limited<Sample>(dataset: data.Dataset<Sample>, limit = dataset.length): data.Dataset<Sample> {
  if (limit >= dataset.length) return dataset;
  return new data.Subset(
    dataset,
    Array.from({ length: limit }, (_, i) => i),
  );
}
