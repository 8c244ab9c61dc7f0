// Learning rates that change from epoch to epoch or from step to step (`torch.optim.lr_scheduler`).

export { ChainedScheduler, type ComposedState, SequentialLR } from "./composed.ts";
export {
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  SWALR,
  type SWALROptions,
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
} from "./decay.ts";
export { LambdaLR, MultiplicativeLR, type RateFactor } from "./lambda.ts";
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from "./plateau.ts";
export { LRScheduler, type PerGroup, type ScheduledOptimizer, type SchedulerState } from "./scheduler.ts";
