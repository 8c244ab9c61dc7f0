// Reverse-mode differentiation from graph to graph: walks a graph backwards and asks the table of rules.

import { build, GradusError, type Node, topologicalOrder } from "../graph/index.ts";
import { gradientRules } from "./rules.ts";

/** A gradient was asked for where none can be. */
export class AutogradError extends GradusError {}

/**
 * The gradients of `outputs`, weighted by `seeds`, with respect to nodes.
 * @param outputs nodes that require a gradient
 * @param seeds the gradient that arrives at each output, of its shape and dtype
 * @param wanted is asked for each node that the walk reaches: true to report its gradient
 * @returns the gradient of every wanted node that was reached
 */
export function gradients(
  outputs: readonly Node[],
  seeds: readonly Node[],
  wanted: (node: Node) => boolean,
): Map<Node, Node> {
  const arrived = new Map<Node, Node>();
  const accumulate = (node: Node, gradient: Node): void => {
    const known = arrived.get(node);
    arrived.set(node, known === undefined ? gradient : build.add(known, gradient));
  };
  outputs.forEach((output, i) => {
    accumulate(output, seeds[i]);
  });
  const order = topologicalOrder(outputs, (node) => node.isGradientLeaf || !node.requiresGrad);
  const result = new Map<Node, Node>();
  for (const node of order.reverse()) {
    const gradient = arrived.get(node);
    if (gradient === undefined || !node.requiresGrad) continue;
    arrived.delete(node);
    if (wanted(node)) result.set(node, gradient);
    if (node.isGradientLeaf) continue;
    if (node.inputs.length === 0) {
      throw new AutogradError(
        "backward: the graph of this value was freed by an earlier backward. Pass { retainGraph: true } to the first backward, or compute the value again.",
      );
    }
    const rule = gradientRules[node.op] as (node: Node, gradient: Node) => readonly (Node | null)[];
    const towards = rule(node, gradient);
    node.inputs.forEach((input, i) => {
      const part = towards[i];
      if (part && input.requiresGrad) accumulate(input, part);
    });
  }
  return result;
}
