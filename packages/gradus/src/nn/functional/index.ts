// `nn.functional`, also exported as `F`: the layers as functions, named as in `torch.nn.functional`.

export { oneHot } from "../../tensor/index.ts";
export {
  celu,
  elu,
  type GeluOptions,
  gelu,
  glu,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  heaviside,
  leakyRelu,
  logsigmoid,
  mish,
  prelu,
  relu,
  relu6,
  rrelu,
  selu,
  sigmoid,
  silu,
  softplus,
  softshrink,
  softsign,
  type TrainingOptions,
  tanh,
  tanhshrink,
  threshold,
} from "./activation.ts";
export {
  type AdaptiveSize,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
} from "./adaptive-pooling.ts";
export { type ScaledDotProductAttentionOptions, scaledDotProductAttention } from "./attention.ts";
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  type Padding,
} from "./conv.ts";
export * from "./distance.ts";
export {
  alphaDropout,
  dropout,
  dropout1d,
  dropout2d,
  dropout3d,
  featureAlphaDropout,
} from "./dropout.ts";
export { type EmbeddingOptions, embedding } from "./embedding.ts";
export * from "./embedding-bag.ts";
export { fold, type UnfoldOptions, unfold } from "./fold.ts";
export { type InterpolateOptions, type InterpolationMode, interpolate } from "./interpolate.ts";
export { bilinear, linear } from "./linear.ts";
export * from "./loss/index.ts";
export {
  type AffineOptions,
  type BatchNormOptions,
  batchNorm,
  groupNorm,
  type InstanceNormOptions,
  instanceNorm,
  type LocalResponseNormOptions,
  layerNorm,
  localResponseNorm,
  type RMSNormOptions,
  rmsNorm,
} from "./normalization.ts";
export { type PaddingMode, type PadOptions, pad } from "./padding.ts";
export {
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  type LPPoolOptions,
  lpPool1d,
  lpPool2d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  type PooledWithIndices,
  type PoolOptions,
} from "./pooling.ts";
export {
  gruCell,
  lstmCell,
  type RecurrentMode,
  type RecurrentState,
  rnnReluCell,
  rnnTanhCell,
} from "./recurrent.ts";
export { channelShuffle, pixelShuffle, pixelUnshuffle } from "./shuffle.ts";
export type { SpatialSize } from "./sizes.ts";
export { type GumbelSoftmaxOptions, gumbelSoftmax, logSoftmax, softmax, softmin } from "./softmax.ts";
export { type MaxUnpoolOptions, maxUnpool1d, maxUnpool2d, maxUnpool3d } from "./unpooling.ts";
