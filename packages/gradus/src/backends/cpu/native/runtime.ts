// The C runtime (runtime.c) as JavaScript sees it: thin typed methods over its functions, called through koffi. Who
// compiles it, and when, is not known here. Handles are addresses; nothing stops a handle that was given back from being
// used, which ends the process.

import { GradusError } from "../../../graph/index.ts";

export type Koffi = typeof import("koffi");

declare const kind: unique symbol;
type Handle<Kind extends string> = bigint & { readonly [kind]: Kind };

/** Threads that run programs together. */
export type Pool = Handle<"pool">;
/** A program, as a copy of the table it was made from. */
export type ProgramHandle = Handle<"program">;
/** A shared library that is loaded. */
export type Library = Handle<"library">;

/** Something that the runtime was asked for and refused. */
export class NativeRuntimeError extends GradusError {}

/** What `abi.h` calls itself. */
const abi = "gradus native 2";

/** Loads koffi, or says in a phrase why it cannot be had. */
export async function importKoffi(): Promise<Koffi | string> {
  try {
    return await import("koffi");
  } catch (error) {
    return `koffi cannot be loaded (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** Types as koffi writes them. Any view of memory passes as a pointer, without being copied. */
const signatures = {
  gradus_abi: ["str", []],
  gradus_error: ["str", []],
  gradus_pool_create: ["void *", ["int32_t"]],
  gradus_pool_destroy: ["void", ["void *"]],
  gradus_open: ["void *", ["str"]],
  gradus_symbol: ["uintptr_t", ["void *", "str"]],
  gradus_close: ["void", ["void *"]],
  gradus_program_create: ["void *", ["void *", "int32_t"]],
  gradus_program_destroy: ["void", ["void *"]],
  gradus_run: [
    "int32_t",
    ["void *", "void *", "void *", "void *", "int32_t", "double", "double", "int32_t", "int32_t", "int32_t"],
  ],
} as const satisfies Record<string, readonly [result: string, parameters: readonly string[]]>;

type TypeScriptOf = {
  readonly void: undefined;
  readonly "void *": bigint | null;
  readonly uintptr_t: number | bigint;
  readonly int32_t: number;
  readonly double: number;
  readonly str: string;
};
type ArgumentOf<C> = C extends "void *"
  ? bigint | ArrayBufferView
  : C extends keyof TypeScriptOf
    ? TypeScriptOf[C]
    : never;
type Arguments<C extends readonly string[]> = { -readonly [I in keyof C]: ArgumentOf<C[I]> };
type Functions = {
  readonly [Name in keyof typeof signatures]: (
    ...values: Arguments<(typeof signatures)[Name][1]>
  ) => TypeScriptOf[(typeof signatures)[Name][0]];
};

/** What `gradus_run` returns. */
const [done, fault] = [0, 1];

export class NativeRuntime {
  readonly #functions: Functions;

  /**
   * Loads the library that was compiled from `runtimeSource()`.
   * @throws NativeRuntimeError if it is not there, or another one
   */
  static async load(koffi: Koffi, libraryPath: string): Promise<NativeRuntime> {
    const functions: Record<string, unknown> = {};
    try {
      const library = koffi.load(libraryPath);
      for (const [name, [result, parameters]] of Object.entries(signatures))
        functions[name] = library.func(name, result, [...parameters]);
    } catch (error) {
      throw new NativeRuntimeError(
        `The native runtime ${libraryPath} cannot be loaded: ${error instanceof Error ? error.message : String(error)}. ` +
          "Have it compiled anew.",
        { cause: error },
      );
    }
    const runtime = new NativeRuntime(functions as unknown as Functions);
    const found = runtime.#functions.gradus_abi();
    if (found === abi) return runtime;
    throw new NativeRuntimeError(
      `The native runtime ${libraryPath} calls itself "${found}" where "${abi}" is needed. Have it compiled anew.`,
    );
  }

  private constructor(functions: Functions) {
    this.#functions = functions;
  }

  /**
   * Starts a pool of 1 to 1024 threads, the caller's included. Idle, it takes no time and keeps no process alive.
   * @throws NativeRuntimeError if the system refuses the threads
   */
  createPool(threads: number): Pool {
    return this.#granted<Pool>(this.#functions.gradus_pool_create(threads), "Use fewer threads.");
  }

  /** Ends a pool's threads, and waits for that. */
  destroyPool(pool: Pool): void {
    this.#functions.gradus_pool_destroy(pool);
  }

  /** Loads a shared library of emitted code. */
  open(path: string): Library {
    return this.#granted<Library>(this.#functions.gradus_open(path), "Have it compiled anew.");
  }

  /** The address of a function of a library. */
  symbol(library: Library, name: string): number {
    const address = Number(this.#functions.gradus_symbol(library, name));
    if (address === 0) throw this.#refusal("Have the library compiled anew.");
    return address;
  }

  /** Unloads a library, of which no program may be left. */
  close(library: Library): void {
    this.#functions.gradus_close(library);
  }

  /**
   * Makes a program of a table: [steps, places], then of each step [address of its function, 1 if all threads meet before
   * it or else 0, index of its first place, number of its shared loops], then of each place [index of its base, bytes from
   * there].
   *
   * @throws NativeRuntimeError if the table is not that
   */
  createProgram(table: Float64Array): ProgramHandle {
    return this.#granted<ProgramHandle>(
      this.#functions.gradus_program_create(table, table.length),
      `The table of ${table.length} numbers has to give 4 for each step and 2 for each place.`,
    );
  }

  destroyProgram(program: ProgramHandle): void {
    this.#functions.gradus_program_destroy(program);
  }

  /**
   * Runs a program, and blocks meanwhile.
   *
   * @param heap any view that begins at the heap's address 0; its memory is used where it is
   * @param bases addresses in the heap, in bytes
   * @param scratch address of the first thread's scratch, in bytes
   * @param scratchBytes from one thread's scratch to the next one's
   * @param parallel whether on all threads of the pool, or else on the caller's alone
   * @param first the step to begin with
   * @param steps how many to run; default: all that follow
   * @returns false if an index was out of range; what the program wrote is then not to be used
   * @throws NativeRuntimeError if there are fewer bases than the program refers to, or fewer steps than that
   */
  run(
    pool: Pool,
    program: ProgramHandle,
    heap: Uint8Array,
    bases: Float64Array,
    scratch: number,
    scratchBytes: number,
    parallel: boolean,
    first = 0,
    steps = -1,
  ): boolean {
    const result = this.#functions.gradus_run(
      pool,
      program,
      heap,
      bases,
      bases.length,
      scratch,
      scratchBytes,
      parallel ? 1 : 0,
      first,
      steps,
    );
    if (result === done) return true;
    if (result === fault) return false;
    throw this.#refusal(
      `Given were ${bases.length} bases and ${steps < 0 ? "all" : steps} steps from step ${first} on.`,
    );
  }

  #granted<H extends bigint>(handle: bigint | null, remedy: string): H {
    if (handle === null) throw this.#refusal(remedy);
    return handle as H;
  }

  #refusal(remedy: string): NativeRuntimeError {
    return new NativeRuntimeError(`The native runtime refused ${this.#functions.gradus_error()}. ${remedy}`);
  }
}
