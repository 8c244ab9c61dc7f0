// Learning rates that change from epoch to epoch or from step to step (`torch.optim.lr_scheduler`).

export { type AnyScheduler, ChainedScheduler, type ComposedState, SequentialLR } from "./composed.ts";
export {
  CosineAnnealingLR,
  type CosineAnnealingOptions,
  CosineAnnealingWarmRestarts,
  SWALR,
  type SWALROptions,
  type WarmRestartsOptions,
  type WarmRestartsState,
} from "./cosine.ts";
export { CyclicLR, type CyclicOptions, OneCycleLR, type OneCycleOptions } from "./cycle.ts";
export {
  ConstantLR,
  type ConstantLROptions,
  ExponentialLR,
  LinearLR,
  type LinearLROptions,
  MultiStepLR,
  PolynomialLR,
  type PolynomialLROptions,
  StepLR,
  type StepLROptions,
} from "./decay.ts";
export { LambdaLR, MultiplicativeLR, type RateFactor } from "./lambda.ts";
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from "./plateau.ts";
export {
  LRScheduler,
  type PerGroup,
  type ScheduledGroup,
  type ScheduledOptimizer,
  type SchedulerState,
} from "./scheduler.ts";
