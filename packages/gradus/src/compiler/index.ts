// The compiler. Leans on the graph.

export { debugging } from "./debug.ts";
export type { BufferReference, Expression, LoopNest, Register, Statement } from "./ir.ts";
export { compileProgram } from "./pipeline.ts";
export type { Program, ProgramKernel } from "./program.ts";
export { type Target, type TileShape, wasmTarget } from "./target.ts";
