// What the rest of Gradus and its users see of tensors.

export { AutogradError } from "../autograd/index.ts";
export {
  ArgumentError,
  type DType,
  DTypeError,
  type DTypeFacts,
  dtypes,
  GradusError,
  isFloat,
  type Shape,
  ShapeError,
  type TypedArray,
} from "../graph/index.ts";
export { type AddOptions, where } from "./arithmetic.ts";
export { type BackwardOptions, type GradOptions, grad } from "./backward.ts";
export * from "./creation.ts";
export { type Config, config, type InitOptions, init, shutdown } from "./device.ts";
export type { EngineStatistics } from "./engine.ts";
export { ReadError, StaleTensorError } from "./errors.ts";
export { type IndexEntry, Slice, slice } from "./indexing.ts";
export { einsum, matmul } from "./linear.ts";
export { enableGrad, isGradEnabled, noGrad } from "./mode.ts";
export type { SortOptions, TopkOptions } from "./order.ts";
export * from "./random.ts";
export type { Dims, KeepOptions, ValuesAndIndices, VarianceOptions } from "./reductions.ts";
export { flush, type MemoryStatistics, memory, statistics } from "./runtime.ts";
export { isTensor, type NestedArray, type Operand, Parameter, Tensor, type Variadic } from "./tensor.ts";
export { cat, stack } from "./views.ts";
