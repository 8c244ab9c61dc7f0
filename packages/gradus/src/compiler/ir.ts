// The loop IR: what kernels are lowered to and every emitter prints. Loops over variables, loads and stores through
// index expressions, arithmetic on scalars and vectors, and mutable registers as accumulators. Nothing in it knows
// WebAssembly, C or WGSL: vectors have as many lanes as the target said.

import type { DType } from "../graph/index.ts";
import { Index, type LoopVariable, variablesOf } from "./index-expression.ts";

/** What a register holds. A bool vector is a mask; uint8 is computed with as i32. */
export type Kind = "f32" | "f64" | "i32" | "bool";

export const kindOf: { readonly [D in DType]: Kind } = {
  float32: "f32",
  float64: "f64",
  int32: "i32",
  uint8: "i32",
  bool: "bool",
};

/** Memory that a program reads or writes: a program's input or output, a place in the arena, or a thread's own scratch. */
export interface BufferReference {
  readonly name: string;
  readonly dtype: DType;
  readonly elements: number;
  readonly space: "input" | "output" | "scalars" | "arena" | "scratch";
}

export type UnaryPrimitive = "neg" | "abs" | "sqrt" | "floor" | "ceil" | "nearest" | "trunc" | "not";
export type BinaryPrimitive =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "min"
  | "max"
  /** The first operand unless the second limits it; a NaN in the first stays, and costs nothing to keep. */
  | "atLeast"
  | "atMost"
  | "and"
  | "or"
  | "xor"
  | "shiftLeft"
  | "shiftRight"
  | "shiftRightUnsigned"
  /** i32: the high word of the unsigned product; the remainder that truncates. */
  | "multiplyHigh"
  | "remainder";
export type ComparePrimitive = "eq" | "ne" | "lt" | "le";
/** Functions of float64 that the platform's mathematics library has. */
export type LibraryFunction = "exp" | "expm1" | "log" | "log1p" | "sin" | "cos" | "tanh" | "erf" | "pow";

type Operation =
  | { readonly op: "constant"; readonly values: readonly number[] }
  | { readonly op: "index"; readonly index: Index }
  | { readonly op: "load"; readonly buffer: BufferReference; readonly index: Index; readonly guard: Expression | null }
  /** A load of every lane from an element of its own, of those lanes where the guard holds; 0 elsewhere. */
  | {
      readonly op: "gather";
      readonly buffer: BufferReference;
      readonly at: Expression;
      readonly guard: Expression | null;
    }
  | { readonly op: "read"; readonly register: Register }
  | { readonly op: "unary"; readonly fn: UnaryPrimitive; readonly x: Expression }
  | { readonly op: "binary"; readonly fn: BinaryPrimitive; readonly a: Expression; readonly b: Expression }
  | { readonly op: "compare"; readonly fn: ComparePrimitive; readonly a: Expression; readonly b: Expression }
  | { readonly op: "select"; readonly condition: Expression; readonly a: Expression; readonly b: Expression }
  /** a * b + c, rounded once where the target can. */
  | { readonly op: "fma"; readonly a: Expression; readonly b: Expression; readonly c: Expression }
  | { readonly op: "convert"; readonly x: Expression }
  | { readonly op: "bitcast"; readonly x: Expression }
  | { readonly op: "call"; readonly fn: LibraryFunction; readonly args: readonly Expression[] }
  | { readonly op: "splat"; readonly x: Expression }
  | { readonly op: "gatherLanes"; readonly elements: readonly Expression[] }
  /** Lanes of two vectors: those of the first are numbered from 0, those of the second follow. */
  | { readonly op: "shuffle"; readonly a: Expression; readonly b: Expression; readonly pattern: readonly number[] }
  /** An i32 that must lie in [0, limit): elsewhere the program ends with a fault instead of touching foreign memory. */
  | { readonly op: "checked"; readonly x: Expression; readonly limit: number }
  | { readonly op: "lane"; readonly x: Expression; readonly lane: number }
  /** What scheduling makes of indices: a loop variable, the place of a buffer, a load from an address. */
  | { readonly op: "variable"; readonly variable: LoopVariable }
  | { readonly op: "base"; readonly buffer: BufferReference }
  | {
      readonly op: "fetch";
      readonly buffer: BufferReference;
      readonly address: Expression;
      readonly offset: number;
      readonly guard: Expression | null;
    }
  /** Like select, but the condition is one number, and only the chosen side is computed. */
  | { readonly op: "choose"; readonly condition: Expression; readonly a: Expression; readonly b: Expression };

let nextId = 0;

/** A value. Expressions are shared, not copied; equal ones built by one `Builder` are one object. */
export class Expression {
  readonly id = nextId++;
  readonly variables: ReadonlySet<LoopVariable>;
  /** Registers it reads: its value changes when they do. */
  readonly registers: ReadonlySet<Register>;

  constructor(
    readonly node: Operation,
    readonly kind: Kind,
    readonly lanes: number,
  ) {
    let variables: ReadonlySet<LoopVariable> = none;
    let registers: ReadonlySet<Register> = none;
    for (const operand of operandsOf(node)) {
      variables = union(variables, operand.variables);
      registers = union(registers, operand.registers);
    }
    if (node.op === "index" || node.op === "load") variables = union(variables, variablesOf(node.index));
    if (node.op === "read") registers = new Set([node.register]);
    if (node.op === "variable") variables = new Set([node.variable]);
    this.variables = variables;
    this.registers = registers;
  }
}

const none: ReadonlySet<never> = new Set<never>();

