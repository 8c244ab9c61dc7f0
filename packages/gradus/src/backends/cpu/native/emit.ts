// Pass 5, emit, as C: every phase of a kernel is a function over the buffers it touches, and a program a list of such
// functions with the places of their buffers. What a function is called follows from its text, in which registers, loops
// and buffers have names of their own: kernels alike but for where their data lie are compiled once.

import { createHash } from "node:crypto";
import type { Expression, LoopNest, Program, Register, Statement } from "../../../compiler/index.ts";
import type { LoopVariable } from "../../../compiler/index-expression.ts";
import { type BufferReference, bodyOf } from "../../../compiler/ir.ts";
import type { DType } from "../../../graph/index.ts";
import { ExpressionWriter, typeOf } from "./emit-expression.ts";

/** Where a buffer lies: in which of a program's memories, and at which byte of it. */
export interface Place {
  readonly base: number;
  readonly offset: number;
}

/** The memories of a program, in this order: arena, scalars, inputs, outputs. */
export const bases = { arena: 0, scalars: 1, buffers: 2 } as const;

/** A call of a function, after all threads have met where `barrier` says so. */
export interface NativeStep {
  readonly function: string;
  readonly barrier: boolean;
  /** Loops in it that threads share. */
  readonly loops: number;
  readonly places: readonly Place[];
}

export interface NativeProgram {
  /** C definitions by name. */
  readonly functions: ReadonlyMap<string, string>;
  readonly steps: readonly NativeStep[];
}

export function emitProgram(program: Program): NativeProgram {
  const functions = new Map<string, string>();
  const steps: NativeStep[] = [];
  const written = new Map<LoopNest, Written & { readonly name: string }>();
  const write = (phase: LoopNest): Written & { readonly name: string } => {
    const { body, buffers, loops } = new PhaseWriter().write(phase);
    const name = `phase_${createHash("sha256").update(body).digest("hex").slice(0, 24)}`;
    functions.set(name, `void ${name}(const struct gradus_call *call) {\n${body}}\n`);
    return { name, body, buffers, loops };
  };
  program.kernels.forEach((kernel, i) => {
    kernel.phases.forEach((phase, j) => {
      const known = written.get(phase) ?? write(phase);
      written.set(phase, known);
      const places = known.buffers.map((buffer) => placeOf(kernel.buffers.get(buffer) ?? buffer, program));
      steps.push({ function: known.name, barrier: j > 0 || program.plan.barriers[i], loops: known.loops, places });
    });
  });
  return { functions, steps };
}

function placeOf(buffer: BufferReference, { inputs, outputs, plan }: Program): Place {
  switch (buffer.space) {
    case "arena":
      return { base: bases.arena, offset: plan.offsets.get(buffer)! };
    case "scalars":
      return { base: bases.scalars, offset: Number(buffer.name.slice("scalar".length)) * 8 };
    case "input":
      return { base: bases.buffers + inputs.indexOf(buffer), offset: 0 };
    case "output":
      return { base: bases.buffers + inputs.length + outputs.indexOf(buffer), offset: 0 };
    case "scratch":
      throw new Error("internal: scratch memory is a thread's, not a program's");
  }
}

const elementType: { readonly [D in DType]: string } = {
  float32: "float",
  float64: "double",
  int32: "int32_t",
  uint8: "uint8_t",
  bool: "uint8_t",
};

type Loop = Extract<Statement, { op: "for" }>;

const hasLoop = (statement: Statement): boolean => statement.op === "for" || bodyOf(statement).some(hasLoop);

interface Written {
  readonly body: string;
  /** In the order in which the body numbers them. */
  readonly buffers: readonly BufferReference[];
  readonly loops: number;
}

class PhaseWriter {
  private loops = 0;
  private counters = 0;
  private readonly registers = new Map<Register, string>();
  private readonly variables = new Map<LoopVariable, string>();
  private readonly buffers = new Map<string, { readonly name: string; readonly buffer: BufferReference }>();
  private readonly scratch = new Map<string, string>();
  private readonly lines: string[] = [];
  private readonly expressions = new ExpressionWriter({
    register: (register) => this.registerName(register),
    variable: (variable) => this.variables.get(variable)!,
    buffer: (buffer) => this.bufferName(buffer),
  });

