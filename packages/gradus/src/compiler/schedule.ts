// Pass between lowering and emission: indices become address arithmetic, what is used twice is computed once, and what
// does not change in a loop is computed before it. Emitters then print statements as they stand.

import { dtypes } from "../graph/index.ts";
import { Builder } from "./builder.ts";
import { type Atom, Index, type LoopVariable } from "./index-expression.ts";
import {
  type BufferReference,
  bodyOf,
  type Expression,
  type LoopNest,
  operandsOf,
  Register,
  type Statement,
  valuesOf,
} from "./ir.ts";
import { rebuild } from "./lower/vectorize.ts";
import type { Target } from "./target.ts";

/** A loop body or a branch: where invariant expressions can be computed. */
interface Scope {
  readonly variable: LoopVariable | null;
  readonly conditional: boolean;
  /** Its statements so far. What an inner scope needs of it is appended, so it stands right before that scope. */
  readonly emitted: Statement[];
  readonly known: Map<Expression, Register>;
  /** Of what depends on registers or on memory the kernel writes: what is known until one of those changes. */
  readonly segment: Map<Expression, Register>;
  /** Registers that are assigned somewhere within. */
  readonly assigned: ReadonlySet<Register>;
}

export function schedule(nest: LoopNest, target: Target): LoopNest {
  return { body: new Scheduler(nest, target).run() };
}

class Scheduler {
  private readonly build = new Builder();
  private readonly scopes: Scope[] = [];
  private readonly converted = new Map<Expression, Expression>();
  private readonly uses = new Map<Expression, number>();
  private readonly written = new Set<BufferReference>();
  private readonly loads = new Map<Expression, boolean>();
  private readonly volatility = new Map<Expression, boolean>();
  private temporaries = 0;

  constructor(
    private readonly nest: LoopNest,
    private readonly target: Target,
  ) {}

  run(): Statement[] {
    const addressed = this.nest.body.map((statement) => this.address(statement));
    addressed.forEach((statement) => {
      this.count(statement);
    });
    return addressed.flatMap((statement) => {
      return this.within(null, false, [statement]);
    });
  }

  // Indices to addresses --------------------------------------------------------------------------------------------

  private address(statement: Statement): Statement {
    switch (statement.op) {
      case "for":
        return {
          ...statement,
          from: this.asValue(statement.from),
          to: this.asValue(statement.to),
          body: statement.body.map((inner) => this.address(inner)),
        };
      case "assign":
        return { ...statement, value: this.convert(statement.value) };
      case "store": {
        this.written.add(statement.buffer);
        const { address, offset } = this.addressOf(statement.buffer, statement.index);
        const count = statement.count === undefined ? {} : { count: this.convert(statement.count) };
        return { op: "put", buffer: statement.buffer, address, offset, value: this.convert(statement.value), ...count };
      }
      case "scatter": {
        this.written.add(statement.buffer);
        const count = statement.count === undefined ? {} : { count: this.convert(statement.count) };
        return { ...statement, at: this.convert(statement.at), value: this.convert(statement.value), ...count };
      }
      case "put":
        return statement;
      case "if":
        return {
          op: "if",
          condition: this.convert(statement.condition),
          whenTrue: statement.whenTrue.map((inner) => this.address(inner)),
          whenFalse: statement.whenFalse.map((inner) => this.address(inner)),
        };
    }
  }

  private asValue(index: Index): Index {
    return index.isConstant ? index : Index.value(this.arithmetic(index), Number.MAX_SAFE_INTEGER);
  }

  private convert(expression: Expression): Expression {
    let result = this.converted.get(expression);
    if (result === undefined) {
      const { node } = expression;
      if (node.op === "index") result = this.arithmetic(node.index);
      else if (node.op === "load") {
        const { address, offset } = this.addressOf(node.buffer, node.index);
        const guard = node.guard === null ? null : this.convert(node.guard);
        result = this.build.fetch(node.buffer, address, offset, guard, expression.lanes);
      } else if (node.op === "read") result = this.build.read(node.register);
      else
        result = rebuild(
          this.build,
          expression,
          (operand) => this.convert(operand),
          (index) => index,
        );
      this.converted.set(expression, result);
    }
    return result;
  }

  private addressOf(buffer: BufferReference, index: Index): { address: Expression; offset: number } {
    const bytes = this.target.addressing === "bytes" ? dtypes[buffer.dtype].bytes : 1;
    const scaled = index.multiply(bytes);
    // A constant can be left to the instruction where the rest is an address by itself.
    const movable = scaled.minimum - scaled.constant >= 0 && scaled.constant >= 0;
    const offset = movable ? scaled.constant : 0;
    const rest = movable ? scaled.add(-offset) : scaled;
    const start = this.target.addressing === "bytes" ? this.build.base(buffer) : null;
    return { address: this.arithmetic(rest, start), offset };
  }

