// Pass 2, fuse: the graph becomes kernels. First it is decided which values are stored, all others are computed where
// they are read; then every stored value is given to a kernel. A kernel is grown around an anchor (a reduction or a
// contraction): what precedes it is computed as it is read, what follows it element by element is its epilogue.

import { type Node, sameShape, sizeOf, topologicalOrder } from "../graph/index.ts";
import { computationCost } from "./cost.ts";
import { inputs, isAnchor, isMap, type Kernel, type KernelKind, leaves, opaque } from "./kernel.ts";
import { orderForMemory } from "./order.ts";
import { joinStages } from "./stages.ts";
import { viewBase } from "./view-index.ts";

/** Kernels in an order in which they can run. Those of one group need no barrier between them and run as one kernel. */
export interface FusedGraph {
  readonly groups: readonly (readonly Kernel[])[];
  readonly stored: ReadonlySet<Node>;
  /** Nodes that several nodes read. */
  readonly shared: ReadonlySet<Node>;
}

/** Beyond this, computing a value again for every reader costs more than storing it. */
const recomputeLimit = 24;

/** Kernels that a reduction is offered to. */
const partnersTried = 4;

export function fuse(outputs: readonly Node[]): FusedGraph {
  const order = topologicalOrder(outputs);
  const users = usersOf(order);
  const { stored, epilogues } = chooseStored(order, users, outputs);
  const assigner = new KernelAssigner(stored, epilogues);
  for (const node of order) assigner.place(node);
  const separate = assigner.sorted();
  dropUnread(separate, stored, outputs);
  const kernels = orderForMemory(joinStages(separate, stored, outputs), stored, new Set(outputs));
  const readTwice = order.flatMap((node) => node.inputs.filter((input, i) => node.inputs.indexOf(input) < i));
  const shared = new Set([...order.filter((node) => users.get(node)!.size > 1), ...readTwice]);
  return { groups: groupIndependent(kernels), stored, shared };
}

/** What only its own kernel reads stays in registers. */
function dropUnread(kernels: readonly Kernel[], stored: Set<Node>, outputs: readonly Node[]): void {
  const needed = new Set([...outputs, ...kernels.flatMap((kernel) => [...kernel.reads])]);
  for (const kernel of kernels) {
    const kept = kernel.outputs.filter((node) => needed.has(node));
    for (const node of kernel.outputs) if (!needed.has(node)) stored.delete(node);
    kernel.outputs.splice(0, kernel.outputs.length, ...kept);
  }
}

function usersOf(order: readonly Node[]): Map<Node, Set<Node>> {
  const users = new Map<Node, Set<Node>>(order.map((node) => [node, new Set()]));
  for (const node of order) for (const input of node.inputs) users.get(input)!.add(node);
  return users;
}

function chooseStored(
  order: readonly Node[],
  users: Map<Node, Set<Node>>,
  outputs: readonly Node[],
): { stored: Set<Node>; epilogues: Map<Node, Node> } {
  const stored = new Set<Node>(outputs);
  const store = (node: Node): void => {
    if (!inputs.has(node.op)) stored.add(node);
  };
  for (const node of order) {
    if (opaque.has(node.op)) store(node);
    if (node.op === "dot") for (const operand of node.inputs) store(viewBase(operand));
    if (node.op === "argsort") store(viewBase(node.inputs[0]));
    if (node.op === "gather" && !leaves.has(viewBase(node.inputs[0]).op)) store(viewBase(node.inputs[0]));
  }
  const epilogues = growEpilogues(order, users, stored);
  storeExpensive(order, users, stored);
  return { stored, epilogues };
}

/**
 * From each anchor along its only user as long as that is a map of the same elements: the end of the chain is stored
 * instead of the anchor. Later anchors choose first, for all that a chain reads must be there before its kernel runs.
 */
function growEpilogues(order: readonly Node[], users: Map<Node, Set<Node>>, stored: Set<Node>): Map<Node, Node> {
  const owner = new Map<Node, Node>();
  for (const anchor of order.filter(isAnchor).reverse()) {
    const chain: Node[] = [anchor];
    for (let end = anchor; !stored.has(end); ) {
      const [user, ...others] = users.get(end)!;
      if (user === undefined || others.length > 0 || owner.has(user)) break;
      const continues = isMap(user) || user.op === "reshape";
      if (!continues || sizeOf(user.shape) !== sizeOf(anchor.shape) || !canFollow(anchor, user)) break;
      chain.push(user);
      end = user;
    }
    while (chain.length > 1 && chain[chain.length - 1].op === "reshape" && !stored.has(chain[chain.length - 1]))
      chain.pop();
    for (const node of chain) owner.set(node, anchor);
    stored.add(chain[chain.length - 1]);
  }
  return owner;
}

