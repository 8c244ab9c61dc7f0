// Rewriting a program's graph from its inputs to its outputs: every node is offered to a rule with its inputs already
// rewritten. The rewritten graph shares equal nodes, through a table of its own that dies with the rewriting.

import { inferKind, Node, type Op, type OpAttributes, type ShapeAndDType, topologicalOrder } from "../graph/index.ts";

/** Makes nodes of a private graph, equal ones once. */
export class GraphBuilder {
  private readonly known = new Map<string, Node>();

  make<K extends Op>(op: K, inputs: readonly Node[], attributes: OpAttributes[K], wanted?: ShapeAndDType): Node {
    const kind = inferKind(op, inputs, attributes, wanted);
    const key = `${kind.id}|${inputs.map((input) => input.id)}`;
    let node = this.known.get(key);
    if (node === undefined) {
      node = new Node(kind, inputs) as unknown as Node;
      this.known.set(key, node);
    }
    return node;
  }

  /** The same operation on other inputs. */
  withInputs(node: Node, inputs: readonly Node[]): Node {
    const same = inputs.every((input, i) => input === node.inputs[i]);
    return this.make(node.op, same ? node.inputs : inputs, node.attributes, node);
  }
}

/** Leaves that stand for values bound at run time; they keep their identity. */
const bound: ReadonlySet<Op> = new Set<Op>(["data", "state", "scalar"]);

export type RewriteRule = (node: Node, build: GraphBuilder) => Node;

/** The outputs after every node was replaced by what the rule makes of it. */
export function rewrite(outputs: readonly Node[], build: GraphBuilder, rule: RewriteRule): Node[] {
  const replaced = new Map<Node, Node>();
  for (const node of topologicalOrder(outputs)) {
    const rebuilt = bound.has(node.op)
      ? node
      : build.withInputs(
          node,
          node.inputs.map((input) => replaced.get(input)!),
        );
    replaced.set(node, rule(rebuilt, build));
  }
  return outputs.map((node) => replaced.get(node)!);
}