/** Most expressions have the variables of one of their operands: then it is that operand's set. */
function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> {
  if (a === b || b.size === 0) return a;
  if (a.size === 0) return b;
  const [larger, smaller] = a.size >= b.size ? [a, b] : [b, a];
  let result: Set<T> | null = null;
  for (const element of smaller) {
    if (larger.has(element)) continue;
    result ??= new Set(larger);
    result.add(element);
  }
  return result ?? larger;
}

/** A mutable register: an accumulator. */
export class Register {
  constructor(
    readonly name: string,
    readonly kind: Kind,
    readonly lanes: number,
  ) {}
}

/** Run-time values within an index. */
export function valuesIn(index: Index): Expression[] {
  return index.terms.flatMap(({ atom }) => {
    if (atom.kind === "value") return [atom.value];
    return atom.kind === "variable" ? [] : valuesIn(atom.of);
  });
}

export function operandsOf(node: Operation): readonly Expression[] {
  switch (node.op) {
    case "constant":
    case "read":
    case "variable":
    case "base":
      return [];
    case "fetch":
      return node.guard === null ? [node.address] : [node.address, node.guard];
    case "gather":
      return node.guard === null ? [node.at] : [node.at, node.guard];
    case "index":
      return valuesIn(node.index);
    case "load":
      return node.guard === null ? valuesIn(node.index) : [...valuesIn(node.index), node.guard];
    case "unary":
    case "convert":
    case "bitcast":
    case "splat":
    case "checked":
    case "lane":
      return [node.x];
    case "binary":
    case "compare":
    case "shuffle":
      return [node.a, node.b];
    case "select":
    case "choose":
      return [node.condition, node.a, node.b];
    case "fma":
      return [node.a, node.b, node.c];
    case "call":
      return node.args;
    case "gatherLanes":
      return node.elements;
  }
}

/** The indices of what is loaded, and those that are values, in expressions and what they are made of. */
export function indicesOf(values: readonly Expression[]): Index[] {
  return [...expressionsIn(values)].flatMap(({ node }) =>
    node.op === "index" || node.op === "load" ? [node.index] : [],
  );
}

export type Statement =
  | {
      readonly op: "for";
      readonly variable: LoopVariable;
      /** From `from` up to but excluding `to`, which need not be a multiple of `step` away. */
      readonly from: Index;
      readonly to: Index;
      readonly step: number;
      /** Whether the iterations may be shared among threads; `cost` estimates the whole loop's arithmetic. */
      readonly parallel: boolean;
      readonly cost: number;
      readonly body: readonly Statement[];
    }
  | { readonly op: "assign"; readonly register: Register; readonly value: Expression }
  /** Of a vector all lanes are stored, or the first `count`, which may be less than 0 or more than there are. */
  | {
      readonly op: "store";
      readonly buffer: BufferReference;
      readonly index: Index;
      readonly value: Expression;
      readonly count?: Expression;
    }
  /** A store of every lane, or of the first `count`, to an element of its own. */
  | {
      readonly op: "scatter";
      readonly buffer: BufferReference;
      readonly at: Expression;
      readonly value: Expression;
      readonly count?: Expression;
    }
  /** A store to an address: what scheduling makes of a store. */
  | {
      readonly op: "put";
      readonly buffer: BufferReference;
      readonly address: Expression;
      readonly offset: number;
      readonly value: Expression;
      readonly count?: Expression;
    }
  | {
      readonly op: "if";
      readonly condition: Expression;
      readonly whenTrue: readonly Statement[];
      readonly whenFalse: readonly Statement[];
    };

/** The statements right within a statement. */
export function bodyOf(statement: Statement): readonly Statement[] {
  if (statement.op === "for") return statement.body;
  return statement.op === "if" ? [...statement.whenTrue, ...statement.whenFalse] : [];
}

/** The expressions a statement computes itself. */
export function valuesOf(statement: Statement): readonly Expression[] {
  switch (statement.op) {
    case "for":
      return [statement.from, statement.to].flatMap(valuesIn);
    case "if":
      return [statement.condition];
    case "put":
      return [statement.address, statement.value, ...counted(statement)];
    case "assign":
      return [statement.value];
    case "store":
      return [statement.value, ...counted(statement)];
    case "scatter":
      return [statement.at, statement.value, ...counted(statement)];
  }
}

const counted = ({ count }: { readonly count?: Expression }): Expression[] => (count === undefined ? [] : [count]);

/** What values are made of, each expression once. */
export function expressionsIn(values: readonly Expression[]): Set<Expression> {
  const seen = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (seen.has(expression)) return;
    seen.add(expression);
    operandsOf(expression.node).forEach(visit);
  };
  values.forEach(visit);
  return seen;
}

/** Loops that are independent of each other: no thread waits for another within a kernel's section. */
export interface LoopNest {
  readonly body: readonly Statement[];
}

/** One kernel: its phases run one after another with a barrier between them. */
export interface LoweredKernel {
  readonly name: string;
  readonly phases: readonly LoopNest[];
  /** Bytes of scratch memory that each thread needs. */
  readonly scratchBytes: number;
  /** Multiply-adds of its contractions. */
  readonly multiplyAdds: number;
}

export function loop(
  variable: LoopVariable,
  body: readonly Statement[],
  options: { from?: Index; to?: Index; step?: number; parallel?: boolean; cost?: number } = {},
): Statement {
  const {
    from = Index.constant(0),
    to = Index.constant(variable.extent),
    step = 1,
    parallel = false,
    cost = 0,
  } = options;
  return { op: "for", variable, from, to, step, parallel, cost, body };
}
