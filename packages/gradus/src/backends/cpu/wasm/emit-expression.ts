// Expressions as WebAssembly instructions: one table for scalars and one for vectors of four.

import type { Expression, Register, Statement } from "../../../compiler/index.ts";
import type { LoopVariable } from "../../../compiler/index-expression.ts";
import type { BinaryPrimitive, BufferReference, ComparePrimitive, Kind, UnaryPrimitive } from "../../../compiler/ir.ts";
import type { DType } from "../../../graph/index.ts";
import type { FunctionBuilder, ValueType } from "./assembler.ts";
import type { MemoryOpcode, PlainOpcode } from "./opcodes.ts";

export interface Locals {
  readonly register: (register: Register) => number;
  readonly variable: (variable: LoopVariable) => number;
  readonly base: (buffer: BufferReference) => number;
  readonly library: ReadonlyMap<string, number>;
  readonly relaxedSimd: boolean;
}

type ByKind<T> = { readonly [K in Kind]?: T };

const scalarUnary: { readonly [F in UnaryPrimitive]: ByKind<PlainOpcode> } = {
  neg: { f32: "f32.neg", f64: "f64.neg" },
  abs: { f32: "f32.abs", f64: "f64.abs" },
  sqrt: { f32: "f32.sqrt", f64: "f64.sqrt" },
  floor: { f32: "f32.floor", f64: "f64.floor" },
  ceil: { f32: "f32.ceil", f64: "f64.ceil" },
  nearest: { f32: "f32.nearest", f64: "f64.nearest" },
  trunc: { f32: "f32.trunc", f64: "f64.trunc" },
  not: { bool: "i32.eqz" },
};

const vectorUnary: { readonly [F in UnaryPrimitive]: ByKind<PlainOpcode> } = {
  neg: { f32: "f32x4.neg", i32: "i32x4.neg" },
  abs: { f32: "f32x4.abs", i32: "i32x4.abs" },
  sqrt: { f32: "f32x4.sqrt" },
  floor: { f32: "f32x4.floor" },
  ceil: { f32: "f32x4.ceil" },
  nearest: { f32: "f32x4.nearest" },
  trunc: { f32: "f32x4.trunc" },
  not: { bool: "v128.not" },
};

const scalarBinary: { readonly [F in BinaryPrimitive]: ByKind<PlainOpcode> } = {
  add: { f32: "f32.add", f64: "f64.add", i32: "i32.add" },
  sub: { f32: "f32.sub", f64: "f64.sub", i32: "i32.sub" },
  mul: { f32: "f32.mul", f64: "f64.mul", i32: "i32.mul" },
  div: { f32: "f32.div", f64: "f64.div", i32: "i32.div_s" },
  min: { f32: "f32.min", f64: "f64.min" },
  max: { f32: "f32.max", f64: "f64.max" },
  atLeast: { f32: "f32.max", f64: "f64.max" },
  atMost: { f32: "f32.min", f64: "f64.min" },
  and: { i32: "i32.and", bool: "i32.and" },
  or: { i32: "i32.or", bool: "i32.or" },
  xor: { i32: "i32.xor", bool: "i32.xor" },
  shiftLeft: { i32: "i32.shl" },
  shiftRight: { i32: "i32.shr_s" },
  shiftRightUnsigned: { i32: "i32.shr_u" },
  multiplyHigh: {},
  remainder: { i32: "i32.rem_s" },
};

const vectorBinary: { readonly [F in BinaryPrimitive]: ByKind<PlainOpcode> } = {
  add: { f32: "f32x4.add", i32: "i32x4.add" },
  sub: { f32: "f32x4.sub", i32: "i32x4.sub" },
  mul: { f32: "f32x4.mul", i32: "i32x4.mul" },
  div: { f32: "f32x4.div" },
  min: { f32: "f32x4.min", i32: "i32x4.min_s" },
  max: { f32: "f32x4.max", i32: "i32x4.max_s" },
  atLeast: { f32: "f32x4.pmax" },
  atMost: { f32: "f32x4.pmin" },
  and: { i32: "v128.and", bool: "v128.and" },
  or: { i32: "v128.or", bool: "v128.or" },
  xor: { i32: "v128.xor", bool: "v128.xor" },
  shiftLeft: { i32: "i32x4.shl" },
  shiftRight: { i32: "i32x4.shr_s" },
  shiftRightUnsigned: { i32: "i32x4.shr_u" },
  multiplyHigh: {},
  remainder: {},
};

