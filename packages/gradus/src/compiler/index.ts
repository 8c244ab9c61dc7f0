// The compiler. Leans on the graph.

export type { BufferReference, Expression, LoopNest, Register, Statement } from "./ir.ts";
export { compileProgram, type Program, type ProgramKernel } from "./pipeline.ts";
export { type Target, wasmTarget } from "./target.ts";
