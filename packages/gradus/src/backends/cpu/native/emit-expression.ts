// Expressions as C, in the vocabulary of vectors.h: one table for single numbers and one for vectors.

import type { Expression, Register, Statement } from "../../../compiler/index.ts";
import type { LoopVariable } from "../../../compiler/index-expression.ts";
import type { BinaryPrimitive, BufferReference, ComparePrimitive, Kind, UnaryPrimitive } from "../../../compiler/ir.ts";

/** What the names of things are in the function that is being written. */
export interface Names {
  readonly register: (register: Register) => string;
  readonly variable: (variable: LoopVariable) => string;
  readonly buffer: (buffer: BufferReference) => string;
}

type Form = (...operands: string[]) => string;
type ByKind = { readonly [K in Kind]?: Form };

const call =
  (name: string): Form =>
  (...operands) =>
    `${name}(${operands.join(", ")})`;
const infix =
  (operator: string): Form =>
  (a, b) =>
    `(${a} ${operator} ${b})`;
const prefix =
  (operator: string): Form =>
  (x) =>
    `(${operator}${x})`;

const scalarUnary: { readonly [F in UnaryPrimitive]: ByKind } = {
  neg: { f32: prefix("-"), f64: prefix("-"), i32: prefix("-") },
  abs: { f32: call("__builtin_fabsf"), f64: call("__builtin_fabs"), i32: call("abs_int") },
  sqrt: { f32: call("__builtin_sqrtf"), f64: call("__builtin_sqrt") },
  floor: { f32: call("__builtin_floorf"), f64: call("__builtin_floor") },
  ceil: { f32: call("__builtin_ceilf"), f64: call("__builtin_ceil") },
  nearest: { f32: call("__builtin_rintf"), f64: call("__builtin_rint") },
  trunc: { f32: call("__builtin_truncf"), f64: call("__builtin_trunc") },
  not: { bool: prefix("!") },
};

const vectorUnary: { readonly [F in UnaryPrimitive]: ByKind } = {
  neg: { f32: prefix("-"), i32: prefix("-") },
  abs: { f32: call("abs_vfloat"), i32: call("abs_vint") },
  sqrt: { f32: call("sqrt_vfloat") },
  floor: { f32: call("floor_vfloat") },
  ceil: { f32: call("ceil_vfloat") },
  nearest: { f32: call("nearest_vfloat") },
  trunc: { f32: call("trunc_vfloat") },
  not: { bool: prefix("~") },
};

/** Arithmetic that C writes alike for single numbers and vectors. */
const arithmetic = (operator: string): ByKind => ({
  f32: infix(operator),
  f64: infix(operator),
  i32: infix(operator),
});
const bitwise = (operator: string): ByKind => ({ i32: infix(operator), bool: infix(operator) });
/** A count of bits that are shifted by is taken modulo 32. */
const shift = (write: (x: string, count: string) => string): ByKind => ({
  i32: (x, count) => write(x, `(${count} & 31)`),
});

const scalarBinary: { readonly [F in BinaryPrimitive]: ByKind } = {
  add: arithmetic("+"),
  sub: arithmetic("-"),
  mul: arithmetic("*"),
  div: { ...arithmetic("/"), i32: call("divide_int") },
  min: { f32: call("min_float"), f64: call("min_double"), i32: call("min_int") },
  max: { f32: call("max_float"), f64: call("max_double"), i32: call("max_int") },
  atLeast: { f32: call("at_least_float"), f64: call("at_least_double") },
  atMost: { f32: call("at_most_float"), f64: call("at_most_double") },
  and: bitwise("&"),
  or: bitwise("|"),
  xor: bitwise("^"),
  shiftLeft: shift((x, count) => `(int32_t)((uint32_t)${x} << ${count})`),
  shiftRight: shift((x, count) => `(${x} >> ${count})`),
  shiftRightUnsigned: shift((x, count) => `(int32_t)((uint32_t)${x} >> ${count})`),
  multiplyHigh: { i32: call("multiply_high_int") },
  remainder: { i32: call("remainder_int") },
};

