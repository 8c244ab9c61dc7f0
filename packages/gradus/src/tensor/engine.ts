// The engine realizes values. A flush gathers what must be computed (what was asked for, all pending state, losses),
// finds its program by the structure of the graph, binds buffers and runs it. Programs learn: a value that is read after
// the flush that passed through it is kept by that program from the second time on.

import type { Backend, DeviceBuffer, Executable, ProgramGraph } from "../backends/backend.ts";
import {
  clearInterned,
  createTypedArray,
  type DType,
  depthFirstOrder,
  dtypes,
  GradusError,
  leaf,
  Node,
  sizeOf,
  type TypedArray,
} from "../graph/index.ts";
import { ReadError, StaleTensorError } from "./errors.ts";
import { describeStructure, type Program, Programs, structureOf } from "./programs.ts";
import type { Variable } from "./variable.ts";

/** Data that still lies on the host; uploaded when a program first needs it. */
class HostData {
  constructor(readonly array: TypedArray) {}
}

interface Run {
  readonly executable: Executable;
  readonly inputs: readonly DeviceBuffer[];
  readonly scalars: readonly number[];
  readonly outputs: readonly DeviceBuffer[];
  /** What the outputs are the values of. */
  readonly nodes: readonly Node[];
}

/** Counters that tests and the curious read. They only grow. */
export interface EngineStatistics {
  /** Programs that were compiled, each for a structure of the graph and the values kept of it. */
  readonly programsCompiled: number;
  /** How often something was computed. */
  readonly flushes: number;
  /** Kernels of all programs that were run. */
  readonly kernelsRun: number;
}

/** A flush's graph in canonical form. Until the next one is made, nodes have their positions in `order`. */
interface Plan {
  readonly order: readonly Node[];
  readonly outputs: readonly Node[];
}

/** What a flush computed, for the next one to learn from. */
interface Past {
  readonly program: Program;
  readonly order: readonly Node[];
  /** The id of its youngest node. */
  readonly youngest: number;
}

/** Programs of one structure beyond which a loop is told that it keeps making new ones. */
const recompilationsToTell = 8;
/** Programs kept at one time; beyond, those used longest ago are forgotten. */
const programsKept = 256;
/** Shorter programs compile in no time, and are often tried out. */
const longEnoughToTell = 16;

export class Engine {
  private readonly programs = new Programs(programsKept, ({ variants }) => {
    for (const executable of variants.values()) this.backend.release(executable);
  });
  private readonly pending = new Set<Variable>();
  private readonly wanted = new Set<Node>();
  private last: Past | null = null;
  private queue: Promise<void> = Promise.resolve();
  /** What queued runs have not computed yet, though memory is set aside for it. */
  private readonly underway = new Set<Node>();
  private readonly counters = { programsCompiled: 0, flushes: 0, kernelsRun: 0 };
  /** How often graphs of these operations were compiled, and what the last one looked like where it is to be told. */
  private readonly compiled = new Map<string, { readonly count: number; readonly lines: readonly string[] }>();
  private device: Backend | null = null;
  /** Buffers of the present device. */
  private onDevice = new WeakSet<DeviceBuffer>();
  /** The program that ran last: how many kernels, how much memory. */
  lastExecutable: Executable | null = null;

  get backend(): Backend {
    if (this.device === null) {
      throw new GradusError(
        "Gradus has no device yet. Call `await gd.init()` once before reading values at once; `await tensor.data()` does so by itself.",
      );
    }
    return this.device;
  }

  get hasBackend(): boolean {
    return this.device !== null;
  }

  /** Takes a backend for all further work, or none. What another backend holds can no longer be read. */
  use(backend: Backend | null): void {
    this.device = backend;
    this.onDevice = new WeakSet();
    this.programs.clear();
    this.last = null;
  }

  get statistics(): EngineStatistics {
    return { ...this.counters };
  }

  /** State whose newest version waits for the next flush. */
  notePending(variable: Variable): void {
    // The order of assignment is part of a program: it must not depend on what was pending before.
    this.pending.delete(variable);
    this.pending.add(variable);
  }

