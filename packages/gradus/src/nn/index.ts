// `nn`: layers, losses and what models are made of, after `torch.nn`.

export { Parameter } from "../tensor/index.ts";
export * from "./activation.ts";
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  type AdaptiveMaxPoolOptions,
} from "./adaptive-pooling.ts";
export { type AttentionCallOptions, MultiheadAttention, type MultiheadAttentionOptions } from "./attention.ts";
export * from "./batch-norm.ts";
export { type Layer, ModuleDict, ModuleList, type NamedModules, Sequential } from "./containers.ts";
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvLayerOptions,
  type ConvPaddingMode,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
} from "./conv.ts";
export * from "./distance.ts";
export * from "./dropout.ts";
export * from "./embedding.ts";
export { Fold, Unfold } from "./fold.ts";
/** The layers and losses as functions: what `gd.F` is as well. */
export * as functional from "./functional/index.ts";
/** Initial values of parameters (`torch.nn.init`). */
export * as init from "./init.ts";
export * from "./instance-norm.ts";
export * from "./lazy-conv.ts";
export { Bilinear, Flatten, Identity, LazyLinear, Linear, type LinearOptions, Unflatten } from "./linear.ts";
export * from "./loss/index.ts";
export * from "./module.ts";
export {
  GroupNorm,
  type GroupNormOptions,
  LayerNorm,
  type LayerNormOptions,
  LocalResponseNorm,
  RMSNorm,
  type RMSNormLayerOptions,
} from "./normalization.ts";
export * from "./padding.ts";
export * from "./parameter-containers.ts";
export * from "./perceptron.ts";
export * from "./pooling.ts";
export {
  GRU,
  LSTM,
  type LSTMOptions,
  RecurrentLayer,
  type RecurrentOptions,
  RNN,
  type RNNOptions,
} from "./recurrent.ts";
export {
  GRUCell,
  LSTMCell,
  RecurrentCell,
  type RecurrentCellOptions,
  RNNCell,
  type RNNCellOptions,
} from "./recurrent-cells.ts";
export type { RunningNormOptions } from "./running-norm.ts";
export { LogSoftmax, Softmax, Softmax2d, Softmin } from "./softmax.ts";
export {
  type LoadOptions,
  type LoadReport,
  type ShapeMismatch,
  type StateDict,
  StateDictError,
} from "./state-dict.ts";
export { type LayerSummary, ModelSummary, type SummaryBytes, type SummaryOptions, summary } from "./summary.ts";
export * from "./transformer.ts";
export * from "./upsampling.ts";
/** What is done to models and gradients between the layers (`torch.nn.utils`). */
export * as utils from "./utils.ts";
