// The transforms as functions, named as in `torchvision.transforms.functional`. Where those take one parameter, these take
// one for each image as well.

export { type AffineOptions, affine, type ResamplingOptions, rotate } from "./affine.ts";
export {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  normalize,
  rgbToGrayscale,
} from "./color.ts";
export { erase, type PixelPosition } from "./erasing.ts";
export { gaussianBlur } from "./filters.ts";
export { centerCrop, crop, type Margins, type PadOptions, pad } from "./geometry.ts";
export { type ResizeOptions, resize } from "./resize.ts";
export { type ResizedCropOptions, resizedCrop } from "./resized-crop.ts";
export { toTensor } from "./to-tensor.ts";
export type { PerImage } from "./transform.ts";