  /**
   * Host numbers as the value of a leaf, copied: into the device's memory where that is at hand, so that a batch is
   * copied only once; else they wait on the host for the first program that needs them.
   */
  hold(data: TypedArray, dtype: DType): object {
    const fitting = convertTo(data, dtype);
    if (this.device?.canBlock !== true || data.length === 0) {
      return new HostData(fitting === data ? (data.slice() as TypedArray) : fitting);
    }
    const buffer = this.allocate(fitting.byteLength);
    this.device.write(buffer, fitting);
    return buffer;
  }

  private allocate(bytes: number): DeviceBuffer {
    const buffer = this.backend.allocate(bytes);
    this.onDevice.add(buffer);
    return buffer;
  }

  /** @throws ReadError where the buffer belongs to a device that was replaced */
  private checkDevice(value: object): DeviceBuffer {
    if (this.onDevice.has(value as DeviceBuffer)) return value as DeviceBuffer;
    throw new ReadError(
      "This value lies on a device that `gd.init` or `gd.shutdown` has ended. Call `gd.init` once, before the first value " +
        "is computed, or make the tensor or load the model again.",
    );
  }

  /** Has a value computed along with the next flush, and kept. */
  retain(node: Node): void {
    if (node.value === null) this.wanted.add(node);
  }

