// Pass 5, emit: a program's loops as one WebAssembly module. Every phase of a kernel is a function; `run` calls them in
// order with barriers between, on every thread with its own number.
//
// Addresses lie in memory as 32-bit words, in the order that code-generator.ts gives.

import type { Expression, LoopNest, Program, ProgramKernel, Register, Statement } from "../../../compiler/index.ts";
import type { LoopVariable } from "../../../compiler/index-expression.ts";
import { type BufferReference, bodyOf, operandsOf, valuesOf } from "../../../compiler/ir.ts";
import { addressOrder } from "../code-generator.ts";
import { type FunctionBuilder, ModuleBuilder, type ValueType } from "./assembler.ts";
import { emitBarrier } from "./barrier.ts";
import { ExpressionEmitter } from "./emit-expression.ts";

export interface EmitOptions {
  readonly memory: { readonly initial: number; readonly maximum: number; readonly shared: boolean };
  readonly relaxedSimd: boolean;
  readonly threads: number;
}

export function emitModule(program: Program, options: EmitOptions): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const { initial, maximum, shared } = options.memory;
  module.importMemory("env", "memory", { initial, maximum, shared });
  const libraryFunctions = importLibrary(module, program);
  const barrier = shared && options.threads > 1 ? emitBarrier(module) : null;
  const run = module.defineFunction({ params: ["i32", "i32", "i32"], results: [] }, "run");
  const meet = (): void => {
    if (barrier !== null) run.get(1).call(barrier.index).if().op("return").end();
  };
  program.kernels.forEach((kernel, i) => {
    if (program.plan.barriers[i]) meet();
    kernel.phases.forEach((phase, j) => {
      if (j > 0) meet();
      const name = `${kernel.name}.${j}`;
      const phaseFunction = module.defineFunction({ params: ["i32", "i32", "i32"], results: [] }, name);
      new PhaseEmitter(module, phaseFunction, name, program, kernel.buffers, libraryFunctions, options).emit(phase);
      run.get(0).get(1).get(2).call(phaseFunction.index);
    });
  });
  module.exportFunction("run", run);
  return module.finish();
}

/** Imports the functions of the mathematics library that the program calls. */
function importLibrary(module: ModuleBuilder, program: Program): ReadonlyMap<string, number> {
  const imports = new Map<string, number>();
  const visitExpression = ({ node }: Expression): void => {
    if (node.op === "call" && !imports.has(node.fn)) {
      const params = node.args.map((): ValueType => "f64");
      imports.set(node.fn, module.importFunction("math", node.fn, { params, results: ["f64"] }));
    }
    operandsOf(node).forEach(visitExpression);
  };
  const visit = (statement: Statement): void => {
    valuesOf(statement).forEach(visitExpression);
    bodyOf(statement).forEach(visit);
  };
  for (const kernel of program.kernels) for (const phase of kernel.phases) phase.body.forEach(visit);
  return imports;
}

const thread = 0;
const threads = 1;
const parameters = 2;

export function valueTypeOf(kind: Expression["kind"], lanes: number): ValueType {
  if (lanes > 1) return "v128";
  return kind === "bool" ? "i32" : kind;
}

type Loop = Extract<Statement, { op: "for" }>;

/** Calls into which a thread's share of a loop is divided. */
const callsPerLoop = 64;

class PhaseEmitter {
  private readonly registers = new Map<Register, number>();
  private readonly variables = new Map<LoopVariable, number>();
  private readonly bases = new Map<string, number>();
  private readonly expressions: ExpressionEmitter;

  constructor(
    private readonly module: ModuleBuilder,
    private readonly code: FunctionBuilder,
    private readonly name: string,
    private readonly program: Program,
    private readonly buffers: ProgramKernel["buffers"],
    private readonly library: ReadonlyMap<string, number>,
    private readonly options: EmitOptions,
  ) {
    this.expressions = new ExpressionEmitter(code, {
      register: (register) => this.registerLocal(register),
      variable: (variable) => this.variables.get(variable)!,
      base: (buffer) => this.baseLocal(buffer),
      library,
      relaxedSimd: options.relaxedSimd,
    });
  }

