// All losses of `nn` as layers.

export { Loss } from "./base.ts";
export * from "./classification.ts";
export * from "./ctc.ts";
export * from "./embedding.ts";
export * from "./margin.ts";
export * from "./regression.ts";
