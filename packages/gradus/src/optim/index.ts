// `optim`: optimizers and learning-rate schedulers, after `torch.optim`.

export { Adadelta, type AdadeltaOptions } from "./adadelta.ts";
export { Adagrad, type AdagradOptions } from "./adagrad.ts";
export { Adam, type AdamOptions, AdamW } from "./adam.ts";
export { Adamax, type AdamaxOptions } from "./adamax.ts";
export { ASGD, type ASGDOptions } from "./asgd.ts";
export {
  AveragedModel,
  type AveragedModelOptions,
  type AverageFunction,
  ExponentialMovingAverage,
  type ExponentialMovingAverageOptions,
} from "./averaging.ts";
export { type Batches, updateBn } from "./batch-statistics.ts";
export { LBFGS, type LBFGSOptions } from "./lbfgs.ts";
export type { MomentOptions } from "./moments.ts";
export { NAdam, type NAdamOptions } from "./nadam.ts";
export {
  type Closure,
  type GroupOptions,
  type LearningRate,
  type OptimizedParameters,
  Optimizer,
  type ParamGroup,
  StepScalars,
  type ZeroGradOptions,
} from "./optimizer.ts";
export { RAdam, type RAdamOptions } from "./radam.ts";
export type { Range, Ranges } from "./ranges.ts";
export { RMSprop, type RMSpropOptions } from "./rmsprop.ts";
export { Rprop, type RpropOptions } from "./rprop.ts";
export * from "./schedulers/index.ts";
export { SGD, type SGDOptions } from "./sgd.ts";
export { type OptimizerStateDict, OptimizerStateError, type StateValue } from "./state-dict.ts";
export type { DecayOptions, DecoupledDecayOptions } from "./weight-decay.ts";
