// Reverse-mode differentiation from graph to graph: walks a graph backwards and asks the table of rules.

import { build, GradusError, type Node, topologicalOrder } from "../graph/index.ts";
import { gradientRules } from "./rules.ts";

/** A gradient was asked for where none can be. */
export class AutogradError extends GradusError {}

export interface Gradients {
  /** The gradient of every wanted node that was reached. */
  readonly found: Map<Node, Node>;
  /** All nodes that the walk went through, and those at which it ended. */
  readonly walked: readonly Node[];
}

/**
 * The gradients of `outputs`, weighted by `seeds`, with respect to nodes.
 * @param outputs nodes that require a gradient
 * @param seeds the gradient that arrives at each output, of its shape and dtype
 * @param wanted is asked for each node that the walk reaches: true to report its gradient
 */
export function gradients(
  outputs: readonly Node[],
  seeds: readonly Node[],
  wanted: (node: Node) => boolean,
): Gradients {
  const walked = topologicalOrder(outputs, (node) => node.isGradientLeaf || !node.requiresGrad);
  /** What has arrived so far at every node. */
  const arrived = new Array<Node | null>(walked.length).fill(null);
  const accumulate = ({ position }: Node, gradient: Node): void => {
    const known = arrived[position];
    arrived[position] = known === null ? gradient : build.add(known, gradient);
  };
  outputs.forEach((output, i) => {
    accumulate(output, seeds[i]);
  });
  const found = new Map<Node, Node>();
  for (let position = walked.length - 1; position >= 0; position--) {
    const node = walked[position];
    const gradient = arrived[position];
    if (gradient === null || !node.requiresGrad) continue;
    if (wanted(node)) found.set(node, gradient);
    if (node.isGradientLeaf) continue;
    if (node.inputs.length === 0) {
      throw new AutogradError(
        "backward: the graph of this value was freed by an earlier backward. Pass { retainGraph: true } to the first backward, or compute the value again.",
      );
    }
    const rule = gradientRules[node.op] as (node: Node, gradient: Node) => readonly (Node | null)[];
    const towards = rule(node, gradient);
    for (let i = 0; i < node.inputs.length; i++) {
      const [input, part] = [node.inputs[i], towards[i]];
      if (part && input.requiresGrad) accumulate(input, part);
    }
  }
  return { found, walked };
}