const scalarCompare: { readonly [F in ComparePrimitive]: ByKind<PlainOpcode> } = {
  eq: { f32: "f32.eq", f64: "f64.eq", i32: "i32.eq" },
  ne: { f32: "f32.ne", f64: "f64.ne", i32: "i32.ne" },
  lt: { f32: "f32.lt", f64: "f64.lt", i32: "i32.lt_s" },
  le: { f32: "f32.le", f64: "f64.le", i32: "i32.le_s" },
};

const vectorCompare: { readonly [F in ComparePrimitive]: ByKind<PlainOpcode> } = {
  eq: { f32: "f32x4.eq", i32: "i32x4.eq" },
  ne: { f32: "f32x4.ne", i32: "i32x4.ne" },
  lt: { f32: "f32x4.lt", i32: "i32x4.lt_s" },
  le: { f32: "f32x4.le", i32: "i32x4.le_s" },
};

const scalarConvert: { readonly [From in Kind]: ByKind<readonly PlainOpcode[]> } = {
  f32: { f64: ["f64.promote_f32"], i32: ["i32.trunc_sat_f32_s"] },
  f64: { f32: ["f32.demote_f64"], i32: ["i32.trunc_sat_f64_s"] },
  i32: { f32: ["f32.convert_i32_s"], f64: ["f64.convert_i32_s"] },
  bool: { f32: ["f32.convert_i32_s"], f64: ["f64.convert_i32_s"], i32: [] },
};

const scalarLoad: { readonly [D in DType]: MemoryOpcode } = {
  float32: "f32.load",
  float64: "f64.load",
  int32: "i32.load",
  uint8: "i32.load8_u",
  bool: "i32.load8_u",
};

const scalarStore: { readonly [D in DType]: MemoryOpcode } = {
  float32: "f32.store",
  float64: "f64.store",
  int32: "i32.store",
  uint8: "i32.store8",
  bool: "i32.store8",
};

export class ExpressionEmitter {
  private readonly spare = new Map<ValueType, number[]>();

  constructor(
    private readonly code: FunctionBuilder,
    private readonly locals: Locals,
  ) {}

  /** A local for the time of `use`. */
  private borrow(type: ValueType, use: (local: number) => void): void {
    const free = this.spare.get(type) ?? [];
    this.spare.set(type, free);
    const local = free.pop() ?? this.code.local(type);
    use(local);
    free.push(local);
  }

  /** Leaves the expression's value on the stack. */
  emit(expression: Expression): void {
    const { code } = this;
    const { node, kind, lanes } = expression;
    switch (node.op) {
      case "constant":
        if (lanes > 1) code.v128(vectorBytes(node.values, kind));
        else this.scalarConstant(node.values[0], kind);
        return;
      case "read":
        code.get(this.locals.register(node.register));
        return;
      case "variable":
        code.get(this.locals.variable(node.variable));
        return;
      case "base":
        code.get(this.locals.base(node.buffer));
        return;
      case "fetch":
        this.fetch(expression);
        return;
      case "unary":
        this.unary(node.fn, node.x);
        return;
      case "binary":
        this.binary(node.fn, node.a, node.b);
        return;
      case "compare":
        this.emit(node.a);
        this.emit(node.b);
        code.op(
          required((lanes > 1 ? vectorCompare : scalarCompare)[node.fn][node.a.kind], `${node.fn} of ${node.a.kind}`),
        );
        return;
      case "select":
        this.emit(node.a);
        this.emit(node.b);
        this.emit(node.condition);
        code.op(lanes > 1 ? "v128.bitselect" : "select");
        return;
      case "choose":
        this.emit(node.condition);
        code.if(lanes > 1 ? "v128" : scalarType(kind));
        this.emit(node.a);
        code.else();
        this.emit(node.b);
        code.end();
        return;
      case "fma":
        this.fma(node.a, node.b, node.c);
        return;
      case "convert":
        this.convert(node.x, kind);
        return;
      case "bitcast":
        this.emit(node.x);
        if (lanes === 1) code.op(kind === "i32" ? "i32.reinterpret_f32" : "f32.reinterpret_i32");
        return;
      case "call":
        for (const argument of node.args) this.emit(argument);
        code.call(this.locals.library.get(node.fn)!);
        return;
      case "splat":
        this.splat(node.x);
        return;
      case "gatherLanes":
        this.gather(node.elements, kind);
        return;
      case "checked":
        this.emit(node.x);
        this.borrow("i32", (local) => {
          code.tee(local).i32(node.limit).op("i32.ge_u").if().op("unreachable").end().get(local);
        });
        return;
      case "lane":
        this.emit(node.x);
        if (kind === "f32") code.lane("f32x4.extract_lane", node.lane);
        else code.lane("i32x4.extract_lane", node.lane);
        if (kind === "bool") code.i32(1).op("i32.and");
        return;
      case "index":
      case "load":
        throw new Error(`internal: an ${node.op} that was not scheduled reached the emitter`);
      case "gather":
      case "shuffle":
        throw new Error(`internal: a ${node.op} is for targets with full vectors`);
    }
  }

