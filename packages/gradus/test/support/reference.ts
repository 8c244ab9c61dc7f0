// The reference interpreter as an oracle for tensors that are not computed yet: their true values, and how far rounding
// may move them.

import type { Tensor } from "gradus";
import { interpret } from "../../src/backends/reference/interpreter.ts";
import { type DType, isFloat, leaf, Node, topologicalOrder } from "../../src/graph/index.ts";
import { engine } from "../../src/tensor/engine.ts";

/** Whether a node's value is known before the program runs: host data, or a scalar. */
const isBound = (node: Node): boolean => node.value !== null || node.is("scalar");

function boundValue(node: Node): ArrayLike<number> {
  return node.is("scalar") ? [node.attributes.value] : engine.read(node);
}

/** What the tensors are, computed in float64. */
export function trueValues(tensors: readonly Tensor[]): Float64Array[] {
  const outputs = tensors.map((tensor) => tensor.node);
  const inputs = topologicalOrder(outputs, isBound).filter(isBound);
  return interpret({ inputs, scalars: [], outputs }, inputs.map(boundValue), []);
}

/** One operation on values that are known. */
function evaluate(node: Node, values: readonly Float64Array[]): Float64Array {
  const inputs = node.inputs.map(
    ({ shape, dtype }) => leaf("data", { requiresGrad: false }, { shape, dtype }) as unknown as Node,
  );
  const alone = new Node(node.kind, inputs, node.attributes);
  return interpret({ inputs, scalars: [], outputs: [alone] }, values, [])[0];
}

/** Deterministic noise between -1 and 1. */
function noise(position: number): number {
  return Math.sin(position * 12.9898 + 78.233) * 0.999;
}

/**
 * What the tensors become if every operation errs by up to four units in the last place of float32. Results that are
 * float32 numbers are not moved: sums and products of short binary fractions stay exact, so comparing them is safe.
 */
export function perturbedValues(tensors: readonly Tensor[]): Float64Array[] {
  const outputs = tensors.map((tensor) => tensor.node);
  const values = new Map<Node, Float64Array>();
  let position = 0;
  const disturb = (value: number, dtype: DType): number => {
    position++;
    if (!isFloat(dtype) || Math.fround(value) === value || !Number.isFinite(value)) return value;
    return Math.fround(value * (1 + noise(position) * 2 ** -22));
  };
  for (const node of topologicalOrder(outputs, isBound)) {
    if (isBound(node)) {
      values.set(node, Float64Array.from(boundValue(node)));
      continue;
    }
    const result = evaluate(
      node,
      node.inputs.map((input) => values.get(input)!),
    );
    values.set(
      node,
      result.map((value) => disturb(value, node.dtype)),
    );
  }
  return outputs.map((node) => values.get(node)!);
}
