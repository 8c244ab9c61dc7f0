// What stands behind the cpu backend: an emitter with the threads that run what it emits, over a heap that others hold.

import type { Program, Target } from "../../compiler/index.ts";

/** A program as code. */
export interface Code {
  /** Of machine code or of what becomes it. */
  readonly bytes: number;
}

/**
 * Where a run finds its memory: addresses in the heap, in bytes. Arena, the first thread's scratch, bytes from one
 * thread's scratch to the next one's, scalars (8 bytes each), then inputs and outputs.
 */
export type Addresses = Float64Array;
export const addressOrder = { arena: 0, scratch: 1, scratchBytes: 2, scalars: 3, buffers: 4 } as const;

/** A program ended itself. The only thing that programs check is their indices. What it wrote is not to be used. */
export class ProgramFault extends Error {
  override readonly name = "ProgramFault";
}

export interface CodeGenerator {
  readonly name: "wasm" | "native";
  /** What programs are to be compiled for. */
  readonly target: Target;
  /** Threads that run a program, the caller's included. */
  readonly threads: number;
  /** Whether the caller may be blocked while a program runs. */
  readonly canBlock: boolean;

  /** Makes code of a program, or begins to. */
  load(program: Program): Code;
  /** Whether the code can be run without waiting for it to be made. */
  isReady(code: Code): boolean;
  /** Forgets code that will not run again. */
  unload(code: Code): void;
  /**
   * Runs code that is ready, or waits for it: with `parallel` on all threads, else on the caller's alone.
   * @throws ProgramFault when an index is out of range
   */
  runSync(code: Code, addresses: Addresses, parallel: boolean): void;
  run(code: Code, addresses: Addresses, parallel: boolean): Promise<void>;
  dispose(): Promise<void>;
}