const vectorBinary: { readonly [F in BinaryPrimitive]: ByKind } = {
  ...scalarBinary,
  min: { f32: call("min_vfloat"), i32: call("min_vint") },
  max: { f32: call("max_vfloat"), i32: call("max_vint") },
  atLeast: { f32: call("at_least_vfloat") },
  atMost: { f32: call("at_most_vfloat") },
  shiftLeft: shift((x, count) => `(vint)((vuint)${x} << ${count})`),
  shiftRight: shift((x, count) => `(${x} >> ${count})`),
  shiftRightUnsigned: shift((x, count) => `(vint)((vuint)${x} >> ${count})`),
  multiplyHigh: { i32: call("multiply_high_vint") },
  div: { ...arithmetic("/"), i32: call("divide_vint") },
  remainder: { i32: call("remainder_vint") },
};

const compareOperator: { readonly [F in ComparePrimitive]: string } = { eq: "==", ne: "!=", lt: "<", le: "<=" };

/** C's names of registers' types, by kind. A mask of lanes is a vector of integers, 0 or -1. */
export function typeOf(kind: Kind, lanes: number): string {
  if (lanes > 1) return kind === "f32" ? "vfloat" : "vint";
  return kind === "f32" ? "float" : kind === "f64" ? "double" : "int32_t";
}

/** From a kind to another, of single numbers. */
const scalarConvert: { readonly [From in Kind]: ByKind } = {
  f32: { f64: prefix("(double)"), i32: call("int_float"), bool: (x) => `(${x} != 0)` },
  f64: { f32: prefix("(float)"), i32: call("int_double"), bool: (x) => `(${x} != 0)` },
  i32: { f32: prefix("(float)"), f64: prefix("(double)"), bool: (x) => `(${x} != 0)` },
  bool: { f32: prefix("(float)"), f64: prefix("(double)"), i32: (x) => x },
};

const vectorConvert: { readonly [From in Kind]: ByKind } = {
  f32: { i32: call("int_vfloat"), bool: (x) => `(${x} != 0)` },
  f64: {},
  i32: { f32: call("float_of_vint"), bool: (x) => `(${x} != 0)` },
  bool: { f32: (x) => `float_of_vint(${x} & 1)`, i32: (x) => `(${x} & 1)` },
};

export class ExpressionWriter {
  constructor(private readonly names: Names) {}

  /** The expression as C; what it is made of stands in parentheses where it must. */
  write(expression: Expression): string {
    const { node, kind, lanes } = expression;
    const vector = lanes > 1;
    switch (node.op) {
      case "constant":
        return vector ? vectorConstant(node.values, kind) : constant(node.values[0], kind);
      case "read":
        return this.names.register(node.register);
      case "variable":
        return this.names.variable(node.variable);
      case "fetch":
        return this.fetch(expression);
      case "unary":
        return this.apply((vector ? vectorUnary : scalarUnary)[node.fn][node.x.kind], node.fn, [node.x]);
      case "binary":
        return this.apply((vector ? vectorBinary : scalarBinary)[node.fn][node.a.kind], node.fn, [node.a, node.b]);
      case "compare":
        return this.apply(infix(compareOperator[node.fn]), node.fn, [node.a, node.b]);
      case "select":
        return vector
          ? this.apply(call(`select_${typeOf(kind, lanes)}`), "select", [node.condition, node.a, node.b])
          : this.choice(node);
      case "choose":
        return this.choice(node);
      case "fma":
        if (kind === "f64") return this.apply((a, b, c) => `(${a} * ${b} + ${c})`, "fma", [node.a, node.b, node.c]);
        return this.apply(call(`fma_${typeOf(kind, lanes)}`), "fma", [node.a, node.b, node.c]);
      case "convert":
        return this.apply((vector ? vectorConvert : scalarConvert)[node.x.kind][kind], `${node.x.kind} to ${kind}`, [
          node.x,
        ]);
      case "bitcast": {
        const from = typeOf(node.x.kind, lanes);
        return this.apply(call(kind === "i32" ? `bits_${from}` : `float_${vector ? "vint" : "int"}`), "bitcast", [
          node.x,
        ]);
      }
      case "call":
        return this.apply(call(node.fn), node.fn, node.args);
      case "splat":
        return this.apply(
          call(`splat_${node.x.kind === "f32" ? "float" : node.x.kind === "bool" ? "mask" : "int"}`),
          "",
          [node.x],
        );
      case "gatherLanes": {
        const lanesText = node.elements.map((element) => this.write(element)).join(", ");
        return kind === "bool" ? `(-(vint){${lanesText}})` : `(${typeOf(kind, lanes)}){${lanesText}}`;
      }
      case "gather": {
        const operands = [this.names.buffer(node.buffer), this.write(node.at)];
        if (node.guard !== null) operands.push(this.write(node.guard));
        return `gather_${node.guard === null ? "" : "where_"}${node.buffer.dtype}(${operands.join(", ")})`;
      }
      case "shuffle": {
        const operands = [node.a, node.b].map((operand) => this.write(operand));
        return `SHUFFLE(${operands.join(", ")}, ${node.pattern.join(", ")})`;
      }
      case "checked":
        return `checked_${vector ? "vint" : "int"}(call, ${this.write(node.x)}, ${node.limit})`;
      case "lane": {
        const element = `${this.write(node.x)}[${node.lane}]`;
        return kind === "bool" ? `(${element} & 1)` : element;
      }
      case "base":
      case "index":
      case "load":
        throw new Error(`internal: an ${node.op} that was not scheduled reached the emitter`);
    }
  }

