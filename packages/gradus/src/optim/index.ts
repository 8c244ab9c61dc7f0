// `optim`: optimizers and learning-rate schedulers, after `torch.optim`.

export { Adam, type AdamOptions, AdamW } from "./adam.ts";
export {
  type GroupOptions,
  type LearningRate,
  type OptimizedParameters,
  Optimizer,
  type ParamGroup,
  StepScalars,
} from "./optimizer.ts";
export * from "./schedulers.ts";
export { SGD, type SGDOptions } from "./sgd.ts";
export { type OptimizerStateDict, OptimizerStateError, type StateValue } from "./state-dict.ts";
