// What a backend is: memory, and programs that run over it. A backend knows no Tensor and has nothing op-specific in its
// face; what it is handed is a program's graph, which it interprets or takes through the compiler.

import type { DType, Node, TypedArray } from "../graph/index.ts";

/** Memory on a device. It is freed when nothing refers to it any more, or at once by `free`. */
export interface DeviceBuffer {
  readonly bytes: number;
}

/**
 * A flush as a graph of its own, holding no values: what a program computes from what.
 * Inputs and scalars are leaves, bound to buffers and numbers at every run, in this order.
 */
export interface ProgramGraph {
  /** `data` and `state` leaves. */
  readonly inputs: readonly Node[];
  /** `scalar` leaves: numbers that may differ from run to run. */
  readonly scalars: readonly Node<"scalar">[];
  /** The nodes whose values are stored, one buffer each. An output may itself be an input. */
  readonly outputs: readonly Node[];
}

/** A program ready to run. */
export interface Executable {
  /** Kernels a run executes; 0 where that means nothing. */
  readonly kernels: number;
  /** Bytes of intermediate memory. */
  readonly arenaBytes: number;
  /** Bytes of generated code; 0 where there is none. */
  readonly codeBytes: number;
}

export interface Backend {
  readonly name: "reference" | "cpu";
  /** Whether `runSync` and `readSync` work on this thread (not on a browser's main thread with a pool). */
  readonly canBlock: boolean;
  /** Worker threads that run a program, the caller's included. */
  readonly threads: number;
  /** How programs are made: interpreted, as WebAssembly, or as native code by the system's C compiler. */
  readonly codegen: "interpret" | "wasm" | "native";
  /** One line for who wonders why it is that. */
  readonly note?: string;

  /** Uninitialized memory, freed by garbage collection. */
  allocate(bytes: number): DeviceBuffer;
  free(buffer: DeviceBuffer): void;
  write(buffer: DeviceBuffer, data: TypedArray): void;
  /** A copy of the buffer's elements, once every run that was started has ended. */
  readSync(buffer: DeviceBuffer, dtype: DType, length: number): TypedArray;
  compile(graph: ProgramGraph): Executable;
  /** Forgets a program that will not run again. */
  release(program: Executable): void;
  /** Runs a program. Outputs do not overlap inputs. */
  runSync(
    program: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): void;
  run(
    program: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): Promise<void>;
  /** Bytes that live buffers hold. */
  readonly liveBytes: number;
  /** True when dropped buffers should be collected before more is allocated. */
  readonly wantsCollection: boolean;
  /** Lets the platform find dropped buffers: collects where that can be asked for and turns the event loop. */
  collect(): Promise<void>;
  dispose(): Promise<void>;
}
