// Spectral normalization (`torch.nn.utils.spectral_norm`): a weight divided by its largest singular value, which keeps a
// GAN's discriminator from being too steep. Source: Miyato, Kataoka, Koyama and Yoshida, "Spectral normalization for
// generative adversarial networks" (ICLR 2018), algorithm 1: one step of the power iteration for each training step is
// enough, as weights change slowly.

import { ArgumentError, noGrad, randn, type Tensor } from "../../tensor/index.ts";
import { TransposedConvolution } from "../conv.ts";
import { normalize } from "../functional/distance.ts";
import type { AnyModule } from "../module.ts";
import { install, type Method, partOf, uninstall } from "./reparametrization.ts";

/** Options of `spectralNorm`. */
export interface SpectralNormOptions {
  /** Steps of the power iteration in each forward pass in training. Default 1. */
  readonly nPowerIterations?: number;
  /** The least length that a vector is divided by. Default 1e-12. */
  readonly eps?: number;
  /** The dimension of outputs, which are the rows of the matrix. Default: 1 for transposed convolutions, else 0. */
  readonly dim?: number | null;
}

interface Settings {
  readonly nPowerIterations: number;
  readonly eps: number;
  readonly dim: number;
}

/** A weight as a matrix [outputs, all others]. */
const matrixOf = (weight: Tensor, dim: number): Tensor =>
  weight.permute([dim, ...weight.shape.keys()].filter((axis, i) => i === 0 || axis !== dim)).flatten(1);

const method = ({ nPowerIterations, eps, dim }: Settings): Method => {
  const unit = (vector: Tensor): Tensor => normalize(vector, { dim: 0, eps });
  return {
    operation: "spectralNorm",
    parts: ["_orig", "_u", "_v"],
    register(module, name, original) {
      const [rows, columns] = matrixOf(original, dim).shape;
      module.registerParameter(`${name}_orig`, original);
      module.registerBuffer(`${name}_u`, unit(randn([rows], { dtype: original.dtype })));
      module.registerBuffer(`${name}_v`, unit(randn([columns], { dtype: original.dtype })));
    },
    compute(module, name, training) {
      const original = partOf(module, `${name}_orig`);
      const [left, right] = [partOf(module, `${name}_u`), partOf(module, `${name}_v`)];
      const matrix = matrixOf(original, dim);
      if (training) noGrad(() => iterate(matrix, left, right));
      // Gradients pass through the singular value, but not through its vectors.
      const sigma = left.detach().dot(matrix.matmul(right.detach()));
      return original.div(sigma);
    },
  };

  function iterate(matrix: Tensor, left: Tensor, right: Tensor): void {
    for (let i = 0; i < nPowerIterations; i++) {
      right.copy_(unit(matrix.T.matmul(left)));
      left.copy_(unit(matrix.matmul(right)));
    }
  }
};

/**
 * Divides a weight by its largest singular value in every forward pass. The parameter becomes "weight_orig", and the
 * estimate of the singular vectors is kept in the buffers "weight_u" and "weight_v", as in PyTorch, whose state dicts
 * load. In evaluation the estimate stays as it is. Make the optimizer after.
 * @param module a layer with a weight: linear, convolutional, embedding
 * @param name which of its own parameters, by its key. Default "weight".
 * @returns the module
 * @throws GradusError if there is no such parameter, or it is normalized already; ArgumentError for a weight of fewer than
 *   two dimensions, and fewer than one iteration
 *
 * @example
 * const discriminator = new nn.Sequential(
 *   nn.utils.spectralNorm(new nn.Conv2d(3, 64, 4, { stride: 2, padding: 1 })),
 *   new nn.LeakyReLU(0.2),
 * );
 */
export function spectralNorm<M extends AnyModule>(module: M, name = "weight", options: SpectralNormOptions = {}): M {
  const { nPowerIterations = 1, eps = 1e-12 } = options;
  if (!(Number.isInteger(nPowerIterations) && nPowerIterations >= 1)) {
    throw new ArgumentError("spectralNorm", `${nPowerIterations} iterations are none`, "Use one or more.");
  }
  const dim = options.dim ?? (module instanceof TransposedConvolution ? 1 : 0);
  const weight = new Map(module.ownParameters()).get(name);
  if (weight !== undefined && !(weight.ndim >= 2 && dim >= 0 && dim < weight.ndim)) {
    throw new ArgumentError(
      "spectralNorm",
      `"${name}" of shape [${weight.shape.join(", ")}] is no matrix with the outputs in dimension ${dim}`,
      "Normalize weights of two dimensions or more.",
    );
  }
  install(method({ nPowerIterations, eps, dim }), module, name);
  return module;
}

/**
 * Makes a weight under `spectralNorm` a plain parameter again, with the value that a forward pass would use in evaluation
 * (`torch.nn.utils.remove_spectral_norm`).
 * @returns the module
 * @throws GradusError if it is not under `spectralNorm`
 */
export function removeSpectralNorm<M extends AnyModule>(module: M, name = "weight"): M {
  uninstall("spectralNorm", module, name);
  return module;
}
