// The public face of @gradus/vision/node: what reads files and the network, for Node only.

export { type Cifar100Options, type CifarName, loadCifar10, loadCifar100 } from "./datasets/cifar-files.ts";
export { loadAllDigits, loadDigits } from "./datasets/digits.ts";
export {
  type DatasetDownloadOptions,
  type DownloadOptions,
  type DownloadProgress,
  downloadDataset,
  downloadFile,
} from "./datasets/download.ts";
export { datasetFolder } from "./datasets/folders.ts";
export {
  CIFAR10,
  CIFAR100,
  type Cifar100DatasetOptions,
  Digits,
  FashionMNIST,
  type ImageDatasetOptions,
  type ImageDatasetSource,
  type ImageDatasetSplits,
  KMNIST,
  MNIST,
} from "./datasets/image-datasets.ts";
export { ImageFolder, type ImageFolderOptions, type ImageFolderSample } from "./datasets/image-folder.ts";
export { loadFashionMnist, loadKmnist, loadMnist, type MnistName } from "./datasets/mnist-files.ts";
export { type ProgressOutput, progressBar } from "./datasets/progress-bar.ts";
export type { DatasetName, PublishedFile } from "./datasets/published.ts";
export { type DecodedImage, type ReadImageOptions, readImage } from "./datasets/read-image.ts";
export { type PretrainedModels, type PretrainedName, pretrained } from "./pretrained.ts";
