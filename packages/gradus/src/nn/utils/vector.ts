// All parameters as one vector and back (`torch.nn.utils`): for optimizers that work on vectors, and for distances of
// models.

import { cat, noGrad, ShapeError, type Tensor, zeros } from "../../tensor/index.ts";

/**
 * All parameters one after another (`torch.nn.utils.parameters_to_vector`). Gradients pass through.
 * @param parameters tensors of any shapes
 * @returns [number of all their elements]
 */
export function parametersToVector(parameters: Iterable<Tensor>): Tensor {
  const parts = [...parameters].map((parameter) => parameter.reshape(-1));
  return parts.length === 0 ? zeros([0]) : cat(parts);
}

/**
 * Gives parameters the values of a vector (`torch.nn.utils.vector_to_parameters`), outside of any gradient.
 * @param vector [number of all their elements]
 * @throws ShapeError if it has more elements, or fewer; no parameter is changed then
 *
 * @example
 * const start = nn.utils.parametersToVector(model.parameters()).detach();
 * nn.utils.vectorToParameters(start.mul(0.5), model.parameters());
 */
export function vectorToParameters(vector: Tensor, parameters: Iterable<Tensor>): void {
  const all = [...parameters];
  const total = all.reduce((sum, parameter) => sum + parameter.numel(), 0);
  if (vector.ndim !== 1 || vector.shape[0] !== total) {
    throw new ShapeError(
      "vectorToParameters",
      [vector.shape],
      `${all.length} parameters have ${total} elements together`,
      `Give a vector of the shape [${total}].`,
    );
  }
  noGrad(() => {
    let start = 0;
    for (const parameter of all) {
      const part = vector.narrow(0, start, parameter.numel());
      parameter.copy_(part.reshape(parameter.shape));
      start += parameter.numel();
    }
  });
}