  /** Realizes nodes and all pending state. Bookkeeping happens at once; the promise ends when the values are there. */
  flush(targets: readonly Node[]): Promise<void> {
    const runs = this.prepare(targets);
    if (runs.length === 0) return this.queue;
    if (this.backend.canBlock) {
      this.runAll(runs);
      return this.backend.wantsCollection ? this.backend.collect() : Promise.resolve();
    }
    const nodes = runs.flatMap((run) => run.nodes);
    for (const node of nodes) this.underway.add(node);
    const done = this.queue.then(async () => {
      try {
        await this.runInTurn(runs);
      } finally {
        for (const node of nodes) this.underway.delete(node);
      }
      if (this.backend.wantsCollection) await this.backend.collect();
    });
    // A failed run must reach its caller, but not every later one.
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** Whether a value can be read now: it is at hand, or this thread may wait for it. */
  canReadAtOnce(node: Node): boolean {
    return this.device?.canBlock === true || (node.value !== null && !this.underway.has(node));
  }

  flushSync(targets: readonly Node[]): void {
    // Where the thread must not wait, what is at hand can still be read.
    if (this.device?.canBlock !== true && targets.every((node) => this.canReadAtOnce(node))) return;
    if (!this.backend.canBlock) {
      throw new ReadError(
        "This value is not computed yet, and this thread must not wait for it. " +
          "Use the asynchronous form, such as `await tensor.data()`, or await `optimizer.step()` or `gd.flush(tensor)` before.",
      );
    }
    this.runAll(this.prepare(targets));
  }

  /** The elements of a realized node, as a copy. */
  read(node: Node): TypedArray {
    const length = sizeOf(node.shape);
    if (node.value instanceof HostData) return node.value.array.slice() as TypedArray;
    if (node.value === null)
      throw new ReadError("This value could not be computed: an earlier run failed. Read it again to see why.");
    if (length === 0) return createTypedArray(node.dtype, 0);
    return this.backend.readSync(this.checkDevice(node.value), node.dtype, length);
  }

  private async runInTurn(runs: readonly Run[]): Promise<void> {
    for (const [i, { executable, inputs, scalars, outputs }] of runs.entries()) {
      try {
        await this.backend.run(executable, inputs, scalars, outputs);
      } catch (error) {
        this.takeBack(runs.slice(i));
        throw error;
      }
      this.settle(runs[i]);
    }
  }

  private runAll(runs: readonly Run[]): void {
    for (const [i, { executable, inputs, scalars, outputs }] of runs.entries()) {
      try {
        this.backend.runSync(executable, inputs, scalars, outputs);
      } catch (error) {
        this.takeBack(runs.slice(i));
        throw error;
      }
      this.settle(runs[i]);
    }
  }

  /**
   * After a run that failed its results are not there: reading one computes it again, and raises the error again. State
   * has the values it had before.
   */
  private takeBack(runs: readonly Run[]): void {
    for (const node of runs.flatMap((run) => run.nodes)) {
      node.value = null;
      if (node.op !== "state") continue;
      const variable = node.source as Variable;
      variable.takeBack(node);
      if (variable.realized === null) this.pending.add(variable);
    }
  }

  /** Once their values are there, nodes that no backward pass will go through need not remember their inputs. */
  private settle({ nodes }: Run): void {
    for (const node of nodes) {
      if (!node.requiresGrad || node.isGradientLeaf || node.usedUp) node.forgetHistory();
    }
  }

  private prepare(targets: readonly Node[]): Run[] {
    const runs: Run[] = [];
    // First versions of state come in a program of their own, so that a first training step is like every other.
    const fresh = [...this.pending].filter((variable) => variable.realized === null);
    // A retained value that cannot be computed any more fails this flush, not every later one.
    const wanted = [...targets, ...this.wanted];
    this.wanted.clear();
    if (fresh.length > 0) {
      // What raises StaleTensorError must do so before anything has changed.
      this.canonicalize(wanted.filter((node) => node.value === null));
      const run = this.prepareProgram(fresh.map((variable) => variable.initial));
      if (run) runs.push(run);
      for (const variable of fresh) {
        variable.realized = variable.initial;
        if (!variable.pending) this.pending.delete(variable);
      }
    }
    const states = [...this.pending];
    let run: Run | null;
    try {
      run = this.prepareProgram([...wanted, ...states.map((variable) => variable.node)]);
    } catch (error) {
      this.takeBack(runs);
      // A step that cannot be made is not made at all, and must not stand in the way of every later one.
      this.giveUp(error instanceof StaleTensorError ? (variable) => !this.isComputable(variable.node) : () => true);
      throw error;
    }
    if (run) runs.push(run);
    this.pending.clear();
    for (const variable of states) {
      variable.previous = variable.realized;
      variable.realized = variable.node;
    }
    clearInterned();
    if (runs.length > 0) this.counters.flushes++;
    return runs;
  }

  /** Pending state goes back to its realized version; first versions stay to be computed. */
  private giveUp(which: (variable: Variable) => boolean): void {
    for (const variable of [...this.pending]) {
      if (!which(variable)) continue;
      variable.revert();
      if (variable.realized !== null) this.pending.delete(variable);
    }
  }

  private isComputable(node: Node): boolean {
    try {
      this.canonicalize([node]);
      return true;
    } catch {
      return false;
    }
  }

  private prepareProgram(requested: readonly Node[]): Run | null {
    const targets = [...new Set(requested)].filter((node) => node.value === null);
    if (targets.length === 0) return null;
    const plan = this.canonicalize(targets);
    const { order } = plan;
    this.learnFrom(plan);
    const program = this.programs.get(structureOf(order, targets));
    const outputs = [...targets];
    for (const index of program.learned) {
      const node = order[index];
      if (node.value === null && !outputs.includes(node)) outputs.push(node);
    }
    const variantKey = outputs.length === targets.length ? "" : [...program.learned].join(",");
    let executable = program.variants.get(variantKey);
    if (executable === undefined) {
      executable = this.backend.compile(copyGraph(order, outputs));
      program.variants.set(variantKey, executable);
      this.counters.programsCompiled++;
      this.tellOfRecompilation(plan);
    }
    this.lastExecutable = executable;
    this.counters.kernelsRun += executable.kernels;
    // Scalars are bound by position like inputs, so neither their values nor where data lies make a new program.
    const inputs: DeviceBuffer[] = [];
    const scalars: number[] = [];
    let youngest = 0;
    for (const node of order) {
      if (node.value !== null) inputs.push(this.bufferOf(node));
      else if (node.is("scalar")) scalars.push(node.attributes.value);
      youngest = Math.max(youngest, node.id);
    }
    const buffers = outputs.map((node) => this.allocateFor(node, plan));
    outputs.forEach((node, i) => {
      node.value = buffers[i];
    });
    this.last = { program, order, youngest };
    return { executable, inputs, scalars, outputs: buffers, nodes: outputs };
  }

  /** Orders the graph and checks that all it needs is still there. */
  private canonicalize(outputs: readonly Node[]): Plan {
    const order = depthFirstOrder(outputs, (node) => node.value !== null);
    for (const node of order) {
      if (node.value !== null || node.inputs.length > 0) continue;
      if (node.op === "state" || node.requiresGrad) throw new StaleTensorError(outputs[0], node);
    }
    return { order, outputs };
  }

  /** Notes which values of the last flush this one computes again only because they were not kept. */
  private learnFrom({ order, outputs }: Plan): void {
    const last = this.last;
    // Nodes made after the last flush were not in it, and a loop that reads nothing late has no others.
    if (last === null || !order.some(({ id, value }) => id <= last.youngest && value === null)) return;
    const position = new Map(last.order.map((node, i) => [node, i]));
    const keep = (node: Node): void => {
      const computedBefore = node.value === null && node.inputs.length > 0 && node.op !== "state";
      if (computedBefore && position.has(node)) last.program.learned.add(position.get(node)!);
    };
    for (const node of order) {
      if (node.value === null && !position.has(node)) node.inputs.forEach(keep);
    }
    outputs.forEach(keep);
  }

  /** A loop that compiles the same operations again and again with other numbers or sizes is told so, once. */
  private tellOfRecompilation({ order, outputs }: Plan): void {
    const operations = order.map(({ op, value }) => (value === null ? op : "in")).join();
    const seen = this.compiled.get(operations);
    const count = (seen?.count ?? 0) + 1;
    const lines = count < recompilationsToTell - 1 ? [] : describeStructure(order, outputs);
    // What was compiled last is at the end, and only so much is remembered.
    this.compiled.delete(operations);
    this.compiled.set(operations, { count, lines });
    if (this.compiled.size > programsKept) this.compiled.delete(this.compiled.keys().next().value!);
    if (count !== recompilationsToTell || order.length < longEnoughToTell) return;
    const before = seen!.lines;
    const at = before.findIndex((line, i) => line !== lines[i]);
    console.warn(
      `gradus: ${recompilationsToTell} programs of the same ${order.length} operations were compiled; ` +
        `the last two differ in "${before[at] ?? ""}" and "${lines[at] ?? ""}". ` +
        "A number that changes from step to step belongs into `gd.scalar(value)`; batches should keep one shape (`dropLast: true`).",
    );
  }

  private bufferOf(node: Node): DeviceBuffer {
    if (node.value instanceof HostData) {
      const buffer = this.allocate(node.value.array.byteLength);
      this.backend.write(buffer, node.value.array);
      node.value = buffer;
    }
    return this.checkDevice(node.value!);
  }

  /** Where an output goes: a new version of a variable takes the place of the version before the last. */
  private allocateFor(node: Node, plan: Plan): DeviceBuffer {
    if (node.op === "state") {
      const variable = node.source as Variable;
      const outdated = variable.previous;
      if (variable.node === node && outdated !== null && outdated.value !== null && !isIn(plan, outdated)) {
        const buffer = outdated.value as DeviceBuffer;
        outdated.value = null;
        variable.previous = null;
        return buffer;
      }
    }
    return this.allocate(sizeOf(node.shape) * dtypes[node.dtype].bytes);
  }
}

/** Whether a plan reads or computes a node. */
function isIn({ order }: Plan, node: Node): boolean {
  return order[node.position] === node;
}

/** The numbers as a dtype stores them: the array itself where it does so already. */
function convertTo(data: TypedArray, dtype: DType): TypedArray {
  // A bool is stored as 0 or 1.
  if (dtype === "bool") return Uint8Array.from(data, (value) => Number(value !== 0));
  const converted = createTypedArray(dtype, 0);
  if (converted.constructor === data.constructor) return data;
  const result = createTypedArray(dtype, data.length);
  result.set(data as Float32Array);
  return result;
}

/** A copy of a graph that holds no values: what a program may keep. */
function copyGraph(order: readonly Node[], outputs: readonly Node[]): ProgramGraph {
  const copies = new Map<Node, Node>();
  const inputs: Node[] = [];
  const scalars: Node<"scalar">[] = [];
  for (const node of order) {
    if (node.value !== null) {
      const input = leaf("data", { requiresGrad: false }, node.kind.type) as unknown as Node;
      inputs.push(input);
      copies.set(node, input);
    } else if (node.op === "state") {
      copies.set(node, copies.get(node.inputs[0])!);
    } else {
      const history = node.inputs.map((input) => copies.get(input)!);
      const copy = new Node(node.kind, history, node.attributes);
      if (copy.is("scalar")) scalars.push(copy);
      copies.set(node, copy);
    }
  }
  return { inputs, scalars, outputs: outputs.map((node) => copies.get(node)!) };
}

/** The engine that runs everything. */
export const engine = new Engine();
