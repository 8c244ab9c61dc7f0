// Sparse connections (`torch.nn.init.sparse_`; Martens, "Deep learning via Hessian-free optimization", ICML 2010): every
// input reaches some outputs only.

import { ArgumentError, rand, randn, ShapeError, type Tensor, where } from "../../tensor/index.ts";
import { assign, checkDeviation, drawing, type InitOptions } from "./assign.ts";

/**
 * Normal with a share of zeros in every column (`sparse_`), rounded up to whole elements.
 * @param tensor a matrix, [out, in]
 * @param sparsity the share of zeros, from 0 to 1
 * @param std the standard deviation of the other elements. Default 0.01.
 * @throws ShapeError unless it is a matrix; ArgumentError for a share beyond 0 to 1 or a negative deviation
 *
 * @example
 * nn.init.sparse_(layer.weight, 0.9);
 */
export function sparse_(tensor: Tensor, sparsity: number, std = 0.01, options: InitOptions = {}): Tensor {
  if (tensor.ndim !== 2) throw new ShapeError("sparse_", [tensor.shape], "only a matrix can be sparse in its columns");
  if (!(sparsity >= 0 && sparsity <= 1)) {
    throw new ArgumentError("sparse_", `a share of ${sparsity} is not within 0 and 1`, "Give the share of zeros.");
  }
  checkDeviation("sparse_", std);
  const zeros = Math.ceil(sparsity * tensor.shape[0]);
  return assign(tensor, () => {
    const values = randn(tensor.shape, drawing(tensor, options)).mul(std);
    // Sorting random numbers gives every column the numbers 0, 1, ... of its rows in an order of its own.
    const order = rand(tensor.shape, { generator: options.generator }).argsort(0);
    return where(order.lt(zeros), 0, values);
  });
}
