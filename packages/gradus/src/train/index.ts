// `train`: the Trainer, and what runs in browsers of its callbacks. Those that write files are in `gradus/node`.

export type { Callback, CallbackAnswer, EpochResult, EvaluationBatch, StepResult } from "./callback.ts";
export { type EarlyStoppingOptions, earlyStopping } from "./early-stopping.ts";
export { firstLayerFilters } from "./filters.ts";
export {
  History,
  type HistoryPoint,
  type HistoryState,
  type Measurements,
  type StepMeasurements,
  type WeightedSum,
} from "./history.ts";
export {
  findLearningRate,
  type LearningRateCurve,
  type LearningRateFinderOptions,
  type LearningRateFinderParts,
  type LearningRateSuggestions,
} from "./learning-rate-finder.ts";
export { Accuracy, type ClassScores, ConfusionMatrix, MetricError, RunningMean } from "./metrics.ts";
export { NonFiniteLossError } from "./non-finite.ts";
export { type ImageGridOptions, imageGrid } from "./pictures.ts";
export type { PlainImage } from "./png.ts";
export { ClassificationReview, type Mistake, type ReviewOptions } from "./review.ts";
export {
  accuracy,
  type EvaluateOptions,
  type FitOptions,
  type FitResult,
  type Measure,
  type MeasureModule,
  Trainer,
  type TrainerOptions,
  type TrainingStep,
} from "./trainer.ts";
export {
  Training,
  type TrainingParts,
  type TrainLoader,
  type TrainOptimizer,
  type TrainScheduler,
} from "./training.ts";