  emit(phase: LoopNest): void {
    this.loadBases(phase);
    const assigns: Statement[] = [];
    for (const statement of phase.body) {
      if (statement.op === "assign") {
        assigns.push(statement);
        this.statement(statement);
      } else if (statement.op === "for" && statement.parallel) {
        this.sharedLoop(phase, assigns, statement);
      } else {
        this.code.get(thread).op("i32.eqz").if();
        this.statement(statement);
        this.code.end();
      }
    }
  }

  /**
   * A loop shared among threads. Its body is a function over a range of iterations, called several times: so an engine
   * that compiles twice can go over to the better code before the loop has ended.
   */
  private sharedLoop(phase: LoopNest, assigns: readonly Statement[], statement: Loop): void {
    const { module, code, name, program, buffers, library, options } = this;
    const range = module.defineFunction({ params: ["i32", "i32", "i32", "i32", "i32"], results: [] }, `${name}.range`);
    new PhaseEmitter(module, range, name, program, buffers, library, options).emitRange(phase, assigns, statement);
    const counter = code.local("i32");
    const end = code.local("i32");
    const chunk = code.local("i32");
    const stop = code.local("i32");
    const { step } = statement;
    this.bound(statement.from);
    code.set(counter);
    this.bound(statement.to);
    code.set(end);
    this.takeShare(counter, end, step);
    // Whole steps, at least one.
    code
      .get(end)
      .get(counter)
      .op("i32.sub")
      .i32(callsPerLoop * step)
      .op("i32.div_s")
      .i32(1)
      .op("i32.add");
    code.i32(step).op("i32.mul").set(chunk);
    code.block().get(counter).get(end).op("i32.ge_s").brIf(0).loop();
    code.get(counter).get(chunk).op("i32.add").tee(stop).get(end).get(stop).get(end).op("i32.lt_s").op("select");
    code.set(stop);
    code.get(thread).get(threads).get(parameters).get(counter).get(stop).call(range.index);
    code.get(stop).tee(counter).get(end).op("i32.lt_s").brIf(0).end().end();
  }

  /** Iterations from the fourth parameter to the fifth. */
  private emitRange(phase: LoopNest, assigns: readonly Statement[], statement: Loop): void {
    this.loadBases(phase);
    for (const assign of assigns) this.statement(assign);
    const [counter, end] = [3, 4];
    this.variables.set(statement.variable, counter);
    this.iterate(counter, end, statement);
  }

  private registerLocal(register: Register): number {
    let local = this.registers.get(register);
    if (local === undefined) {
      local = this.code.local(valueTypeOf(register.kind, register.lanes));
      this.registers.set(register, local);
    }
    return local;
  }

  private baseLocal(buffer: BufferReference): number {
    return this.bases.get(baseKey(buffer))!;
  }

  /** The addresses of all buffers the phase touches, read once at its beginning. */
  private loadBases(phase: LoopNest): void {
    const { code, program } = this;
    const { inputs, outputs, plan } = program;
    for (const named of buffersIn(phase)) {
      const key = baseKey(named);
      const buffer = this.buffers.get(named) ?? named;
      if (this.bases.has(key)) continue;
      const local = code.local("i32");
      this.bases.set(key, local);
      const word = (index: number): FunctionBuilder => code.get(parameters).memory("i32.load", index * 4);
      switch (buffer.space) {
        case "arena":
          word(addressOrder.arena).i32(plan.offsets.get(buffer)!).op("i32.add");
          break;
        case "scratch":
          word(addressOrder.scratch);
          word(addressOrder.scratchBytes).get(thread).op("i32.mul").op("i32.add");
          break;
        case "scalars":
          word(addressOrder.scalars)
            .i32(Number(buffer.name.slice("scalar".length)) * 8)
            .op("i32.add");
          break;
        case "input":
          word(addressOrder.buffers + inputs.indexOf(buffer));
          break;
        case "output":
          word(addressOrder.buffers + inputs.length + outputs.indexOf(buffer));
          break;
      }
      code.set(local);
    }
  }

