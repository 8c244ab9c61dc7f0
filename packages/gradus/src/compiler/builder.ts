// Builds loop IR expressions: shares equal ones, folds constants, and brings scalars to vectors where they meet.

import type { Index, LoopVariable } from "./index-expression.ts";
import {
  type BinaryPrimitive,
  type BufferReference,
  type ComparePrimitive,
  Expression,
  type Kind,
  kindOf,
  type LibraryFunction,
  type Register,
  type UnaryPrimitive,
} from "./ir.ts";

const foldUnary: { readonly [F in UnaryPrimitive]: ((x: number) => number) | null } = {
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: null,
  floor: Math.floor,
  ceil: Math.ceil,
  nearest: null,
  trunc: Math.trunc,
  not: null,
};

/** What index arithmetic is made of. */
const foldIntegers: { readonly [F in BinaryPrimitive]?: (x: number, y: number) => number } = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: Math.imul,
  div: (x, y) => Math.trunc(x / y),
  remainder: (x, y) => x % y,
  and: (x, y) => x & y,
  shiftLeft: (x, y) => x << y,
  shiftRight: (x, y) => x >> y,
};

export class Builder {
  private readonly known = new Map<string, Expression>();

  private share(key: string, make: () => Expression): Expression {
    let expression = this.known.get(key);
    if (expression === undefined) {
      expression = make();
      this.known.set(key, expression);
    }
    return expression;
  }

  constant(value: number, kind: Kind): Expression {
    const rounded = kind === "f32" ? Math.fround(value) : kind === "i32" ? value | 0 : value;
    return this.vectorConstant([rounded], kind);
  }

  vectorConstant(values: readonly number[], kind: Kind): Expression {
    const key = `c${kind}${values.map((value) => (Object.is(value, -0) ? "-0" : value)).join(",")}`;
    return this.share(key, () => new Expression({ op: "constant", values }, kind, values.length));
  }

  index(index: Index): Expression {
    if (index.isConstant) return this.constant(index.constant, "i32");
    if (index.terms.length === 1 && index.constant === 0) {
      const [{ atom, coefficient }] = index.terms;
      if (atom.kind === "value" && coefficient === 1) return atom.value;
    }
    return this.share(`i${index.key}`, () => new Expression({ op: "index", index }, "i32", 1));
  }

  load(buffer: BufferReference, index: Index, guard: Expression | null, lanes = 1): Expression {
    const kind = kindOf[buffer.dtype];
    return this.share(
      `l${buffer.name}[${index.key}]${lanes}${guard?.id ?? ""}`,
      () => new Expression({ op: "load", buffer, index, guard }, kind, lanes),
    );
  }

  gather(buffer: BufferReference, at: Expression, guard: Expression | null): Expression {
    return this.share(
      `G${buffer.name}[${at.id}]${guard?.id ?? ""}`,
      () => new Expression({ op: "gather", buffer, at, guard }, kindOf[buffer.dtype], at.lanes),
    );
  }

  variable(variable: LoopVariable): Expression {
    return this.share(`L${variable.id}`, () => new Expression({ op: "variable", variable }, "i32", 1));
  }

  base(buffer: BufferReference): Expression {
    const key = buffer.space === "scratch" ? "scratch" : buffer.name;
    return this.share(`B${key}`, () => new Expression({ op: "base", buffer }, "i32", 1));
  }

  fetch(
    buffer: BufferReference,
    address: Expression,
    offset: number,
    guard: Expression | null,
    lanes: number,
  ): Expression {
    return this.share(
      `F${buffer.name}@${address.id}+${offset}x${lanes}?${guard?.id ?? ""}`,
      () => new Expression({ op: "fetch", buffer, address, offset, guard }, kindOf[buffer.dtype], lanes),
    );
  }

  /** Register reads are never shared across assignments, so each is its own expression. */
  read(register: Register): Expression {
    return new Expression({ op: "read", register }, register.kind, register.lanes);
  }

  checked(x: Expression, limit: number): Expression {
    return this.share(`r${x.id}<${limit}`, () => new Expression({ op: "checked", x, limit }, "i32", x.lanes));
  }

  splat(x: Expression, lanes: number): Expression {
    if (x.lanes === lanes) return x;
    const { node } = x;
    return this.share(`s${x.id}x${lanes}`, () =>
      node.op === "constant"
        ? this.vectorConstant(new Array<number>(lanes).fill(node.values[0]), x.kind)
        : new Expression({ op: "splat", x }, x.kind, lanes),
    );
  }

  private meet(...operands: readonly Expression[]): Expression[] {
    const lanes = Math.max(...operands.map((operand) => operand.lanes));
    return operands.map((operand) => this.splat(operand, lanes));
  }

  private static constantOf({ node }: Expression): number | null {
    return node.op === "constant" && node.values.every((value) => value === node.values[0]) ? node.values[0] : null;
  }

  unary(fn: UnaryPrimitive, x: Expression): Expression {
    const value = Builder.constantOf(x);
    const fold = foldUnary[fn];
    if (value !== null && fold !== null && x.kind !== "bool")
      return this.splat(this.constant(fold(value), x.kind), x.lanes);
    if (fn === "not" && x.kind === "bool" && value !== null)
      return this.splat(this.constant(value ? 0 : 1, "bool"), x.lanes);
    return this.share(`u${fn}${x.id}`, () => new Expression({ op: "unary", fn, x }, x.kind, x.lanes));
  }

