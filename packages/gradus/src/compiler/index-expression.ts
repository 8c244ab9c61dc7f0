// Index arithmetic: integer expressions kept as sums of coefficient x atom, so that views compose to affine maps and
// what a loop needs to know (the stride of an access, its bounds) can be read off. An atom is a loop variable, a
// quotient or remainder by a constant, or a value loaded at run time. All atoms but values are never negative where
// they are used, so quotients round down.

import type { Expression } from "./ir.ts";

/** A loop variable, running from 0 to extent - 1. */
export class LoopVariable {
  private static count = 0;
  readonly id = LoopVariable.count++;
  constructor(
    readonly name: string,
    readonly extent: number,
  ) {}
  get key(): string {
    return `v${this.id}`;
  }
}

export type Atom =
  | { readonly kind: "variable"; readonly variable: LoopVariable; readonly key: string }
  | { readonly kind: "quotient" | "remainder"; readonly of: Index; readonly by: number; readonly key: string }
  | { readonly kind: "value"; readonly value: Expression; readonly maximum: number; readonly key: string };

interface Term {
  readonly atom: Atom;
  readonly coefficient: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

/** constant + sum of coefficient x atom; terms are sorted by key and have no zero coefficient. */
export class Index {
  private bounds: readonly [minimum: number, maximum: number] | null = null;
  private text: string | null = null;

  private constructor(
    readonly terms: readonly Term[],
    readonly constant: number,
  ) {}

  /** Equal for equal expressions. */
  get key(): string {
    this.text ??= `${this.terms.map(({ atom, coefficient }) => `${coefficient}${atom.key}`).join("+")}+${this.constant}`;
    return this.text;
  }

  /** No value is below it. */
  get minimum(): number {
    this.bounds ??= this.findBounds();
    return this.bounds[0];
  }

  /** No value is above it. */
  get maximum(): number {
    this.bounds ??= this.findBounds();
    return this.bounds[1];
  }

  private findBounds(): [number, number] {
    let minimum = this.constant;
    let maximum = this.constant;
    for (const { atom, coefficient } of this.terms) {
      const [low, high] = boundsOf(atom);
      minimum += Math.min(coefficient * low, coefficient * high);
      maximum += Math.max(coefficient * low, coefficient * high);
    }
    return [minimum, maximum];
  }

  static constant(value: number): Index {
    return new Index([], value);
  }

  static variable(variable: LoopVariable): Index {
    if (variable.extent === 1) return Index.constant(0);
    return new Index([{ atom: { kind: "variable", variable, key: variable.key }, coefficient: 1 }], 0);
  }

  /** A value known only at run time, from 0 to maximum. */
  static value(value: Expression, maximum: number): Index {
    return new Index([{ atom: { kind: "value", value, maximum, key: `x${value.id}` }, coefficient: 1 }], 0);
  }

  get isConstant(): boolean {
    return this.terms.length === 0;
  }

  add(other: Index | number): Index {
    if (typeof other === "number") return other === 0 ? this : new Index(this.terms, this.constant + other);
    if (other.terms.length === 0) return this.add(other.constant);
    if (this.terms.length === 0) return other.add(this.constant);
    return Index.sum(this.terms, other.terms, this.constant + other.constant);
  }

  multiply(factor: number): Index {
    if (factor === 1) return this;
    if (factor === 0) return Index.constant(0);
    const terms = this.terms.map(({ atom, coefficient }) => ({ atom, coefficient: coefficient * factor }));
    return new Index(terms, this.constant * factor);
  }

  subtract(other: Index): Index {
    return this.add(other.multiply(-1));
  }

