// The affine map (`torch.nn.functional.linear`).

import { DTypeError, ShapeError, type Tensor } from "../../tensor/index.ts";

/**
 * y = x W^T + b.
 * @param x [..., inFeatures]
 * @param weight [outFeatures, inFeatures]
 * @param bias [outFeatures]
 * @returns [..., outFeatures]
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [outFeatures, inFeatures] = weight.shape;
  const found = x.shape[x.ndim - 1];
  if (x.ndim === 0 || found !== inFeatures) {
    const remedy =
      x.numel() % inFeatures === 0 && x.ndim > 2
        ? `Flatten the input, or make the layer as Linear(${found}, ${outFeatures}).`
        : `Make the layer as Linear(${found ?? 1}, ${outFeatures}), or give it an input of [..., ${inFeatures}].`;
    throw new ShapeError(
      "linear",
      [x.shape, weight.shape],
      `the input has ${found ?? "no"} features, the weight expects ${inFeatures}`,
      remedy,
    );
  }
  if (x.dtype !== weight.dtype) {
    throw new DTypeError(
      "linear",
      [x.dtype, weight.dtype],
      "input and weight must have one dtype",
      `Cast the input with .to("${weight.dtype}").`,
    );
  }
  const product = x.matmul(weight.T);
  return bias === null ? product : product.add(bias);
}