/** A contraction's epilogue works on vectors, which float64 has none of. */
const canFollow = (anchor: Node, user: Node): boolean => anchor.op !== "dot" || user.dtype !== "float64";

/** Stores what many would compute again, and what would be computed again for every repetition. */
function storeExpensive(order: readonly Node[], users: Map<Node, Set<Node>>, stored: Set<Node>): void {
  const costs = new Map<Node, number>();
  for (const node of order) {
    const kept = (): boolean => stored.has(node) || inputs.has(node.op) || isAnchor(node);
    const own = computationCost(node);
    costs.set(node, kept() ? 1 : node.inputs.reduce((sum, input) => sum + costs.get(input)!, own));
    const [x] = node.inputs;
    if (x !== undefined && !kept()) {
      const innermost = node.shape.findLastIndex((extent) => extent > 1);
      const repeats = node.op === "expand" && innermost >= 0 && x.shape[innermost] !== 1;
      const overlaps = node.is("window") && node.attributes.stride.some((step, i) => step < node.attributes.size[i]);
      if ((repeats || overlaps) && costs.get(x)! > 6) storeComputed(x, stored);
      if (repeats || overlaps) costs.set(node, Math.min(costs.get(node)!, 6));
    }
    const readers = users.get(node)!.size;
    if (!kept() && isMap(node) && readers > 1 && costs.get(node)! * (readers - 1) > recomputeLimit) {
      stored.add(node);
      costs.set(node, 1);
    }
  }
}

function storeComputed(node: Node, stored: Set<Node>): void {
  const base = viewBase(node);
  if (!leaves.has(base.op)) stored.add(base);
}

interface Read {
  readonly node: Node;
  /** Whether each result reads just the element at its own position. */
  readonly pointwise: boolean;
}

/**
 * Gives nodes to kernels one after another. A kernel reads what its nodes read and also, from the moment its anchor is
 * placed, what the anchor's epilogue will read; so whether kernels wait for each other in a circle is known at once.
 */
class KernelAssigner {
  private readonly kernels: Kernel[] = [];
  private readonly kernelOf = new Map<Node, Kernel>();
  /** Every anchor with the maps that follow it. */
  private readonly chains = new Map<Node, Node[]>();

  constructor(
    private readonly stored: ReadonlySet<Node>,
    private readonly epilogues: ReadonlyMap<Node, Node>,
  ) {
    for (const [node, anchor] of epilogues) this.chains.set(anchor, [...(this.chains.get(anchor) ?? []), node]);
  }

  place(node: Node): void {
    if (isAnchor(node)) this.placeAnchor(node);
    else if (opaque.has(node.op)) this.open(node.op as KernelKind, node, this.readsOf(node.inputs));
    else if (this.stored.has(node)) this.placeMap(node);
  }

  private placeAnchor(node: Node): void {
    const chain = this.chains.get(node) ?? [node];
    const reads = this.readsOf(chain.flatMap(({ inputs }) => inputs));
    for (const member of chain) reads.delete(member);
    // Only the nearest kernels are tried: each trial walks the graph.
    const partner = this.kernels
      .filter(({ kind, anchors }) => kind === "reduce" && canShareLoops(anchors[0], node))
      .slice(-partnersTried)
      .find(
        (kernel) =>
          // Loops are worth sharing for what both read many elements of.
          [...reads].some((read) => kernel.reads.has(read) && sizeOf(read.shape) > sizeOf(node.shape)) &&
          // Neither may need of the other more than the element at hand, so none may read the other at all.
          ![...reads].some((read) => this.kernelOf.get(read) === kernel) &&
          !chain.some((member) => kernel.reads.has(member)) &&
          this.canTake(kernel, node, reads),
      );
    if (partner !== undefined) {
      partner.anchors.push(node);
      this.adopt(partner, node, reads);
    } else {
      this.open(node.op === "dot" ? "contract" : "reduce", node, reads);
    }
  }

  private placeMap(node: Node): void {
    const reads = this.pointwiseReads(node);
    const anchor = this.epilogues.get(node);
    const home = anchor === undefined ? this.findHome(node, reads) : this.kernelOf.get(anchor);
    const others = new Set(reads.map((read) => read.node));
    if (home !== undefined) this.adopt(home, node, others);
    else this.open("map", node, others);
  }