  write(phase: LoopNest): Written {
    for (const statement of phase.body) {
      if (statement.op === "assign") this.statement(statement, "  ");
      else if (statement.op === "for" && statement.parallel) this.loop(statement, "  ");
      else this.block("  if (call->thread == 0) {", [statement], "  ");
    }
    const named = [...this.buffers.values()];
    const declarations = [
      ...named.map(({ name, buffer: { dtype } }, i) => {
        const address = `call->bases[call->places[${i}].base] + call->places[${i}].offset`;
        return `  ${elementType[dtype]} *const ${name} = (${elementType[dtype]} *)(${address});`;
      }),
      ...[...this.scratch].map(([type, name]) => `  ${type} *const ${name} = (${type} *)call->scratch;`),
      ...[...this.registers].map(([{ kind, lanes }, name]) => `  ${typeOf(kind, lanes)} ${name};`),
    ];
    const body = `${[...declarations, ...this.lines].join("\n")}\n`;
    return { body, buffers: named.map(({ buffer }) => buffer), loops: this.loops };
  }

  private registerName(register: Register): string {
    let name = this.registers.get(register);
    if (name === undefined) {
      name = `r${this.registers.size}`;
      this.registers.set(register, name);
    }
    return name;
  }

  private bufferName(buffer: BufferReference): string {
    if (buffer.space === "scratch") {
      const type = elementType[buffer.dtype];
      this.scratch.set(type, `own_${type}`);
      return `own_${type}`;
    }
    let known = this.buffers.get(buffer.name);
    if (known === undefined) {
      known = { name: `b${this.buffers.size}`, buffer };
      this.buffers.set(buffer.name, known);
    }
    return known.name;
  }

  private block(opening: string, body: readonly Statement[], indent: string): void {
    this.lines.push(opening);
    if (body.some(hasLoop)) this.lines.push(`${indent}  AS_WRITTEN;`);
    for (const statement of body) this.statement(statement, `${indent}  `);
    this.lines.push(`${indent}}`);
  }

  private statement(statement: Statement, indent: string): void {
    switch (statement.op) {
      case "assign":
        this.lines.push(
          `${indent}${this.registerName(statement.register)} = ${this.expressions.write(statement.value)};`,
        );
        return;
      case "put":
        this.lines.push(indent + this.expressions.store(statement));
        return;
      case "scatter":
        this.lines.push(indent + this.expressions.scatter(statement));
        return;
      case "if":
        this.block(`${indent}if (${this.expressions.write(statement.condition)}) {`, statement.whenTrue, indent);
        if (statement.whenFalse.length > 0) this.block(`${indent}else {`, statement.whenFalse, indent);
        return;
      case "for":
        this.loop(statement, indent);
        return;
      case "store":
        throw new Error("internal: a store that was not scheduled reached the emitter");
    }
  }

  private loop(statement: Loop, indent: string): void {
    const { variable, from, to, step, parallel, body } = statement;
    // Loops over one variable may stand beside each other and within others: each has a name of its own.
    const name = `i${this.counters++}`;
    this.variables.set(variable, name);
    const [start, end] = [this.bound(from), this.bound(to)];
    if (!parallel) {
      const simple = /^\d+$/.test(end);
      const limit = simple ? end : `${name}_end`;
      const declared = simple ? `${name} = ${start}` : `${name} = ${start}, ${limit} = ${end}`;
      this.block(`${indent}for (int32_t ${declared}; ${name} < ${limit}; ${name} += ${step}) {`, body, indent);
      return;
    }
    const loop = this.loops++;
    this.lines.push(
      `${indent}struct shared_loop shared${loop} = share(call, ${loop}, ${start}, ${end}, ${step});`,
      `${indent}for (int32_t ${name}, ${name}_end; next_piece(&shared${loop}, &${name}, &${name}_end);) {`,
    );
    this.block(`${indent}  for (; ${name} < ${name}_end; ${name} += ${step}) {`, body, `${indent}  `);
    this.lines.push(`${indent}}`);
  }

  private bound(index: Loop["from"]): string {
    const [term] = index.terms;
    if (term === undefined) return String(index.constant);
    if (term.atom.kind === "value") return this.expressions.write(term.atom.value as Expression);
    throw new Error("internal: a loop bound that was not scheduled reached the emitter");
  }
}
