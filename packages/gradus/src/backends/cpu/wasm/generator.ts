// Programs as WebAssembly modules, run by a pool of workers.

import { type Program, wasmTarget } from "../../../compiler/index.ts";
import { type Addresses, type Code, type CodeGenerator, ProgramFault } from "../code-generator.ts";
import type { Heap } from "../heap.ts";
import { Region } from "../region.ts";
import { type LoadedProgram, ProgramError, ThreadPool } from "../threads.ts";
import { emitModule } from "./emit.ts";
import type { Features } from "./features.ts";

class Module implements Code {
  constructor(
    readonly loaded: LoadedProgram,
    readonly bytes: number,
  ) {}
}

export class WasmGenerator implements CodeGenerator {
  readonly name = "wasm";
  readonly target = wasmTarget;
  private readonly parameters: Region;

  private constructor(
    private readonly heap: Heap,
    private readonly pool: ThreadPool,
    private readonly features: Features,
  ) {
    this.parameters = new Region(heap);
  }

  static async create(heap: Heap, threads: number, features: Features): Promise<WasmGenerator> {
    return new WasmGenerator(heap, await ThreadPool.create(heap, heap.shared ? threads : 1), features);
  }

  get threads(): number {
    return this.pool.threads;
  }

  get canBlock(): boolean {
    return this.pool.canBlock;
  }

  load(program: Program): Module {
    const module = emitModule(program, {
      memory: this.heap.memoryImport,
      relaxedSimd: this.features.relaxedSimd,
      threads: this.pool.threads,
    });
    return new Module(this.pool.load(module), module.byteLength);
  }

  isReady(): boolean {
    return true;
  }

  unload(code: Code): void {
    this.pool.unload((code as Module).loaded);
  }

  runSync(code: Code, addresses: Addresses, parallel: boolean): void {
    try {
      this.pool.run((code as Module).loaded, this.write(addresses), parallel);
    } catch (error) {
      throw asFault(error);
    }
  }

  async run(code: Code, addresses: Addresses, parallel: boolean): Promise<void> {
    try {
      await this.pool.runAsync((code as Module).loaded, this.write(addresses), parallel);
    } catch (error) {
      throw asFault(error);
    }
  }

  /** The addresses where the module reads them; returns where that is. */
  private write(addresses: Addresses): number {
    const parameters = this.parameters.atLeast(addresses.length * 4);
    this.heap.i32(parameters, addresses.length).set(addresses);
    return parameters;
  }

  dispose(): Promise<void> {
    return this.pool.terminate();
  }
}

/** Programs end themselves by the instruction `unreachable`. */
function asFault(error: unknown): unknown {
  const ended = error instanceof ProgramError && /unreachable/.test(error.message);
  return ended ? new ProgramFault(error.message, { cause: error }) : error;
}
