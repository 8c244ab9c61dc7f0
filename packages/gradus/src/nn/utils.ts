// What is done to models and gradients between the layers (`torch.nn.utils`).

/** Sequences of different lengths in one batch (`torch.nn.utils.rnn`). */
export * as rnn from "./recurrent-sequences.ts";
export {
  type CheckedNormOptions,
  clipGradNorm_,
  clipGradsWithNorm_,
  clipGradValue_,
  getTotalNorm,
  type NormOptions,
} from "./utils/clip.ts";
export { removeSpectralNorm, type SpectralNormOptions, spectralNorm } from "./utils/spectral-norm.ts";
export { parametersToVector, vectorToParameters } from "./utils/vector.ts";
export { removeWeightNorm, weightNorm } from "./utils/weight-norm.ts";
