// The public face of @gradus/vision: what runs in browsers and in Node.

export { DatasetError } from "./datasets/errors.ts";
export { gunzipIfNeeded, isGzip } from "./datasets/gunzip.ts";
export { type IdxArray, type IdxDtype, parseIdx } from "./datasets/idx.ts";
export { ImageDataset, NOT_NORMALIZED, type Normalization, normalizationOf } from "./datasets/image-dataset.ts";
export type { DatasetSplits, LabeledImages } from "./datasets/labeled-images.ts";
export {
  DcganDiscriminator,
  type DcganDiscriminatorOptions,
  DcganGenerator,
  type DcganGeneratorOptions,
  type DcganImageSize,
} from "./models/dcgan.ts";
export { type DigitNetOptions, digitNet } from "./models/digit-net.ts";
export { initializeXavier, materialize } from "./models/initialize.ts";
export { LeNet, type LeNetOptions, modernLeNet } from "./models/lenet.ts";
export { type MlpOptions, mlp } from "./models/mlp.ts";
export { ResidualBlock, type ResidualBlockLayerOptions } from "./models/residual-block.ts";
export {
  BasicBlock,
  Bottleneck,
  type ResidualBlockClass,
  type ResidualBlockOptions,
  ResNet,
  type ResNetOptions,
  resnet18,
  resnet34,
  resnet50,
} from "./models/resnet.ts";
export { smallResNet } from "./models/small-resnet.ts";
/** Augmentation and preparation of images (`torchvision.transforms`). */
export * as transforms from "./transforms/index.ts";
export { type BatchLoader, type ImageFunction, TransformedLoader, withTransforms } from "./transforms/loader.ts";
export {
  type AffineGridOptions,
  affineGrid,
  type GridPaddingMode,
  type GridSampleOptions,
  gridSample,
} from "./transforms/sampling.ts";
export { toTensor } from "./transforms/to-tensor.ts";
