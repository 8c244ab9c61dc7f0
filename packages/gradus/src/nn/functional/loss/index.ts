// All losses of `nn.functional`.

export * from "./binary.ts";
export { type CrossEntropyOptions, crossEntropy, type NLLOptions, nllLoss } from "./classification.ts";
export * from "./ctc.ts";
export * from "./divergence.ts";
export * from "./embedding.ts";
export * from "./margin.ts";
export type { LossOptions, Reduction } from "./reduction.ts";
export * from "./regression.ts";
