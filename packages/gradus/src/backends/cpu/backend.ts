// The cpu backend: one heap, a pool of threads over it, and programs compiled to WebAssembly.
// Dropped buffers are found by the garbage collector, which cannot see the heap behind them. So the backend counts what
// it has handed out and, past a threshold, asks for a collection: in Node by the collector's own function, elsewhere by
// buffers of ordinary memory that make the collector feel the weight.

import { compileProgram, debugging, type Program, type Target, wasmTarget } from "../../compiler/index.ts";
import { bytesOf } from "../../compiler/plan.ts";
import { type DType, dtypes, GradusError, type TypedArray } from "../../graph/index.ts";
import type { Backend, DeviceBuffer, Executable, ProgramGraph } from "../backend.ts";
import { CollectionPressure } from "./collection.ts";
import { controlLayout } from "./control.ts";
import { Heap } from "./heap.ts";
import { KernelTimes } from "./kernel-times.ts";
import { defaultThreads } from "./platform.ts";
import { type LoadedProgram, ProgramError, ThreadPool } from "./threads.ts";
import { emitModule, parameterWords } from "./wasm/emit.ts";
import { detectFeatures, type Features } from "./wasm/features.ts";

export interface CpuOptions {
  /** Threads that share a program's work. Default: the machine's cores, at most 16; 1 where memory cannot be shared. */
  readonly threads?: number;
}

/**
 * Memory that a program may touch without being parallel and still be run by a thread that must not block. Sorting that
 * much takes a millisecond or two.
 */
const briefBytes = 64 * 1024;

/** Vector loads may read a few elements past a buffer (what they read is not used), so memory goes on that far. */
const readAhead = 64;

class HeapBuffer implements DeviceBuffer {
  constructor(
    readonly address: number,
    readonly bytes: number,
  ) {}
}

class CpuExecutable implements Executable {
  constructor(
    readonly program: Program,
    readonly loaded: LoadedProgram,
    readonly codeBytes: number,
    /** Whether all threads run it, or the caller's alone. */
    readonly parallel: boolean,
    /** Where kernels are to be timed: the same program, kernel by kernel. */
    readonly times: KernelTimes | null,
  ) {}

  get kernels(): number {
    return this.program.kernels.length;
  }

  get arenaBytes(): number {
    return this.program.plan.arenaBytes;
  }
}

/** The device lacks what Gradus needs, or was used wrongly. */
export class CpuBackendError extends GradusError {}

/** An index lies outside of what it indexes. The results of the step it occurred in are discarded. */
export class IndexError extends GradusError {}

/** The error behind a program that ended itself: the only thing that programs check is their indices. */
function explain(error: unknown, { program }: CpuExecutable): unknown {
  const trapped = error instanceof ProgramError && /unreachable/.test(error.message);
  if (!trapped || program.lookups.length === 0) return error;
  return new IndexError(
    `An index is out of range in one of: ${program.lookups.join("; ")}. Check the indices or labels of this step.`,
    { cause: error },
  );
}

/** A region that grows to what the largest program needs and is shared by all of them. */
class Region {
  address = 0;
  private bytes = 0;

  constructor(private readonly heap: Heap) {}

  atLeast(bytes: number): number {
    if (bytes > this.bytes) {
      if (this.address !== 0) this.heap.free(this.address);
      this.address = 0;
      this.bytes = 0;
      this.address = this.heap.allocate(bytes);
      this.bytes = bytes;
    }
    return this.address;
  }
}

/** Bytes of all that a program reads and writes. */
function memoryOf({ inputs, outputs, plan }: Program): number {
  return [...inputs, ...outputs].reduce(
    (bytes, { elements, dtype }) => bytes + elements * dtypes[dtype].bytes,
    plan.arenaBytes,
  );
}

export class CpuBackend implements Backend {
  readonly name = "cpu";
  readonly codegen = "wasm";
  private readonly arena: Region;
  private readonly scratch: Region;
  private readonly parameters: Region;
  private readonly pressure: CollectionPressure;

  private constructor(
    private readonly heap: Heap,
    private readonly pool: ThreadPool,
    private readonly features: Features,
    private readonly target: Target,
  ) {
    this.arena = new Region(heap);
    this.scratch = new Region(heap);
    this.parameters = new Region(heap);
    this.pressure = new CollectionPressure((address) => heap.free(address));
  }

  static async create(options: CpuOptions = {}): Promise<CpuBackend> {
    const features = await detectFeatures();
    if (!features.simd) {
      throw new CpuBackendError(
        "cpu: this platform's WebAssembly has no SIMD. Use Node 20 or later, or a browser of 2023 or later.",
      );
    }
    const wanted = options.threads ?? (await defaultThreads());
    const threads = features.threads ? wanted : 1;
    const heap = new Heap({ shared: threads > 1, reservedBytes: controlLayout.size });
    const pool = await ThreadPool.create(heap, heap.shared ? threads : 1);
    return new CpuBackend(heap, pool, features, wasmTarget);
  }

  get canBlock(): boolean {
    return this.pool.canBlock;
  }

  get threads(): number {
    return this.pool.threads;
  }

