// Programs as native code. A program's functions are compiled in units, several at once; functions that another program
// has already are not compiled again. A unit is a shared library, and goes when the last program that uses it has gone.

import { availableParallelism } from "node:os";
import type { Program, Target } from "../../../compiler/index.ts";
import { type Addresses, addressOrder, type Code, type CodeGenerator, ProgramFault } from "../code-generator.ts";
import type { Heap } from "../heap.ts";
import type { Compilation, NativeCompiler } from "./compiler.ts";
import { bases, emitProgram, type NativeStep } from "./emit.ts";
import type { Library, NativeRuntime, Pool, ProgramHandle } from "./runtime.ts";
import { abiHeader, vectorsHeader } from "./sources.ts";

export interface NativeParts {
  readonly heap: Heap;
  readonly threads: number;
  readonly runtime: NativeRuntime;
  readonly compiler: NativeCompiler;
  readonly target: Target;
}

/** Characters of C that are worth a compiler of their own. */
const unitSize = 24 * 1024;

/** Functions that are compiled together. */
interface Unit {
  readonly names: readonly string[];
  readonly compilation: Compilation;
  /** Its place among what is compiled together with it. */
  readonly index: number;
  library: Library | null;
  /** Programs that have functions of it. */
  users: number;
}

class NativeCode implements Code {
  /** What the runtime has of it, once its units are there. */
  linked: ProgramHandle | null = null;

  constructor(
    readonly steps: readonly NativeStep[],
    readonly units: ReadonlySet<Unit>,
    readonly bytes: number,
  ) {}
}

export class NativeGenerator implements CodeGenerator {
  readonly name = "native";
  readonly canBlock = true;
  readonly target: Target;
  readonly threads: number;
  private readonly heap: Heap;
  private readonly runtime: NativeRuntime;
  private readonly compiler: NativeCompiler;
  private readonly pool: Pool;
  private readonly prelude: string;
  private readonly functions = new Map<string, Unit>();

  constructor({ heap, threads, runtime, compiler, target }: NativeParts) {
    this.heap = heap;
    this.threads = threads;
    this.runtime = runtime;
    this.compiler = compiler;
    this.target = target;
    this.pool = runtime.createPool(threads);
    this.prelude = [`#define LANES ${target.lanes}\n#include <math.h>`, abiHeader(), vectorsHeader()].join("\n");
  }

  load(program: Program): NativeCode {
    const { functions, steps } = emitProgram(program);
    const unknown = [...functions].filter(([name]) => !this.functions.has(name));
    const groups = inGroups(unknown);
    const sources = groups.map((group) => [this.prelude, ...group.map(([, text]) => text)].join("\n"));
    const compilation = this.compiler.start(sources);
    groups.forEach((group, index) => {
      const unit: Unit = { names: group.map(([name]) => name), compilation, index, library: null, users: 0 };
      for (const name of unit.names) this.functions.set(name, unit);
    });
    const units = new Set([...functions.keys()].map((name) => this.functions.get(name)!));
    for (const unit of units) unit.users++;
    const bytes = [...functions.values()].reduce((sum, text) => sum + text.length, 0);
    return new NativeCode(steps, units, bytes);
  }

  isReady(code: Code): boolean {
    const native = code as NativeCode;
    if (native.linked !== null) return true;
    return [...native.units].every(({ library, compilation }) => library !== null || compilation.isDone());
  }

  unload(code: Code): void {
    const { linked, units } = code as NativeCode;
    if (linked !== null) this.runtime.destroyProgram(linked);
    for (const unit of units) {
      if (--unit.users > 0) continue;
      for (const name of unit.names) this.functions.delete(name);
      if (unit.library !== null) this.runtime.close(unit.library);
    }
  }

  runSync(code: Code, addresses: Addresses, parallel: boolean): void {
    const native = code as NativeCode;
    native.linked ??= this.link(native);
    const memories = addresses.length - addressOrder.scalars;
    const places = new Float64Array(memories + 1);
    places[bases.arena] = addresses[addressOrder.arena];
    places.set(addresses.subarray(addressOrder.scalars), bases.scalars);
    const done = this.runtime.run(
      this.pool,
      native.linked,
      this.heap.u8(0, this.heap.capacityBytes),
      places,
      addresses[addressOrder.scratch],
      addresses[addressOrder.scratchBytes],
      parallel,
    );
    if (!done) throw new ProgramFault("A program met an index that is out of range.");
  }

  async run(code: Code, addresses: Addresses, parallel: boolean): Promise<void> {
    this.runSync(code, addresses, parallel);
  }

  /** Waits for the code where it is not there, and makes of it what the runtime runs. */
  private link({ steps, units }: NativeCode): ProgramHandle {
    for (const unit of units) unit.library ??= this.runtime.open(unit.compilation.wait()[unit.index]);
    const count = steps.reduce((sum, { places }) => sum + places.length, 0);
    const table = new Float64Array(2 + 4 * steps.length + 2 * count);
    table[0] = steps.length;
    table[1] = count;
    let place = 0;
    steps.forEach(({ function: name, barrier, loops, places }, i) => {
      const { library } = this.functions.get(name)!;
      table.set([this.runtime.symbol(library!, name), Number(barrier), place, loops], 2 + 4 * i);
      for (const { base, offset } of places) table.set([base, offset], 2 + 4 * steps.length + 2 * place++);
    });
    return this.runtime.createProgram(table);
  }

  async dispose(): Promise<void> {
    this.runtime.destroyPool(this.pool);
    for (const unit of this.functions.values()) {
      if (unit.library !== null) this.runtime.close(unit.library);
      unit.library = null;
    }
    this.functions.clear();
  }
}

/** Functions in groups of about equal size, in their order: as many as there are cores, more where there is much. */
function inGroups(functions: readonly [string, string][]): [string, string][][] {
  const total = functions.reduce((sum, [, text]) => sum + text.length, 0);
  const wanted = Math.max(Math.min(availableParallelism(), Math.ceil(total / 4096)), Math.ceil(total / unitSize));
  const groups: [string, string][][] = [];
  let filled = 0;
  for (const entry of functions) {
    const group = Math.min(wanted - 1, Math.floor((filled * wanted) / Math.max(1, total)));
    filled += entry[1].length;
    (groups[group] ??= []).push(entry);
  }
  return groups.filter((group) => group !== undefined);
}