  private scalarConstant(value: number, kind: Kind): void {
    if (kind === "f32") this.code.f32(value);
    else if (kind === "f64") this.code.f64(value);
    else this.code.i32(value);
  }

  private fetch({ node, kind, lanes }: Expression): void {
    if (node.op !== "fetch") return;
    const { code } = this;
    const { buffer, address, offset, guard } = node;
    if (guard !== null) {
      this.emit(guard);
      code.if(lanes > 1 ? "v128" : scalarType(kind));
    }
    this.emit(address);
    if (lanes === 1) code.memory(scalarLoad[buffer.dtype], offset);
    else if (buffer.dtype === "float32" || buffer.dtype === "int32") code.memory("v128.load", offset, 2);
    else {
      code.memory("v128.load32_zero", offset, 0).op("i16x8.extend_low_i8x16_u").op("i32x4.extend_low_i16x8_u");
      if (buffer.dtype === "bool") code.v128(new Uint8Array(16)).op("i32x4.ne");
    }
    if (guard !== null) {
      code.else();
      if (lanes > 1) code.v128(new Uint8Array(16));
      else this.scalarConstant(0, kind);
      code.end();
    }
  }

  store(statement: Extract<Statement, { op: "put" }>): void {
    const { code } = this;
    const { buffer, address, offset, value } = statement;
    this.emit(address);
    this.emit(value);
    if (value.lanes === 1) {
      code.memory(scalarStore[buffer.dtype], offset);
      return;
    }
    if (buffer.dtype === "float32" || buffer.dtype === "int32") {
      code.memory("v128.store", offset, 2);
      return;
    }
    // Four bytes from four words.
    if (buffer.dtype === "bool") code.v128(vectorBytes([1, 1, 1, 1], "i32")).op("v128.and");
    this.borrow("v128", (local) => {
      code.tee(local).get(local).op("i16x8.narrow_i32x4_u").tee(local).get(local).op("i8x16.narrow_i16x8_u");
    });
    code.memoryLane("v128.store32_lane", offset, 0);
  }

  private unary(fn: UnaryPrimitive, x: Expression): void {
    const { code } = this;
    this.emit(x);
    if (fn === "abs" && x.kind === "i32" && x.lanes === 1) {
      this.borrow("i32", (local) => {
        code.set(local).i32(0).get(local).op("i32.sub").get(local).get(local).i32(0).op("i32.lt_s").op("select");
      });
      return;
    }
    code.op(required((x.lanes > 1 ? vectorUnary : scalarUnary)[fn][x.kind], `${fn} of ${x.kind}`));
  }

  private binary(fn: BinaryPrimitive, a: Expression, b: Expression): void {
    const { code } = this;
    const vector = a.lanes > 1;
    if (fn === "multiplyHigh") {
      this.emit(a);
      code.op("i64.extend_i32_u");
      this.emit(b);
      code.op("i64.extend_i32_u").op("i64.mul").i64(32n).op("i64.shr_u").op("i32.wrap_i64");
      return;
    }
    if (vector && (fn === "shiftLeft" || fn === "shiftRight" || fn === "shiftRightUnsigned")) {
      this.emit(a);
      if (b.node.op !== "constant") throw new Error("internal: vectors are shifted by constants only");
      code.i32(b.node.values[0]).op(required(vectorBinary[fn].i32, fn));
      return;
    }
    this.emit(a);
    this.emit(b);
    if (!vector && a.kind === "i32" && (fn === "min" || fn === "max")) {
      this.borrow("i32", (y) =>
        this.borrow("i32", (x) => {
          code
            .set(y)
            .tee(x)
            .get(y)
            .get(x)
            .get(y)
            .op(fn === "min" ? "i32.lt_s" : "i32.gt_s")
            .op("select");
        }),
      );
      return;
    }
    code.op(required((vector ? vectorBinary : scalarBinary)[fn][a.kind], `${fn} of ${a.kind}`));
  }

