// Rough costs, in additions per element, of computing a node once its inputs are there.

import type { BinaryFunction, Node, UnaryFunction } from "../graph/index.ts";

const unaryCosts: { readonly [F in UnaryFunction]: number } = {
  neg: 1,
  abs: 1,
  sign: 3,
  exp: 12,
  expm1: 16,
  log: 14,
  log1p: 18,
  sqrt: 4,
  rsqrt: 8,
  reciprocal: 4,
  sin: 18,
  cos: 18,
  tanh: 18,
  sigmoid: 14,
  erf: 24,
  floor: 1,
  ceil: 1,
  round: 1,
  trunc: 1,
  not: 1,
};

const binaryCosts: { readonly [F in BinaryFunction]: number } = {
  add: 1,
  sub: 1,
  mul: 1,
  div: 4,
  pow: 40,
  max: 2,
  min: 2,
  remainder: 8,
  and: 1,
  or: 1,
  xor: 1,
};

export function computationCost(node: Node): number {
  if (node.is("unary")) return unaryCosts[node.attributes.fn];
  if (node.is("binary")) return binaryCosts[node.attributes.fn];
  switch (node.op) {
    case "random":
      return 60;
    case "compare":
    case "select":
    case "cast":
      return 1;
    case "gather":
      return 4;
    case "pad":
      return 2;
    default:
      return 0;
  }
}
