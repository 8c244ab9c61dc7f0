// `nn`: layers, losses and what models are made of, after `torch.nn`.

export { Parameter } from "../tensor/index.ts";
export * from "./activation.ts";
export * from "./containers.ts";
export {
  Conv1d,
  Conv2d,
  type ConvLayerOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  type ConvTransposeLayerOptions,
  LazyConv1d,
  LazyConv2d,
} from "./conv.ts";
export * from "./dropout.ts";
export * as functional from "./functional/index.ts";
export * as init from "./init.ts";
export { Flatten, Identity, LazyLinear, Linear, type LinearOptions, Unflatten } from "./linear.ts";
export * from "./loss.ts";
export * from "./module.ts";
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormLayerOptions,
  GroupNorm,
  type GroupNormOptions,
  InstanceNorm2d,
  LayerNorm,
  type LayerNormOptions,
} from "./normalization.ts";
export * from "./pooling.ts";
export {
  type LoadOptions,
  type LoadReport,
  type ShapeMismatch,
  type StateDict,
  StateDictError,
} from "./state-dict.ts";
export { type LayerSummary, ModelSummary, type SummaryOptions, summary } from "./summary.ts";
export * as utils from "./utils.ts";