  /** Of two lists of terms in the order of their keys. */
  private static sum(a: readonly Term[], b: readonly Term[], constant: number): Index {
    const terms: Term[] = [];
    let hasRemainder = false;
    for (let i = 0, j = 0; i < a.length || j < b.length; ) {
      const [x, y] = [a[i], b[j]];
      let term: Term;
      if (j === b.length || (i < a.length && x.atom.key < y.atom.key)) {
        term = x;
        i++;
      } else if (i === a.length || y.atom.key < x.atom.key) {
        term = y;
        j++;
      } else {
        term = { atom: x.atom, coefficient: x.coefficient + y.coefficient };
        i++;
        j++;
        if (term.coefficient === 0) continue;
      }
      terms.push(term);
      hasRemainder ||= term.atom.kind === "remainder";
    }
    let result = new Index(terms, constant);
    if (!hasRemainder) return result;
    // (x / c) * c + x % c is x.
    for (const { atom, coefficient } of result.terms) {
      if (atom.kind !== "remainder") continue;
      const quotient = atom.of.dividedBy(atom.by);
      const partner = quotient.terms.length === 1 && quotient.constant === 0 ? quotient.terms[0] : null;
      if (partner === null || partner.coefficient !== 1) continue;
      const present = result.terms.find(({ atom: other }) => other.key === partner.atom.key);
      if (present?.coefficient !== coefficient * atom.by) continue;
      const rest = result.terms.filter((term) => term.atom !== atom && term !== present);
      result = new Index(rest, result.constant).add(atom.of.multiply(coefficient));
      break;
    }
    return result;
  }

  /** Splits into a multiple of `by` and the rest. */
  private splitBy(by: number): { multiple: Index; rest: Index } {
    const whole = this.terms.filter(({ coefficient }) => coefficient % by === 0);
    const rest = this.terms.filter(({ coefficient }) => coefficient % by !== 0);
    const constant = Math.floor(this.constant / by) * by;
    return { multiple: new Index(whole, constant), rest: new Index(rest, this.constant - constant) };
  }

  /** Drops what cannot carry: with all large terms multiples of g, and g dividing `by`, terms within [0, g) do not count. */
  private coarse(by: number): { large: Index; small: Index } | null {
    for (const { coefficient: candidate } of this.terms) {
      const step = gcd(candidate, by);
      if (step <= 1) continue;
      const { multiple, rest } = this.splitBy(step);
      if (rest.terms.length > 0 && rest.minimum >= 0 && rest.maximum < step) return { large: multiple, small: rest };
    }
    return null;
  }

  /** Rounded down. */
  dividedBy(by: number): Index {
    if (by === 1) return this;
    const { multiple, rest } = this.splitBy(by);
    const quotient = new Index(
      multiple.terms.map(({ atom, coefficient }) => ({ atom, coefficient: coefficient / by })),
      multiple.constant / by,
    );
    if (rest.minimum >= 0 && rest.maximum < by) return quotient;
    const coarse = rest.coarse(by);
    // Targets divide towards zero, so the numerator is lifted to where that is downwards too.
    const unlifted = coarse === null ? rest : coarse.large;
    const lift = unlifted.minimum < 0 ? Math.ceil(-unlifted.minimum / by) : 0;
    const numerator = unlifted.add(lift * by);
    const common = numerator.terms.reduce((all, { coefficient }) => gcd(all, coefficient), gcd(by, numerator.constant));
    const rounded =
      common > 1 ? quotientAtom(numerator.exactlyDividedBy(common), by / common) : quotientAtom(numerator, by);
    return quotient.add(rounded).add(-lift);
  }

  modulo(by: number): Index {
    if (by === 1) return Index.constant(0);
    const { rest } = this.splitBy(by);
    if (rest.minimum >= 0 && rest.maximum < by) return rest;
    const coarse = rest.coarse(by);
    const large = coarse === null ? rest : coarse.large;
    const lift = large.minimum < 0 ? Math.ceil(-large.minimum / by) * by : 0;
    const remainder = remainderIndex(large.add(lift), by);
    return coarse === null ? remainder : remainder.add(coarse.small);
  }

  private exactlyDividedBy(by: number): Index {
    const terms = this.terms.map(({ atom, coefficient }) => ({ atom, coefficient: coefficient / by }));
    return new Index(terms, this.constant / by);
  }

  static ofAtom(atom: Atom): Index {
    return new Index([{ atom, coefficient: 1 }], 0);
  }

  /** The coefficient of a variable, 0 if it does not occur, null if it occurs within an atom. */
  coefficientOf(variable: LoopVariable): number | null {
    let result = 0;
    for (const { atom, coefficient } of this.terms) {
      if (atom.kind === "variable") {
        if (atom.variable === variable) result = coefficient;
      } else if (atomDependsOn(atom, variable)) {
        return null;
      }
    }
    return result;
  }

