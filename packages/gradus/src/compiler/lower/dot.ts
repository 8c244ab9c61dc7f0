// Lowering of contraction kernels: the dot node as a product of two operands that are read through their views, with the
// maps that follow it as the epilogue.

import { type Node, parseDotSpec } from "../../graph/index.ts";
import { Builder } from "../builder.ts";
import { type Index, unflatten } from "../index-expression.ts";
import type { BufferReference, Expression, Statement } from "../ir.ts";
import type { Kernel } from "../kernel.ts";
import type { Target } from "../target.ts";
import { lowerProduct } from "./contract.ts";
import type { Operand, Product, Result } from "./dimensions.ts";
import type { Stores } from "./map-reduce.ts";
import { type Storage, Values, withoutOwn } from "./values.ts";
import { lowerWinograd } from "./winograd.ts";

export interface LoweredContraction {
  readonly phases: Statement[][];
  readonly scratchBytes: number;
  readonly multiplyAdds: number;
  /** Memory the planner must find for this kernel alone. */
  readonly workspaces: readonly BufferReference[];
}

export function lowerContraction(kernel: Kernel, storage: Storage, stores: Stores, target: Target): LoweredContraction {
  const build = new Builder();
  const product = productOf(kernel, build, storage, stores);
  const fast = lowerWinograd(product, build, target);
  if (fast !== null) return fast;
  const { workspace, ...lowered } = lowerProduct(product, build, target);
  return { ...lowered, workspaces: [workspace] };
}

function productOf(kernel: Kernel, build: Builder, storage: Storage, stores: Stores): Product {
  const node = kernel.anchors[0] as Node<"dot">;
  const own = new Set([...kernel.outputs, ...kernel.anchors]);
  const values = new Values(build, withoutOwn(storage, own));
  const spec = parseDotSpec(node.attributes.spec);
  const operand = (source: Node, labels: string): Operand => ({
    labels,
    shape: source.shape,
    at: (position, guard) => values.at(source, position, guard),
  });
  const finish = (flat: Index, sum: Expression): Result[] => {
    values.forget();
    values.registers.clear();
    values.registers.set(node as unknown as Node, sum);
    return kernel.outputs.flatMap((output) => {
      const value = values.at(output, unflatten(flat, output.shape));
      values.registers.set(output, value);
      return stores(output).map((buffer) => ({ buffer, index: flat, value }));
    });
  };
  const [a, b] = node.inputs;
  return { name: String(node.id), a: operand(a, spec.a), b: operand(b, spec.b), out: spec.out, finish };
}
