// Helpers of the reference tests: leaves that carry their values, and running a node in one call.

import { interpret } from "../../src/backends/reference/interpreter.ts";
import { type DType, leaf, type Node, sizeOf, topologicalOrder } from "../../src/graph/index.ts";

const bound = new WeakMap<Node, readonly number[]>();

/** A data leaf with values, row-major. */
export function constant(shape: readonly number[], values: readonly number[], dtype: DType = "float64"): Node {
  if (values.length !== sizeOf(shape)) throw new Error(`${values.length} values for [${shape.join(", ")}]`);
  const created = leaf("data", { requiresGrad: false }, { shape, dtype }) as unknown as Node;
  bound.set(created, values);
  return created;
}

export function vector(values: readonly number[], dtype: DType = "float64"): Node {
  return constant([values.length], values, dtype);
}

/** `fn(1), fn(2), ...` in a shape: what PyTorch's `fn(arange(1, size + 1)).reshape(shape)` is. */
export function sequence(shape: readonly number[], fn: (i: number) => number): Node {
  return constant(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => fn(i + 1)),
  );
}

export function evaluate(output: { readonly op: string }): number[] {
  const root = output as unknown as Node;
  const inputs = topologicalOrder([root]).filter((node) => bound.has(node));
  const [result] = interpret(
    { inputs, scalars: [], outputs: [root] },
    inputs.map((node) => bound.get(node)!),
    [],
  );
  return Array.from(result);
}