  private statement(statement: Statement): void {
    switch (statement.op) {
      case "assign":
        this.expressions.emit(statement.value);
        this.code.set(this.registerLocal(statement.register));
        return;
      case "put":
        this.expressions.store(statement);
        return;
      case "if":
        this.expressions.emit(statement.condition);
        this.code.if();
        for (const inner of statement.whenTrue) this.statement(inner);
        if (statement.whenFalse.length > 0) {
          this.code.else();
          for (const inner of statement.whenFalse) this.statement(inner);
        }
        this.code.end();
        return;
      case "for":
        this.loop(statement);
        return;
      case "store":
        throw new Error("internal: a store that was not scheduled reached the emitter");
      case "scatter":
        throw new Error("internal: a scatter is for targets with full vectors");
    }
  }

  private loop(statement: Loop): void {
    const { code } = this;
    const { variable, from, to } = statement;
    const counter = code.local("i32");
    const end = code.local("i32");
    this.variables.set(variable, counter);
    this.bound(from);
    code.set(counter);
    this.bound(to);
    code.set(end);
    this.iterate(counter, end, statement);
  }

  private iterate(counter: number, end: number, { step, body }: Loop): void {
    const { code } = this;
    code.block();
    code.get(counter).get(end).op("i32.ge_s").brIf(0);
    code.loop();
    for (const inner of body) this.statement(inner);
    code.get(counter).i32(step).op("i32.add").tee(counter).get(end).op("i32.lt_s").brIf(0);
    code.end().end();
  }

  private bound(index: Loop["from"]): void {
    const [term] = index.terms;
    if (term === undefined) this.code.i32(index.constant);
    else if (term.atom.kind === "value") this.expressions.emit(term.atom.value);
    else throw new Error("internal: a loop bound that was not scheduled reached the emitter");
  }

  /** Of n steps from `counter` to `end`, thread t of T takes those from n t / T to n (t + 1) / T. */
  private takeShare(counter: number, end: number, step: number): void {
    const { code } = this;
    const start = code.local("i32");
    const steps = code.local("i32");
    code.get(counter).set(start);
    code
      .get(end)
      .get(counter)
      .op("i32.sub")
      .i32(step - 1)
      .op("i32.add")
      .i32(step)
      .op("i32.div_s")
      .set(steps);
    const share = (number: () => FunctionBuilder): void => {
      number();
      code.op("i64.extend_i32_u").get(steps).op("i64.extend_i32_u").op("i64.mul");
      code.get(threads).op("i64.extend_i32_u").op("i64.div_u").op("i32.wrap_i64");
      code.i32(step).op("i32.mul").get(start).op("i32.add");
    };
    // Where there are no steps the bounds cross and the loop does not run.
    code.get(steps).i32(0).op("i32.gt_s").if();
    const limit = code.local("i32");
    share(() => code.get(thread).i32(1).op("i32.add"));
    code.set(limit);
    share(() => code.get(thread));
    code.set(counter);
    code.get(limit).get(end).get(limit).get(end).op("i32.lt_s").op("select").set(end);
    code.end();
  }
}

const baseKey = (buffer: BufferReference): string => (buffer.space === "scratch" ? "scratch" : buffer.name);

function buffersIn(phase: LoopNest): Set<BufferReference> {
  const found = new Set<BufferReference>();
  const visitExpression = ({ node }: Expression): void => {
    if (node.op === "fetch" || node.op === "base") found.add(node.buffer);
    operandsOf(node).forEach(visitExpression);
  };
  const visit = (statement: Statement): void => {
    for (const value of valuesOf(statement)) visitExpression(value);
    if (statement.op === "put") found.add(statement.buffer);
    for (const inner of bodyOf(statement)) visit(inner);
  };
  phase.body.forEach(visit);
  return found;
}