  /** A sum in the order of the loops its terms change in, so that its beginnings can be computed outside. */
  private arithmetic(index: Index, start: Expression | null = null): Expression {
    const { build } = this;
    const terms = index.terms.map(({ atom, coefficient }) => ({ value: this.atom(atom), coefficient }));
    const depth = (value: Expression): number => Math.max(-1, ...[...value.variables].map((variable) => variable.id));
    const rank = (value: Expression): number => (value.registers.size > 0 ? Number.MAX_SAFE_INTEGER : depth(value));
    terms.sort((a, b) => rank(a.value) - rank(b.value));
    let sum = start;
    if (index.constant !== 0 || (terms.length === 0 && start === null)) {
      const constant = build.constant(index.constant, "i32");
      sum = sum === null ? constant : build.binary("add", sum, constant);
    }
    for (const { value, coefficient } of terms) {
      const size = Math.abs(coefficient);
      const product = size === 1 ? value : this.times(value, size);
      if (sum === null) sum = coefficient < 0 ? build.binary("sub", build.constant(0, "i32"), product) : product;
      else sum = build.binary(coefficient < 0 ? "sub" : "add", sum, product);
    }
    return sum!;
  }

  private times(value: Expression, factor: number): Expression {
    const shift = Math.log2(factor);
    return Number.isInteger(shift)
      ? this.build.binary("shiftLeft", value, this.build.constant(shift, "i32"))
      : this.build.binary("mul", value, this.build.constant(factor, "i32"));
  }

  private atom(atom: Atom): Expression {
    const { build } = this;
    if (atom.kind === "variable") return build.variable(atom.variable);
    if (atom.kind === "value") return this.convert(atom.value);
    const of = this.arithmetic(atom.of);
    const shift = Math.log2(atom.by);
    const i32 = (value: number): Expression => build.constant(value, "i32");
    if (Number.isInteger(shift)) {
      return atom.kind === "quotient"
        ? build.binary("shiftRight", of, i32(shift))
        : build.binary("and", of, i32(atom.by - 1));
    }
    return build.binary(atom.kind === "quotient" ? "div" : "remainder", of, i32(atom.by));
  }

  // Counting uses ---------------------------------------------------------------------------------------------------

  private count(statement: Statement): void {
    switch (statement.op) {
      case "for":
        for (const bound of [statement.from, statement.to]) this.countBound(bound);
        statement.body.forEach((inner) => {
          this.count(inner);
        });
        return;
      case "assign":
        this.countUse(statement.value);
        return;
      case "put":
      case "scatter":
        for (const value of valuesOf(statement)) this.countUse(value);
        return;
      case "if":
        this.countUse(statement.condition);
        for (const inner of [...statement.whenTrue, ...statement.whenFalse]) this.count(inner);
        return;
      case "store":
        throw new Error("internal: stores become puts before they are counted");
    }
  }

  private countBound(bound: Index): void {
    for (const { atom } of bound.terms) if (atom.kind === "value") this.countUse(atom.value);
  }

  private countUse(expression: Expression): void {
    const before = this.uses.get(expression) ?? 0;
    this.uses.set(expression, before + 1);
    if (before === 0) for (const operand of operandsOf(expression.node)) this.countUse(operand);
  }

  // Placing ---------------------------------------------------------------------------------------------------------

  private get scope(): Scope {
    return this.scopes[this.scopes.length - 1];
  }

  private within(variable: LoopVariable | null, conditional: boolean, body: readonly Statement[]): Statement[] {
    const assigned = assignedIn(body);
    const scope: Scope = { variable, conditional, emitted: [], known: new Map(), segment: new Map(), assigned };
    this.scopes.push(scope);
    this.place(body, scope);
    this.scopes.pop();
    return scope.emitted;
  }

  private place(body: readonly Statement[], { emitted: result, segment }: Scope): void {
    for (const statement of body) {
      switch (statement.op) {
        case "assign": {
          const value = this.settle(statement.value, result);
          result.push({ ...statement, value });
          this.invalidate(segment, (expression) => expression.registers.has(statement.register));
          break;
        }
        case "put": {
          const address = this.settle(statement.address, result);
          const value = this.settle(statement.value, result);
          const count = statement.count === undefined ? {} : { count: this.settle(statement.count, result) };
          result.push({ ...statement, address, value, ...count });
          this.invalidate(segment, (expression) => this.isVolatile(expression));
          break;
        }
        case "scatter": {
          const at = this.settle(statement.at, result);
          const value = this.settle(statement.value, result);
          const count = statement.count === undefined ? {} : { count: this.settle(statement.count, result) };
          result.push({ ...statement, at, value, ...count });
          this.invalidate(segment, (expression) => this.isVolatile(expression));
          break;
        }
        case "for": {
          const from = this.settleBound(statement.from, result);
          const to = this.settleBound(statement.to, result);
          result.push({ ...statement, from, to, body: this.within(statement.variable, false, statement.body) });
          segment.clear();
          break;
        }
        case "if": {
          const condition = this.settle(statement.condition, result);
          const whenTrue = this.within(null, true, statement.whenTrue);
          const whenFalse = this.within(null, true, statement.whenFalse);
          result.push({ op: "if", condition, whenTrue, whenFalse });
          segment.clear();
          break;
        }
        case "store":
          throw new Error("internal: stores become puts before they are placed");
      }
    }
  }

