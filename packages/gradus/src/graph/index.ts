// The graph: nodes, the op set, shapes and dtypes. Leans on nothing.

export * as build from "./build.ts";
export * from "./dtype.ts";
export * from "./errors.ts";
export { mix } from "./hash-table.ts";
export { inferKind, type Kind, kindOf, type TensorType, typeOf } from "./kind.ts";
export * from "./node.ts";
export * from "./ops.ts";
export * from "./philox.ts";
export * from "./shape.ts";
