// The reference backend: plain JavaScript memory, and programs that are interpreted. Correct, and slow.

import { ArgumentError, type DType, dtypes, GradusError, sizeOf, type TypedArray } from "../../graph/index.ts";
import type { Backend, DeviceBuffer, Executable, ProgramGraph } from "../backend.ts";
import { interpret } from "./interpreter.ts";

class ReferenceBuffer implements DeviceBuffer {
  /** `null` once freed. */
  storage: ArrayBuffer | null;

  constructor(readonly bytes: number) {
    this.storage = new ArrayBuffer(bytes);
  }
}

class ReferenceProgram implements Executable {
  readonly kernels = 0;
  readonly arenaBytes = 0;
  readonly codeBytes = 0;

  constructor(readonly graph: ProgramGraph) {}
}

/** Interprets graphs in float64 (`interpret`): the meaning that every other backend is tested against. */
export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly canBlock = true;
  readonly threads = 1;
  readonly codegen = "interpret";
  /** JavaScript's collector sees this memory and needs no help. */
  readonly wantsCollection = false;

  private live = 0;
  private readonly dropped = new FinalizationRegistry<number>((bytes) => {
    this.live -= bytes;
  });

  get liveBytes(): number {
    return this.live;
  }

  allocate(bytes: number): DeviceBuffer {
    const buffer = new ReferenceBuffer(bytes);
    this.live += bytes;
    this.dropped.register(buffer, bytes, buffer);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    const owned = ownBuffer(buffer);
    if (owned.storage === null) return;
    owned.storage = null;
    this.live -= owned.bytes;
    this.dropped.unregister(owned);
  }

  write(buffer: DeviceBuffer, data: TypedArray): void {
    const storage = storageOf(buffer, "write", data.byteLength);
    new Uint8Array(storage).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  readSync(buffer: DeviceBuffer, dtype: DType, length: number): TypedArray {
    return elementsOf(buffer, "read", dtype, length).slice();
  }

  compile(graph: ProgramGraph): Executable {
    return new ReferenceProgram(graph);
  }

  release(): void {}

  runSync(
    program: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): void {
    if (!(program instanceof ReferenceProgram))
      throw new GradusError("run: the program was compiled by another backend. Compile it with this one.");
    const { graph } = program;
    checkCount("inputs", inputs.length, graph.inputs.length);
    checkCount("scalars", scalars.length, graph.scalars.length);
    checkCount("outputs", outputs.length, graph.outputs.length);
    const values = interpret(
      graph,
      graph.inputs.map((node, i) => elementsOf(inputs[i], "run", node.dtype, sizeOf(node.shape))),
      scalars,
    );
    graph.outputs.forEach((node, i) => {
      elementsOf(outputs[i], "run", node.dtype, sizeOf(node.shape)).set(values[i]);
    });
  }

  async run(
    program: Executable,
    inputs: readonly DeviceBuffer[],
    scalars: readonly number[],
    outputs: readonly DeviceBuffer[],
  ): Promise<void> {
    this.runSync(program, inputs, scalars, outputs);
  }

  /** Finalizers run only between turns of the event loop. */
  async collect(): Promise<void> {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }

  async dispose(): Promise<void> {}
}

function ownBuffer(buffer: DeviceBuffer): ReferenceBuffer {
  if (buffer instanceof ReferenceBuffer) return buffer;
  throw new GradusError(
    `buffer: ${buffer.bytes} bytes of another backend's memory were given. Allocate them with this one.`,
  );
}

function storageOf(buffer: DeviceBuffer, operation: string, bytes: number): ArrayBuffer {
  const { storage } = ownBuffer(buffer);
  if (storage === null)
    throw new ArgumentError(operation, `a buffer of ${buffer.bytes} bytes was freed`, "Do not use it afterwards.");
  if (bytes > buffer.bytes)
    throw new ArgumentError(
      operation,
      `${bytes} bytes do not fit into a buffer of ${buffer.bytes}`,
      "Allocate the elements times the bytes of their dtype.",
    );
  return storage;
}

/** A view of a buffer's first `length` elements. */
function elementsOf(buffer: DeviceBuffer, operation: string, dtype: DType, length: number): TypedArray {
  const storage = storageOf(buffer, operation, length * dtypes[dtype].bytes);
  return dtypes[dtype].create(storage, 0, length);
}

function checkCount(what: string, given: number, wanted: number): void {
  if (given !== wanted)
    throw new ArgumentError("run", `${given} ${what} were given to a program of ${wanted}`, "Pass one for each.");
}