  binary(fn: BinaryPrimitive, left: Expression, right: Expression): Expression {
    const [a, b] = this.meet(left, right);
    const [x, y] = [Builder.constantOf(a), Builder.constantOf(b)];
    const float = a.kind === "f32" || a.kind === "f64";
    if (a.kind === "bool") {
      if (fn === "and") {
        if (x === 1) return b;
        if (y === 1) return a;
        if (x === 0 || y === 0) return this.splat(this.constant(0, "bool"), a.lanes);
      }
      if (fn === "or") {
        if (x === 0) return b;
        if (y === 0) return a;
      }
    }
    const integers = foldIntegers[fn];
    if (a.kind === "i32" && a.node.op === "constant" && b.node.op === "constant" && integers !== undefined) {
      const { values } = b.node;
      return this.vectorConstant(
        a.node.values.map((value, lane) => integers(value, values[lane]) | 0),
        "i32",
      );
    }
    if (fn === "mul" && (x === 1 || y === 1)) return x === 1 ? b : a;
    if (fn === "add" && !float && (x === 0 || y === 0)) return x === 0 ? b : a;
    return this.share(`b${fn}${a.id},${b.id}`, () => new Expression({ op: "binary", fn, a, b }, a.kind, a.lanes));
  }

  compare(fn: ComparePrimitive, left: Expression, right: Expression): Expression {
    const [a, b] = this.meet(left, right);
    return this.share(`k${fn}${a.id},${b.id}`, () => new Expression({ op: "compare", fn, a, b }, "bool", a.lanes));
  }

  select(test: Expression, yes: Expression, no: Expression): Expression {
    const known = Builder.constantOf(test);
    if (known !== null) return known ? yes : no;
    if (yes === no) return yes;
    const [condition, a, b] = this.meet(test, yes, no);
    return this.share(
      `w${condition.id},${a.id},${b.id}`,
      () => new Expression({ op: "select", condition, a, b }, a.kind, a.lanes),
    );
  }

  choose(condition: Expression, yes: Expression, no: Expression): Expression {
    const known = Builder.constantOf(condition);
    if (known !== null) return known ? yes : no;
    const [a, b] = this.meet(yes, no);
    return this.share(
      `h${condition.id},${a.id},${b.id}`,
      () => new Expression({ op: "choose", condition, a, b }, a.kind, a.lanes),
    );
  }

  fma(x: Expression, y: Expression, z: Expression): Expression {
    const [a, b, c] = this.meet(x, y, z);
    return this.share(`f${a.id},${b.id},${c.id}`, () => new Expression({ op: "fma", a, b, c }, a.kind, a.lanes));
  }

  convert(x: Expression, kind: Kind): Expression {
    if (x.kind === kind) return x;
    const value = Builder.constantOf(x);
    if (value !== null && kind !== "bool" && Number.isInteger(value) && Math.abs(value) < 2 ** 24)
      return this.splat(this.constant(value, kind), x.lanes);
    return this.share(`v${kind}${x.id}`, () => new Expression({ op: "convert", x }, kind, x.lanes));
  }

  bitcast(x: Expression, kind: Kind): Expression {
    return this.share(`t${kind}${x.id}`, () => new Expression({ op: "bitcast", x }, kind, x.lanes));
  }

  call(fn: LibraryFunction, args: readonly Expression[]): Expression {
    const key = `m${fn}${args.map((argument) => argument.id).join(",")}`;
    return this.share(key, () => new Expression({ op: "call", fn, args }, "f64", args[0].lanes));
  }

  gatherLanes(elements: readonly Expression[]): Expression {
    if (elements.every((element) => element === elements[0])) return this.splat(elements[0], elements.length);
    const key = `g${elements.map((element) => element.id).join(",")}`;
    return this.share(key, () => new Expression({ op: "gatherLanes", elements }, elements[0].kind, elements.length));
  }

  shuffle(a: Expression, b: Expression, pattern: readonly number[]): Expression {
    if (pattern.every((from, lane) => from === lane)) return a;
    if (a === b && (a.node.op === "splat" || Builder.constantOf(a) !== null)) return a;
    return this.share(
      `z${a.id},${b.id}:${pattern.join(",")}`,
      () => new Expression({ op: "shuffle", a, b, pattern }, a.kind, a.lanes),
    );
  }

  lane(x: Expression, lane: number): Expression {
    if (x.lanes === 1) return x;
    if (x.node.op === "splat") return x.node.x;
    if (x.node.op === "gatherLanes") return x.node.elements[lane];
    if (x.node.op === "constant") return this.constant(x.node.values[lane], x.kind);
    return this.share(`n${x.id}.${lane}`, () => new Expression({ op: "lane", x, lane }, x.kind, 1));
  }

  /** low <= index < high, leaving out what is known. */
  within(index: Index, low: number, high: number): Expression {
    let result = this.constant(1, "bool");
    if (index.maximum < low || index.minimum >= high) return this.constant(0, "bool");
    const value = this.index(index);
    if (index.minimum < low) result = this.binary("and", result, this.compare("le", this.constant(low, "i32"), value));
    if (index.maximum >= high)
      result = this.binary("and", result, this.compare("lt", value, this.constant(high, "i32")));
    return result;
  }
}
