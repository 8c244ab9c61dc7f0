// The cpu backend: one heap, and programs over it that an emitter makes, WebAssembly or native code, each with its threads.
// Dropped buffers are found by the garbage collector, which cannot see the heap behind them. So the backend counts what
// it has handed out and, past a threshold, asks for a collection: in Node by the collector's own function, elsewhere by
// buffers of ordinary memory that make the collector feel the weight.

import { compileProgram, debugging, type Program } from "../../compiler/index.ts";
import { bytesOf } from "../../compiler/plan.ts";
import { type DType, dtypes, GradusError, type TypedArray } from "../../graph/index.ts";
import type { Backend, DeviceBuffer, Executable, ProgramGraph } from "../backend.ts";
import { type Codegen, CpuBackendError, chooseGenerators } from "./choose.ts";
import { type Addresses, addressOrder, type Code, type CodeGenerator, ProgramFault } from "./code-generator.ts";
import { CollectionPressure } from "./collection.ts";
import type { Heap } from "./heap.ts";
import { KernelTimes } from "./kernel-times.ts";
import { Region } from "./region.ts";

export interface CpuOptions {
  /** Threads that share a program's work. Default: the machine's cores, at most 16; 1 where memory cannot be shared. */
  readonly threads?: number;
  /** The emitter. Default: GRADUS_CODEGEN, else native code where a compiler and koffi are there, else WebAssembly. */
  readonly codegen?: Codegen;
  /** What runs a program for as long as its native code is being made. Default: nothing, the first run waits. */
  readonly warmup?: "wasm";
}

/**
 * Memory that a program may touch without being parallel and still be run by a thread that must not block. Sorting that
 * much takes a millisecond or two.
 */
const briefBytes = 64 * 1024;

/** Vector loads may read up to 15 elements past a buffer (what they read is not used), so memory goes on that far. */
const readAhead = 128;

class HeapBuffer implements DeviceBuffer {
  constructor(
    readonly address: number,
    readonly bytes: number,
  ) {}
}

/** A program as one emitter has it. */
interface Form {
  readonly generator: CodeGenerator;
  readonly program: Program;
  readonly code: Code;
  /** Whether all threads run it, or the caller's alone. */
  readonly parallel: boolean;
  /** Where kernels are to be timed: the same program, kernel by kernel. */
  readonly times: KernelTimes | null;
}

class CpuExecutable implements Executable {
  /** @param forms the one wanted, then those that serve until it is ready */
  constructor(readonly forms: readonly Form[]) {}

  /** What to run now. */
  get form(): Form {
    return this.forms.find(({ generator, code }) => generator.isReady(code)) ?? this.forms[0];
  }

  get kernels(): number {
    return this.forms[0].program.kernels.length;
  }

  get arenaBytes(): number {
    return this.forms[0].program.plan.arenaBytes;
  }

  get codeBytes(): number {
    return this.forms[0].code.bytes;
  }
}

/** An index lies outside of what it indexes. The results of the step it occurred in are discarded. */
export class IndexError extends GradusError {}

/** The error behind a program that ended itself. */
function explain(error: unknown, { lookups }: Program): unknown {
  if (!(error instanceof ProgramFault) || lookups.length === 0) return error;
  return new IndexError(
    `An index is out of range in one of: ${lookups.join("; ")}. Check the indices or labels of this step.`,
    { cause: error },
  );
}

/** Bytes of all that a program reads and writes. */
function memoryOf({ inputs, outputs, plan }: Program): number {
  return [...inputs, ...outputs].reduce((bytes, buffer) => bytes + bytesOf(buffer), plan.arenaBytes);
}

export class CpuBackend implements Backend {
  readonly name = "cpu";
  private readonly arena: Region;
  private readonly scratch: Region;
  private readonly scalars: Region;
  private readonly pressure: CollectionPressure;

  /** @param generators the one wanted, then those that serve until its code is ready */
  private constructor(
    private readonly heap: Heap,
    private readonly generators: readonly CodeGenerator[],
    readonly note: string | undefined,
  ) {
    this.arena = new Region(heap);
    this.scratch = new Region(heap);
    this.scalars = new Region(heap);
    this.pressure = new CollectionPressure((address) => heap.free(address));
  }