  private fma(a: Expression, b: Expression, c: Expression): void {
    const { code } = this;
    if (a.lanes > 1 && this.locals.relaxedSimd) {
      this.emit(a);
      this.emit(b);
      this.emit(c);
      code.op("f32x4.relaxed_madd");
      return;
    }
    if (a.lanes > 1 || a.kind === "f64") {
      this.emit(a);
      this.emit(b);
      code.op(a.lanes > 1 ? "f32x4.mul" : "f64.mul");
      this.emit(c);
      code.op(a.lanes > 1 ? "f32x4.add" : "f64.add");
      return;
    }
    // In float64 the product is exact, so that a single number comes out as it does in a vector.
    for (const factor of [a, b]) {
      this.emit(factor);
      code.op("f64.promote_f32");
    }
    code.op("f64.mul");
    this.emit(c);
    code.op("f64.promote_f32").op("f64.add").op("f32.demote_f64");
  }

  private convert(x: Expression, to: Kind): void {
    const { code } = this;
    this.emit(x);
    if (x.lanes === 1) {
      if (to === "bool") {
        this.scalarConstant(0, x.kind);
        code.op(required(scalarCompare.ne[x.kind], `ne of ${x.kind}`));
      } else for (const opcode of required(scalarConvert[x.kind][to], `${x.kind} to ${to}`)) code.op(opcode);
      return;
    }
    if (to === "bool") code.v128(new Uint8Array(16)).op(x.kind === "f32" ? "f32x4.ne" : "i32x4.ne");
    else if (x.kind === "bool") code.v128(vectorBytes([1, 1, 1, 1], to)).op("v128.and");
    else if (to === "f32") code.op("f32x4.convert_i32x4_s");
    else code.op("i32x4.trunc_sat_f32x4_s");
  }

  private splat(x: Expression): void {
    const { code } = this;
    const { node } = x;
    if (
      node.op === "fetch" &&
      node.guard === null &&
      (node.buffer.dtype === "float32" || node.buffer.dtype === "int32")
    ) {
      this.emit(node.address);
      code.memory("v128.load32_splat", node.offset);
      return;
    }
    if (x.kind === "bool") {
      code.i32(0);
      this.emit(x);
      code.op("i32.sub").op("i32x4.splat");
      return;
    }
    this.emit(x);
    code.op(x.kind === "f32" ? "f32x4.splat" : "i32x4.splat");
  }

  private gather(elements: readonly Expression[], kind: Kind): void {
    const { code } = this;
    const direct = elements.every(
      ({ node }) =>
        node.op === "fetch" &&
        node.guard === null &&
        (node.buffer.dtype === "float32" || node.buffer.dtype === "int32"),
    );
    if (direct) {
      // Loads straight into lanes; the address goes below the vector.
      this.borrow("v128", (vector) => {
        elements.forEach(({ node }, lane) => {
          if (node.op !== "fetch") return;
          this.emit(node.address);
          if (lane === 0) code.memory("v128.load32_zero", node.offset).set(vector);
          else code.get(vector).memoryLane("v128.load32_lane", node.offset, lane).set(vector);
        });
        code.get(vector);
      });
      return;
    }
    this.emit(elements[0]);
    code.op(kind === "f32" ? "f32x4.splat" : "i32x4.splat");
    for (let lane = 1; lane < elements.length; lane++) {
      this.emit(elements[lane]);
      code.lane(kind === "f32" ? "f32x4.replace_lane" : "i32x4.replace_lane", lane);
    }
    if (kind === "bool") code.v128(new Uint8Array(16)).op("i32x4.ne");
  }
}

function scalarType(kind: Kind): ValueType {
  return kind === "bool" ? "i32" : kind;
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`internal: WebAssembly has no ${what}`);
  return value;
}

function vectorBytes(values: readonly number[], kind: Kind): Uint8Array {
  if (kind === "f32") return new Uint8Array(Float32Array.from(values).buffer);
  return new Uint8Array(Int32Array.from(values, (value) => (kind === "bool" ? -value : value)).buffer);
}