  private invalidate(segment: Map<Expression, Register>, changed: (expression: Expression) => boolean): void {
    for (const expression of segment.keys()) if (changed(expression)) segment.delete(expression);
  }

  private settleBound(bound: Index, before: Statement[]): Index {
    const [term] = bound.terms;
    if (term === undefined || term.atom.kind !== "value") return bound;
    return Index.value(this.settle(term.atom.value, before), Number.MAX_SAFE_INTEGER);
  }

  /** The expression as it is to be emitted in the innermost scope; what it shares is assigned before it. */
  private settle(expression: Expression, before: Statement[], conditional = false): Expression {
    const { node } = expression;
    if (node.op === "constant" || node.op === "read" || node.op === "variable" || node.op === "base") return expression;
    // Under a condition a load may be out of bounds, so it stays where it is.
    if (conditional && this.hasLoad(expression)) return this.settleOperands(expression, before, true);
    const changes = expression.registers.size > 0 || this.isVolatile(expression);
    const home = this.homeOf(expression);
    const known = changes ? home.segment : home.known;
    const register = known.get(expression);
    if (register !== undefined) return this.build.read(register);
    const usedOnce = (this.uses.get(expression) ?? 0) < 2;
    if (home === this.scope && (usedOnce || (changes && conditional)))
      return this.settleOperands(expression, before, conditional);
    const temporary = this.temporary(expression);
    // What an invariant expression is made of is invariant too, so its operands settle there or further out.
    const settled =
      home === this.scope ? this.settleOperands(expression, before, conditional) : this.settleIn(home, expression);
    (home === this.scope ? before : home.emitted).push({ op: "assign", register: temporary, value: settled });
    known.set(expression, temporary);
    return this.build.read(temporary);
  }

  private settleIn(home: Scope, expression: Expression): Expression {
    const deeper = this.scopes.splice(this.scopes.indexOf(home) + 1);
    const settled = this.settleOperands(expression, home.emitted, false);
    this.scopes.push(...deeper);
    return settled;
  }

  private settleOperands(expression: Expression, before: Statement[], conditional: boolean): Expression {
    const { node } = expression;
    if (node.op === "choose") {
      const condition = this.settle(node.condition, before, conditional);
      const a = this.settle(node.a, before, true);
      const b = this.settle(node.b, before, true);
      return this.build.choose(condition, a, b);
    }
    if (node.op === "fetch" && node.guard !== null) {
      const guard = this.settle(node.guard, before, conditional);
      const address = this.settle(node.address, before, true);
      return this.build.fetch(node.buffer, address, node.offset, guard, expression.lanes);
    }
    return rebuild(
      this.build,
      expression,
      (operand) => this.settle(operand, before, conditional),
      (index) => index,
    );
  }

  private temporary(expression: Expression): Register {
    return new Register(`t${this.temporaries++}`, expression.kind, expression.lanes);
  }

  /**
   * The outermost scope in which an expression has the same value: outside of loops whose variable it depends on or in
   * which its registers change. Loads do not leave a branch, and what the kernel writes is read where it is needed.
   */
  private homeOf(expression: Expression): Scope {
    if (this.isVolatile(expression)) return this.scope;
    const stays = this.hasLoad(expression) || expression.registers.size > 0;
    for (let i = this.scopes.length - 1; i > 0; i--) {
      const scope = this.scopes[i];
      if (scope.variable !== null && expression.variables.has(scope.variable)) return scope;
      if (scope.conditional && stays) return scope;
      for (const register of expression.registers) if (scope.assigned.has(register)) return scope;
    }
    return this.scopes[0];
  }

  private hasLoad(expression: Expression): boolean {
    let result = this.loads.get(expression);
    if (result === undefined) {
      const { op } = expression.node;
      result =
        op === "fetch" || op === "gather" || operandsOf(expression.node).some((operand) => this.hasLoad(operand));
      this.loads.set(expression, result);
    }
    return result;
  }

  /** Whether it reads memory that this kernel writes. */
  private isVolatile(expression: Expression): boolean {
    let result = this.volatility.get(expression);
    if (result === undefined) {
      const { node } = expression;
      result =
        ((node.op === "fetch" || node.op === "gather") &&
          (this.written.has(node.buffer) || node.buffer.space === "scratch")) ||
        operandsOf(node).some((operand) => this.isVolatile(operand));
      this.volatility.set(expression, result);
    }
    return result;
  }
}

/** The registers that statements, and those within them, assign. */
function assignedIn(body: readonly Statement[], into: Set<Register> = new Set()): Set<Register> {
  for (const statement of body) {
    if (statement.op === "assign") into.add(statement.register);
    else assignedIn(bodyOf(statement), into);
  }
  return into;
}
