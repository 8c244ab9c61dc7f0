// `nn.functional`, also exported as `F`: the layers as functions, named as in `torch.nn.functional`.

export { oneHot } from "../../tensor/index.ts";
export {
  elu,
  gelu,
  leakyRelu,
  logSoftmax,
  logsigmoid,
  relu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from "./activation.ts";
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  type Padding,
} from "./conv.ts";
export { dropout } from "./dropout.ts";
export { linear } from "./linear.ts";
export * from "./loss.ts";
export * from "./normalization.ts";
export * from "./pooling.ts";
export type { SpatialSize } from "./sizes.ts";