  /** A kernel over the same elements that has computed something this node reads, or reads the same. */
  private findHome(node: Node, reads: readonly Read[]): Kernel | undefined {
    return this.kernels.findLast((kernel) => {
      if (kernel.kind !== "map" && kernel.kind !== "reduce" && kernel.kind !== "contract") return false;
      if (kernel.kind === "contract" && !canFollow(kernel.anchors[0], node)) return false;
      const own = reads.filter((read) => this.kernelOf.get(read.node) === kernel);
      // What is read element by element may be laid out in other dimensions.
      const sameElements = own.length > 0 && sizeOf(kernel.shape) === sizeOf(node.shape);
      if (!sameElements && !sameShape(kernel.shape, node.shape)) return false;
      const shares = own.length > 0 || (kernel.kind === "map" && reads.some((read) => kernel.reads.has(read.node)));
      if (!shares || own.some((read) => !read.pointwise)) return false;
      return this.canTake(kernel, node, new Set(reads.map((read) => read.node)));
    });
  }

  private open(kind: KernelKind, node: Node, reads: ReadonlySet<Node>): void {
    const anchors = kind === "map" ? [] : [node];
    const kernel: Kernel = { kind, shape: node.shape, anchors, outputs: [], reads: new Set() };
    this.kernels.push(kernel);
    this.adopt(kernel, node, reads);
  }

  private adopt(kernel: Kernel, node: Node, reads: ReadonlySet<Node>): void {
    if (this.stored.has(node)) kernel.outputs.push(node);
    this.kernelOf.set(node, kernel);
    for (const read of reads) kernel.reads.add(read);
    for (const read of kernel.reads) if (this.kernelOf.get(read) === kernel) kernel.reads.delete(read);
  }

  /** Whether a kernel can compute a node too without having to wait for itself. */
  private canTake(kernel: Kernel, node: Node, reads: ReadonlySet<Node>): boolean {
    this.kernelOf.set(node, kernel);
    const others = [...kernel.reads, ...reads].filter((read) => this.kernelOf.get(read) !== kernel);
    const circular = this.dependsOn(others, kernel);
    this.kernelOf.delete(node);
    return !circular;
  }

  /** Whether any of these values comes, directly or not, from a kernel. */
  private dependsOn(values: readonly Node[], target: Kernel): boolean {
    const seen = new Set<Kernel | Node>();
    const visit = (node: Node): boolean => {
      const kernel = this.kernelOf.get(node);
      if (kernel === target) return true;
      // What has no kernel yet will need its inputs.
      const place = kernel ?? node;
      if (seen.has(place)) return false;
      seen.add(place);
      return kernel === undefined ? node.inputs.some(visit) : [...kernel.reads].some(visit);
    };
    return values.some(visit);
  }

  /** Stored values and anchors that computing these nodes reads. */
  private readsOf(nodes: readonly Node[]): Set<Node> {
    const reads = new Set<Node>();
    for (const node of nodes) this.collect(node, false, (read) => reads.add(read.node));
    return reads;
  }

  private pointwiseReads(node: Node): Read[] {
    const reads: Read[] = [];
    const stays = isMap(node) || node.op === "reshape";
    for (const input of node.inputs) this.collect(input, stays, (read) => reads.push(read));
    return reads;
  }

  private collect(node: Node, pointwise: boolean, note: (read: Read) => void, seen = new Set<string>()): void {
    const key = `${node.id}${pointwise}`;
    if (seen.has(key)) return;
    seen.add(key);
    if (this.stored.has(node) || inputs.has(node.op) || isAnchor(node)) {
      note({ node, pointwise });
      return;
    }
    const stays = pointwise && (isMap(node) || node.op === "reshape");
    for (const input of node.inputs) this.collect(input, stays, note, seen);
  }

  /** Kernels ordered so that each comes after those it reads from. */
  sorted(): Kernel[] {
    const result: Kernel[] = [];
    const done = new Set<Kernel>();
    const visit = (kernel: Kernel): void => {
      if (done.has(kernel)) return;
      done.add(kernel);
      for (const read of kernel.reads) {
        const source = this.kernelOf.get(read);
        if (source !== undefined) visit(source);
      }
      result.push(kernel);
    };
    this.kernels.forEach(visit);
    return result;
  }
}

/** Two reductions run in one loop if they run over the same elements in the same order. */
function canShareLoops(a: Node, b: Node): boolean {
  if (a.op === "fold" || b.op === "fold") return false;
  const axes = (node: Node): string => String((node.attributes as { axes: readonly number[] }).axes);
  return sameShape(a.inputs[0].shape, b.inputs[0].shape) && axes(a) === axes(b);
}

/** Map kernels that nothing reads, such as all updates of a step, become one kernel at the end. */
function groupIndependent(kernels: readonly Kernel[]): Kernel[][] {
  const read = new Set(kernels.flatMap((kernel) => [...kernel.reads]));
  const isSink = (kernel: Kernel): boolean => kernel.kind === "map" && !kernel.outputs.some((node) => read.has(node));
  const sinks = kernels.filter(isSink);
  const groups = kernels.filter((kernel) => !isSink(kernel)).map((kernel) => [kernel]);
  return sinks.length === 0 ? groups : [...groups, sinks];
}
