// What the compiler hands to an emitter: a program for one target.

import type { DType } from "../graph/index.ts";
import type { BufferReference, LoopNest } from "./ir.ts";
import type { MemoryPlan } from "./plan.ts";

export interface ProgramKernel {
  readonly name: string;
  readonly phases: readonly LoopNest[];
  /** What buffers its loops name are here, where the loops were made for another kernel alike. */
  readonly buffers: ReadonlyMap<BufferReference, BufferReference>;
  /** Multiply-adds of its contractions. */
  readonly multiplyAdds: number;
  /** Bytes of the values it reads and of those it writes, each counted once. */
  readonly bytes: number;
}

/** A program for one target: what an emitter prints. */
export interface Program {
  readonly kernels: readonly ProgramKernel[];
  readonly plan: MemoryPlan;
  /** Where program inputs and outputs are, in the order of the graph. */
  readonly inputs: readonly BufferReference[];
  readonly outputs: readonly BufferReference[];
  readonly scalarTypes: readonly { readonly dtype: DType }[];
  readonly scratchBytes: number;
  /** The program's look-ups by index and their ranges, for the error when an index is out of one. */
  readonly lookups: readonly string[];
}
