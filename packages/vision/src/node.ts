// The public face of @gradus/vision/node: what reads files and the network, for Node only.

export { loadAllDigits, loadDigits } from "./datasets/digits.ts";
export { type DownloadOptions, type DownloadProgress, downloadDataset, downloadFile } from "./datasets/download.ts";
export { datasetFolder } from "./datasets/folders.ts";
export {
  Digits,
  FashionMNIST,
  type ImageDatasetOptions,
  type ImageDatasetSource,
  type ImageDatasetSplits,
  MNIST,
} from "./datasets/image-datasets.ts";
export { loadFashionMnist, loadMnist, type MnistName } from "./datasets/mnist-files.ts";
export { progressBar } from "./datasets/progress-bar.ts";
export type { PublishedFile } from "./datasets/published.ts";