  store({ buffer, address, offset, value, count }: Extract<Statement, { op: "put" }>): string {
    const place = this.place(buffer, address, offset);
    if (value.lanes === 1) return `*(${place}) = ${this.write(value)};`;
    if (count === undefined) return `store_${buffer.dtype}(${place}, ${this.write(value)});`;
    return `store_some_${buffer.dtype}(${place}, ${this.write(value)}, ${this.write(count)});`;
  }

  scatter({ buffer, at, value, count }: Extract<Statement, { op: "scatter" }>): string {
    const operands = [this.names.buffer(buffer), ...[at, value].map((operand) => this.write(operand))];
    operands.push(count === undefined ? "LANES" : this.write(count));
    return `scatter_${buffer.dtype}(${operands.join(", ")});`;
  }

  private apply(form: Form | undefined, what: string, operands: readonly Expression[]): string {
    if (form === undefined) throw new Error(`internal: there is no ${what} of ${operands[0].kind}`);
    return form(...operands.map((operand) => this.write(operand)));
  }

  private choice({ condition, a, b }: { condition: Expression; a: Expression; b: Expression }): string {
    return `(${this.write(condition)} ? ${this.write(a)} : ${this.write(b)})`;
  }

  private fetch({ node, kind, lanes }: Expression): string {
    if (node.op !== "fetch") return "";
    const { buffer, address, offset, guard } = node;
    const place = this.place(buffer, address, offset);
    const value = lanes > 1 ? `load_${buffer.dtype}(${place})` : `*(${place})`;
    if (guard === null) return value;
    const nothing = lanes > 1 ? `(${typeOf(kind, lanes)}){0}` : constant(0, kind);
    return `(${this.write(guard)} ? ${value} : ${nothing})`;
  }

  /** An element's address. Indices that are used are not negative: without a sign they need no extension to 64 bits. */
  private place(buffer: BufferReference, address: Expression, offset: number): string {
    const base = this.names.buffer(buffer);
    const constantPart = offset === 0 ? "" : ` + ${offset}`;
    if (address.node.op === "constant") return `${base} + ${address.node.values[0] + offset}`;
    return `${base} + (uint32_t)${this.write(address)}${constantPart}`;
  }
}

function constant(value: number, kind: Kind): string {
  if (kind === "i32") return value === -(2 ** 31) ? "INT32_MIN" : value < 0 ? `(${value})` : String(value);
  if (kind === "bool") return value ? "1" : "0";
  const suffix = kind === "f32" ? "f" : "";
  if (Number.isNaN(value)) return `__builtin_nan${suffix}("")`;
  if (!Number.isFinite(value)) return `(${value < 0 ? "-" : ""}__builtin_inf${suffix}())`;
  const digits = Object.is(value, -0) ? "-0" : String(value);
  const literal = `${/[.e]/.test(digits) ? digits : `${digits}.0`}${suffix}`;
  return literal.startsWith("-") ? `(${literal})` : literal;
}

function vectorConstant(values: readonly number[], kind: Kind): string {
  const same = values.every((value) => Object.is(value, values[0]));
  if (!same) {
    const lanes = values.map((value) => constant(kind === "bool" ? -value : value, kind === "bool" ? "i32" : kind));
    return `(${typeOf(kind, values.length)}){${lanes.join(", ")}}`;
  }
  const name = kind === "f32" ? "float" : kind === "bool" ? "mask" : "int";
  return `splat_${name}(${constant(values[0], kind)})`;
}
