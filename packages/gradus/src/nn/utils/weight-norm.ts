// Weight normalization (`torch.nn.utils.weight_norm`): a weight as its length times its direction, which are learned apart.
// Source: Salimans and Kingma, "Weight normalization: a simple reparameterization to accelerate training of deep neural
// networks" (NeurIPS 2016), section 2.

import { ArgumentError, Parameter, type Tensor } from "../../tensor/index.ts";
import type { AnyModule } from "../module.ts";
import { install, type Method, partOf, uninstall } from "./reparametrization.ts";

/** The lengths of a weight's slices along a dimension, with 1 in the others; or with null the length of the whole. */
function lengthOf(weight: Tensor, dim: number | null): Tensor {
  if (dim === null) return weight.norm();
  const others = [...weight.shape.keys()].filter((axis) => axis !== dim);
  // A vector's slices are numbers.
  return others.length === 0 ? weight.abs() : weight.norm(2, others, { keepdim: true });
}

const method = (dim: number | null): Method => ({
  operation: "weightNorm",
  parts: ["_g", "_v"],
  register(module, name, original) {
    module.registerParameter(`${name}_g`, new Parameter(lengthOf(original.detach(), dim), original.requiresGrad));
    module.registerParameter(`${name}_v`, new Parameter(original.detach(), original.requiresGrad));
  },
  compute(module, name) {
    const [length, direction] = [partOf(module, `${name}_g`), partOf(module, `${name}_v`)];
    return direction.mul(length.div(lengthOf(direction, dim)));
  },
});

/**
 * Has a weight learned as its length and its direction: the parameter becomes "weight_g" and "weight_v", as in PyTorch,
 * whose state dicts load. Make the optimizer after.
 * @param module a layer with a weight: linear, convolutional, a recurrent cell
 * @param name which of its own parameters, by its key. Default "weight".
 * @param dim the dimension whose slices have a length each, null for one length of the whole. Default 0, the outputs.
 * @returns the module
 * @throws GradusError if there is no such parameter, or it is normalized already; ArgumentError for another dimension
 *
 * @example
 * const layer = nn.utils.weightNorm(new nn.Linear(20, 40));
 * layer.stateDict().keys(); // "bias", "weight_g" of [40, 1], "weight_v" of [40, 20]
 */
export function weightNorm<M extends AnyModule>(module: M, name = "weight", dim: number | null = 0): M {
  const weight = new Map(module.ownParameters()).get(name);
  if (weight !== undefined && dim !== null && !(Number.isInteger(dim) && dim >= 0 && dim < weight.ndim)) {
    throw new ArgumentError("weightNorm", `"${name}" of [${weight.shape.join(", ")}] has no dimension ${dim}`);
  }
  install(method(dim), module, name);
  return module;
}

/**
 * Makes a weight under `weightNorm` a plain parameter again, with its present value (`torch.nn.utils.remove_weight_norm`).
 * @returns the module
 * @throws GradusError if it is not under `weightNorm`
 */
export function removeWeightNorm<M extends AnyModule>(module: M, name = "weight"): M {
  uninstall("weightNorm", module, name);
  return module;
}