  /** @throws CpuBackendError where the platform, or an emitter that was asked for by name, lacks what it takes */
  static async create(options: CpuOptions = {}): Promise<CpuBackend> {
    const { heap, generators, note } = await chooseGenerators(options);
    return new CpuBackend(heap, generators, note);
  }

  get codegen(): Codegen {
    return this.generators[0].name;
  }

  get canBlock(): boolean {
    return this.generators[0].canBlock;
  }

  get threads(): number {
    return this.generators[0].threads;
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
    return new CpuExecutable(this.generators.map((generator) => this.compileFor(generator, graph)));
  }

  private compileFor(generator: CodeGenerator, graph: ProgramGraph): Form {
    const program = compileProgram(graph, generator.target);
    const bytes = program.outputs.reduce((sum, buffer) => sum + bytesOf(buffer), program.plan.arenaBytes);
    if (bytes > this.heap.maximumBytes) {
      const inGibibytes = (amount: number): string => `${(amount / 2 ** 30).toFixed(1)} GiB`;
      throw new CpuBackendError(
        `This step needs ${inGibibytes(bytes)} at one time, the cpu device has ${inGibibytes(this.heap.maximumBytes)}. ` +
          "Use a smaller batch or model, or compute in parts.",
      );
    }
    const load = (part: Program) => ({ code: generator.load(part), parallel: this.isParallel(part, generator) });
    const timed = debugging("time") && generator.canBlock;
    const times = timed ? new KernelTimes(program, load) : null;
    return { generator, program, ...load(program), times };
  }

  private isParallel(program: Program, generator: CodeGenerator): boolean {
    const parallel = program.kernels.some(({ phases }) =>
      phases.some(({ body }) => body.some((statement) => statement.op === "for" && statement.parallel)),
    );
    return parallel || (!generator.canBlock && memoryOf(program) > briefBytes);
  }

  release(executable: Executable): void {
    for (const { generator, code, times } of (executable as CpuExecutable).forms) {
      generator.unload(code);
      for (const kernel of times?.codes ?? []) generator.unload(kernel);
    }
  }

  runSync(
    executable: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): void {
    const { generator, program, code, parallel, times } = (executable as CpuExecutable).form;
    try {
      const addresses = this.bind(program, generator, inputs, scalars, outputs);
      if (times === null) generator.runSync(code, addresses, parallel);
      else times.run((kernel, shared) => generator.runSync(kernel, addresses, shared));
    } catch (error) {
      throw explain(error, program);
    }
  }

  async run(
    executable: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): Promise<void> {
    const { generator, program, code, parallel, times } = (executable as CpuExecutable).form;
    if (times !== null) return this.runSync(executable, inputs, scalars, outputs);
    try {
      await generator.run(code, this.bind(program, generator, inputs, scalars, outputs), parallel);
    } catch (error) {
      throw explain(error, program);
    }
  }

  /** Writes the numbers a run needs, and tells where all of its memory is. */
  private bind(
    program: Program,
    { threads }: CodeGenerator,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): Addresses {
    const scratchBytes = Math.ceil(program.scratchBytes / 64) * 64;
    const addresses = new Float64Array(addressOrder.buffers + inputs.length + outputs.length);
    addresses[addressOrder.arena] = this.arena.atLeast(program.plan.arenaBytes + readAhead);
    addresses[addressOrder.scratch] = this.scratch.atLeast(scratchBytes * threads + readAhead);
    addresses[addressOrder.scratchBytes] = scratchBytes;
    const place = this.scalars.atLeast(scalars.length * 8);
    addresses[addressOrder.scalars] = place;
    for (let i = 0; i < inputs.length; i++) {
      addresses[addressOrder.buffers + i] = (inputs[i] as HeapBuffer).address;
    }
    for (let i = 0; i < outputs.length; i++) {
      addresses[addressOrder.buffers + inputs.length + i] = (outputs[i] as HeapBuffer).address;
    }
    scalars.forEach((value, i) => {
      const { dtype } = program.scalarTypes[i];
      if (dtype === "float32") this.heap.f32(place + i * 8, 1)[0] = value;
      else if (dtype === "float64") this.heap.f64(place + i * 8, 1)[0] = value;
      else this.heap.i32(place + i * 8, 1)[0] = value;
    });
    return addresses;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.generators.map((generator) => generator.dispose()));
  }
}
