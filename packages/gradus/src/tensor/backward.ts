// `backward` and `grad`: from tensors to the graph's gradients and back.

import { AutogradError, gradients } from "../autograd/index.ts";
import { build, type Node, ShapeError, sameShape, sizeOf } from "../graph/index.ts";
import { engine } from "./engine.ts";
import { nodeOf, Tensor } from "./tensor.ts";

/** Options of `Tensor.backward`. */
export interface BackwardOptions {
  /** Keep the graph so that it can be walked again. Default: the value of `createGraph`. */
  readonly retainGraph?: boolean;
  /** Record the gradients themselves, for gradients of gradients. Default false. */
  readonly createGraph?: boolean;
}

/** Which tensor a leaf belongs to, so that its `.grad` can be set. Keeps no tensor alive. */
const owners = new WeakMap<object, WeakRef<Tensor>>();
/** Tensors in the middle of the graph that asked for their gradient. */
const keepers = new WeakMap<Node, WeakRef<Tensor>>();

export function noteOwner(leaf: object, tensor: Tensor): void {
  owners.set(leaf, new WeakRef(tensor));
}

export function noteRetainGrad(node: Node, tensor: Tensor): void {
  keepers.set(node, new WeakRef(tensor));
}

function ownerOf(node: Node): Tensor | undefined {
  const kept = keepers.get(node)?.deref();
  if (kept !== undefined) return kept;
  return node.isGradientLeaf ? owners.get(node.source ?? node)?.deref() : undefined;
}

function seedFor(operation: string, output: Tensor, gradient: Tensor | undefined): Node {
  if (!output.requiresGrad) {
    throw new AutogradError(
      `${operation}: this tensor does not require a gradient. Compute it from a parameter, or from a tensor with requiresGrad, outside of noGrad.`,
    );
  }
  if (gradient === undefined) {
    if (sizeOf(output.shape) !== 1) {
      throw new ShapeError(
        operation,
        [output.shape],
        "a gradient can be taken by itself only of a single number",
        "Reduce the tensor, for example with mean(), or pass the gradient that arrives at it.",
      );
    }
    return build.full(1, output.shape, output.dtype);
  }
  if (!sameShape(gradient.shape, output.shape)) {
    throw new ShapeError(operation, [output.shape, gradient.shape], "the gradient must have the tensor's shape");
  }
  return build.cast(nodeOf(gradient), output.dtype);
}

/** Once their values are there, nodes that a backward pass went through need not remember their inputs. */
function useUp(walked: readonly Node[], options: BackwardOptions): void {
  if (options.retainGraph ?? options.createGraph) return;
  for (const node of walked) node.usedUp = true;
}

/** Adds the gradient of a tensor to `.grad` of every leaf it depends on (`torch.Tensor.backward`). */
export function backward(output: Tensor, gradient?: Tensor, options: BackwardOptions = {}): void {
  const seed = seedFor("backward", output, gradient);
  const root = output.node;
  const { found, walked } = gradients([root], [seed], (node) => ownerOf(node) !== undefined);
  for (const [node, value] of found) {
    const owner = ownerOf(node);
    if (owner === undefined) continue;
    const recorded = options.createGraph ? value : build.detach(value);
    owner.grad = owner.grad === null ? Tensor.of(recorded) : owner.grad.add(Tensor.of(recorded));
  }
  // The loss is nearly always read after the step: it is computed along.
  if (sizeOf(output.shape) === 1) engine.retain(root);
  useUp(walked, options);
}

/** Options of `grad`. */
export interface GradOptions extends BackwardOptions {
  /** The gradient that each output begins with, of its shape. Default 1, for an output of one element. */
  readonly gradOutputs?: readonly (Tensor | undefined)[];
  /** Give null for inputs that the outputs do not depend on, instead of an error. Default false. */
  readonly allowUnused?: boolean;
}

/**
 * The gradients of outputs with respect to inputs, without touching `.grad` (`torch.autograd.grad`).
 * @throws AutogradError if an input does not require a gradient, or is not used and `allowUnused` is not set
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions & { readonly allowUnused: true },
): (Tensor | null)[];
export function grad(outputs: Tensor | readonly Tensor[], inputs: Tensor, options?: GradOptions): [Tensor];
export function grad(outputs: Tensor | readonly Tensor[], inputs: readonly Tensor[], options?: GradOptions): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const from = outputs instanceof Tensor ? [outputs] : outputs;
  const towards = inputs instanceof Tensor ? [inputs] : inputs;
  for (const input of towards) {
    if (!input.requiresGrad)
      throw new AutogradError(
        "grad: an input does not require a gradient. Call requiresGrad_() on it before using it.",
      );
  }
  const seeds = from.map((output, i) => seedFor("grad", output, options.gradOutputs?.[i]));
  const roots = from.map((output) => output.node);
  const nodes = towards.map((input) => input.node);
  const wanted = new Set(nodes);
  const { found, walked } = gradients(roots, seeds, (node) => wanted.has(node));
  useUp(walked, options);
  return nodes.map((node, i) => {
    const value = found.get(node);
    if (value === undefined) {
      if (options.allowUnused) return null;
      throw new AutogradError(
        `grad: the outputs do not depend on input ${i}, of shape [${towards[i].shape.join(", ")}]. Pass { allowUnused: true } to get null for it.`,
      );
    }
    return Tensor.of(options.createGraph ? value : build.detach(value));
  });
}