  dependsOn(variable: LoopVariable): boolean {
    return this.terms.some(({ atom }) => atomDependsOn(atom, variable));
  }

  /** With variables, and run-time values, replaced. */
  substitute(variable: LoopVariable, by: Index, inValue: (value: Expression) => Expression): Index {
    if (!this.dependsOn(variable)) return this;
    let result = Index.constant(this.constant);
    for (const { atom, coefficient } of this.terms) {
      result = result.add(substituteInAtom(atom, variable, by, inValue).multiply(coefficient));
    }
    return result;
  }
}

function quotientAtom(of: Index, by: number): Index {
  // (x / a) / b is x / (a b).
  if (of.constant === 0 && of.terms.length === 1) {
    const [{ atom, coefficient }] = of.terms;
    if (coefficient === 1 && atom.kind === "quotient") return quotientAtom(atom.of, atom.by * by);
  }
  if (of.minimum >= 0 && of.maximum < by) return Index.constant(0);
  return Index.ofAtom({ kind: "quotient", of, by, key: `(${of.key}/${by})` });
}

function remainderIndex(of: Index, by: number): Index {
  const common = of.terms.reduce((all, { coefficient }) => gcd(all, coefficient), gcd(by, of.constant));
  if (common > 1) {
    const reduced = divideExactly(of, common).modulo(by / common);
    return reduced.multiply(common);
  }
  return Index.ofAtom({ kind: "remainder", of, by, key: `(${of.key}%${by})` });
}

function divideExactly(of: Index, by: number): Index {
  let result = Index.constant(of.constant / by);
  for (const { atom, coefficient } of of.terms) result = result.add(Index.ofAtom(atom).multiply(coefficient / by));
  return result;
}

function boundsOf(atom: Atom): [number, number] {
  switch (atom.kind) {
    case "variable":
      return [0, atom.variable.extent - 1];
    case "quotient":
      return [Math.floor(atom.of.minimum / atom.by), Math.floor(atom.of.maximum / atom.by)];
    case "remainder":
      return [0, atom.by - 1];
    case "value":
      return [0, atom.maximum];
  }
}

function atomDependsOn(atom: Atom, variable: LoopVariable): boolean {
  if (atom.kind === "variable") return atom.variable === variable;
  if (atom.kind === "value") return atom.value.variables.has(variable);
  return atom.of.dependsOn(variable);
}

function substituteInAtom(
  atom: Atom,
  variable: LoopVariable,
  by: Index,
  inValue: (value: Expression) => Expression,
): Index {
  if (!atomDependsOn(atom, variable)) return Index.ofAtom(atom);
  switch (atom.kind) {
    case "variable":
      return by;
    case "quotient":
      return atom.of.substitute(variable, by, inValue).dividedBy(atom.by);
    case "remainder":
      return atom.of.substitute(variable, by, inValue).modulo(atom.by);
    case "value":
      return Index.value(inValue(atom.value), atom.maximum);
  }
}

/** Every variable an index depends on. */
export function variablesOf(index: Index, into: Set<LoopVariable> = new Set()): Set<LoopVariable> {
  for (const { atom } of index.terms) {
    if (atom.kind === "variable") into.add(atom.variable);
    else if (atom.kind === "value") for (const variable of atom.value.variables) into.add(variable);
    else variablesOf(atom.of, into);
  }
  return into;
}

/** The row-major position of an element. */
export function flatten(indices: readonly Index[], shape: readonly number[]): Index {
  let flat = Index.constant(0);
  indices.forEach((index, axis) => {
    flat = flat.multiply(shape[axis]).add(index);
  });
  return flat;
}

/** The indices of the element at a row-major position. */
export function unflatten(flat: Index, shape: readonly number[]): Index[] {
  const indices = new Array<Index>(shape.length);
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) {
      indices[axis] = Index.constant(0);
      continue;
    }
    const first = shape.slice(0, axis).every((extent) => extent === 1);
    indices[axis] = first ? rest : rest.modulo(shape[axis]);
    rest = rest.dividedBy(shape[axis]);
  }
  return indices;
}
