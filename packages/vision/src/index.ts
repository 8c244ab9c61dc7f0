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
} from "./models/dcgan.ts";
export { initializeXavier, materialize } from "./models/initialize.ts";
export { LeNet, type LeNetOptions, modernLeNet } from "./models/lenet.ts";
export { type MlpOptions, mlp } from "./models/mlp.ts";
export {
  BasicBlock,
  Bottleneck,
  type ResidualBlock,
  type ResidualBlockOptions,
  ResNet,
  type ResNetOptions,
  resnet18,
  resnet34,
  resnet50,
} from "./models/resnet.ts";
