// The loops of a map/reduce kernel. They start as the dimensions of what is computed; a loop is split where an access
// takes its quotient and remainder, and neighbours are merged where every access walks through both as through one.

import type { Builder } from "../builder.ts";
import { Index, LoopVariable } from "../index-expression.ts";
import { type Expression, indicesOf } from "../ir.ts";
import { substitute, substituteIndex } from "./vectorize.ts";

/** What a kernel computes, as expressions over loop variables. */
export interface Domain {
  /** Loops over results, the outermost first. */
  outer: LoopVariable[];
  /** Loops over what is reduced for each result. */
  inner: LoopVariable[];
  /** Expressions over both; rewritten as the loops change. */
  values: Expression[];
  /** Where results go, over the outer loops only. */
  indices: Index[];
}

/** A variable whose quotient by some divisor of its extent is taken, and that divisor. */
function findSplit(indices: readonly Index[], variables: readonly LoopVariable[]): [LoopVariable, number] | null {
  for (const index of indices) {
    for (const { atom } of index.terms) {
      if (atom.kind !== "quotient" && atom.kind !== "remainder") continue;
      const [term, ...more] = atom.of.terms;
      if (more.length === 0 && term?.atom.kind === "variable" && term.coefficient === 1 && atom.of.constant === 0) {
        const { variable } = term.atom;
        if (variables.includes(variable) && variable.extent % atom.by === 0 && atom.by < variable.extent)
          return [variable, atom.by];
      }
      const deeper = findSplit([atom.of], variables);
      if (deeper !== null) return deeper;
    }
  }
  return null;
}

/** Puts an index in the place of a variable, everywhere. */
export function replace(build: Builder, domain: Domain, variable: LoopVariable, by: Index): void {
  domain.values = domain.values.map((value) => substitute(build, value, variable, by));
  domain.indices = domain.indices.map((index) => substituteIndex(build, index, variable, by));
}

/** Splits and merges loops until nothing is left to do. Loops of one iteration disappear. */
export function normalize(build: Builder, domain: Domain): void {
  for (let rounds = 0; rounds < 16; rounds++) {
    const all = [...indicesOf(domain.values), ...domain.indices];
    const split = findSplit(all, [...domain.outer, ...domain.inner]);
    if (split === null) break;
    const [variable, by] = split;
    const high = new LoopVariable(`${variable.name}h`, variable.extent / by);
    const low = new LoopVariable(`${variable.name}l`, by);
    const divide = (loops: LoopVariable[]): LoopVariable[] =>
      loops.flatMap((other) => (other === variable ? [high, low] : [other]));
    domain.outer = divide(domain.outer);
    domain.inner = divide(domain.inner);
    replace(build, domain, variable, Index.variable(high).multiply(by).add(Index.variable(low)));
  }
  domain.outer = domain.outer.filter((variable) => variable.extent !== 1);
  domain.inner = domain.inner.filter((variable) => variable.extent !== 1);
  domain.outer = mergeNeighbours(build, domain, domain.outer);
  domain.inner = mergeNeighbours(build, domain, domain.inner);
}

function mergeNeighbours(build: Builder, domain: Domain, loops: readonly LoopVariable[]): LoopVariable[] {
  const result = [...loops];
  for (let i = result.length - 2; i >= 0; i--) {
    const [slow, fast] = [result[i], result[i + 1]];
    const all = [...indicesOf(domain.values), ...domain.indices];
    const merges = all.every((index) => {
      const [a, b] = [index.coefficientOf(slow), index.coefficientOf(fast)];
      return a !== null && b !== null && a === b * fast.extent;
    });
    if (!merges) continue;
    const merged = new LoopVariable(`${slow.name}${fast.name}`, slow.extent * fast.extent);
    replace(build, domain, slow, Index.constant(0));
    replace(build, domain, fast, Index.variable(merged));
    result.splice(i, 2, merged);
  }
  return result;
}
