// `transforms`: augmentation and preparation of images, after `torchvision.transforms`.

export {
  type DegreeRange,
  RandomAffine,
  type RandomAffineOptions,
  RandomRotation,
  type RandomRotationOptions,
} from "./affine.ts";
export { ColorJitter, type ColorJitterOptions, Grayscale, Normalize, RandomInvert } from "./color.ts";
export { Compose, type ImageModule, Lambda, RandomApply } from "./compose.ts";
export { RandomErasing, type RandomErasingOptions } from "./erasing.ts";
export { GaussianBlur, type GaussianBlurOptions, GaussianNoise, type GaussianNoiseOptions } from "./filters.ts";
/** The transforms as functions (`torchvision.transforms.functional`). */
export * as functional from "./functional.ts";
export {
  CenterCrop,
  type Margins,
  Pad,
  type PadOptions,
  RandomCrop,
  type RandomCropOptions,
  RandomHorizontalFlip,
  RandomVerticalFlip,
} from "./geometry.ts";
export { Resize, type ResizeOptions } from "./resize.ts";
export { RandomResizedCrop, type RandomResizedCropOptions } from "./resized-crop.ts";
export type { PaddingMode } from "./sampling.ts";
export { toTensor } from "./to-tensor.ts";
export {
  type ChannelValues,
  type ImageSize,
  type Interpolation,
  type Interval,
  type PerImage,
  RandomTransform,
  type RandomTransformOptions,
  Transform,
} from "./transform.ts";