  get liveBytes(): number {
    return this.pressure.liveBytes;
  }

  get wantsCollection(): boolean {
    return this.pressure.high;
  }

  collect(): Promise<void> {
    return this.pressure.collect();
  }

  allocate(bytes: number): DeviceBuffer {
    const buffer = new HeapBuffer(this.heap.allocate(bytes + readAhead), bytes);
    this.pressure.track(buffer, buffer.address, bytes);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    this.pressure.release(buffer as HeapBuffer);
  }

  write(buffer: DeviceBuffer, data: TypedArray): void {
    const { address } = buffer as HeapBuffer;
    this.heap.u8(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  readSync(buffer: DeviceBuffer, dtype: DType, length: number): TypedArray {
    const { address } = buffer as HeapBuffer;
    const bytes = this.heap.u8(address, length * dtypes[dtype].bytes).slice();
    return dtypes[dtype].create(bytes.buffer, 0, length);
  }

  compile(graph: ProgramGraph): CpuExecutable {
    const program = compileProgram(graph, this.target);
    const bytes = program.outputs.reduce((sum, buffer) => sum + bytesOf(buffer), program.plan.arenaBytes);
    if (bytes > this.heap.maximumBytes) {
      const inGibibytes = (amount: number): string => `${(amount / 2 ** 30).toFixed(1)} GiB`;
      throw new CpuBackendError(
        `This step needs ${inGibibytes(bytes)} at one time, the cpu device has ${inGibibytes(this.heap.maximumBytes)}. ` +
          "Use a smaller batch or model, or compute in parts.",
      );
    }
    const { loaded, parallel, codeBytes } = this.load(program);
    const timed = debugging("time") && this.pool.canBlock;
    const times = timed ? new KernelTimes(program, (kernel) => this.load(kernel)) : null;
    return new CpuExecutable(program, loaded, codeBytes, parallel, times);
  }

  private load(program: Program): { loaded: LoadedProgram; parallel: boolean; codeBytes: number } {
    const module = emitModule(program, {
      memory: this.heap.memoryImport,
      relaxedSimd: this.features.relaxedSimd,
      threads: this.pool.threads,
    });
    const parallel = program.kernels.some(({ phases }) =>
      phases.some(({ body }) => body.some((statement) => statement.op === "for" && statement.parallel)),
    );
    const onWorkers = parallel || (!this.pool.canBlock && memoryOf(program) > briefBytes);
    return { loaded: this.pool.load(module), parallel: onWorkers, codeBytes: module.byteLength };
  }

  release(program: Executable): void {
    const { loaded, times } = program as CpuExecutable;
    this.pool.unload(loaded);
    for (const kernel of times?.programs ?? []) this.pool.unload(kernel);
  }

  runSync(
    program: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): void {
    const executable = program as CpuExecutable;
    try {
      const parameters = this.bind(executable, inputs, scalars, outputs);
      const { loaded, parallel, times } = executable;
      if (times === null) this.pool.run(loaded, parameters, parallel);
      else times.run((kernel, shared) => this.pool.run(kernel, parameters, shared));
    } catch (error) {
      throw explain(error, executable);
    }
  }

  async run(
    program: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): Promise<void> {
    const executable = program as CpuExecutable;
    if (executable.times !== null) return this.runSync(program, inputs, scalars, outputs);
    try {
      const parameters = this.bind(executable, inputs, scalars, outputs);
      await this.pool.runAsync(executable.loaded, parameters, executable.parallel);
    } catch (error) {
      throw explain(error, executable);
    }
  }

  /** Writes the addresses and numbers a run needs; returns where. */
  private bind(
    { program }: CpuExecutable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): number {
    const arena = this.arena.atLeast(program.plan.arenaBytes + readAhead);
    const scratchBytes = Math.ceil(program.scratchBytes / 64) * 64;
    const scratch = this.scratch.atLeast(scratchBytes * this.pool.threads + readAhead);
    const words = parameterWords.buffers + inputs.length + outputs.length;
    const scalarsOffset = Math.ceil(words / 2) * 8;
    const address = this.parameters.atLeast(scalarsOffset + scalars.length * 8);
    const table = this.heap.i32(address, words);
    table[parameterWords.arena] = arena;
    table[parameterWords.scratch] = scratch;
    table[parameterWords.scratchBytes] = scratchBytes;
    table[parameterWords.scalars] = address + scalarsOffset;
    inputs.forEach((buffer, i) => {
      table[parameterWords.buffers + i] = (buffer as HeapBuffer).address;
    });
    outputs.forEach((buffer, i) => {
      table[parameterWords.buffers + inputs.length + i] = (buffer as HeapBuffer).address;
    });
    scalars.forEach((value, i) => {
      const place = address + scalarsOffset + i * 8;
      const { dtype } = program.scalarTypes[i];
      if (dtype === "float32") this.heap.f32(place, 1)[0] = value;
      else if (dtype === "float64") this.heap.f64(place, 1)[0] = value;
      else this.heap.i32(place, 1)[0] = value;
    });
    return address;
  }

  async dispose(): Promise<void> {
    await this.pool.terminate();
  }
}
