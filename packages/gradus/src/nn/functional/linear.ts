// The affine map and the bilinear one (`torch.nn.functional`, linear functions).

import { DTypeError, einsum, ShapeError, type Tensor } from "../../tensor/index.ts";

/**
 * y = x W^T + b (`torch.nn.functional.linear`).
 * @param x [..., inFeatures]
 * @param weight [outFeatures, inFeatures]
 * @param bias [outFeatures]
 * @returns [..., outFeatures]
 * @throws ShapeError if the features do not fit, DTypeError if the dtypes differ
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

/**
 * y_o = x1^T A_o x2 + b_o, a linear map of each input for the other held fixed (`torch.nn.functional.bilinear`).
 * @param x1 [..., in1Features]
 * @param x2 [..., in2Features], with the same leading dimensions
 * @param weight [outFeatures, in1Features, in2Features]
 * @param bias [outFeatures]
 * @returns [..., outFeatures]
 * @throws ShapeError if features or leading dimensions do not fit
 */
export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [outFeatures, in1Features, in2Features] = weight.shape;
  const leading = x1.shape.slice(0, -1);
  const sizes = [
    { name: "first", found: x1.shape[x1.ndim - 1], expected: in1Features },
    { name: "second", found: x2.shape[x2.ndim - 1], expected: in2Features },
  ];
  for (const { name, found, expected } of sizes) {
    if (found === expected) continue;
    throw new ShapeError(
      "bilinear",
      [x1.shape, x2.shape, weight.shape],
      `the ${name} input has ${found ?? "no"} features, the weight expects ${expected}`,
      `Give it an input of [..., ${expected}].`,
    );
  }
  if (leading.join() !== x2.shape.slice(0, -1).join()) {
    throw new ShapeError(
      "bilinear",
      [x1.shape, x2.shape],
      "the inputs differ in their leading dimensions",
      "Both need one batch.",
    );
  }
  for (const x of [x1, x2]) {
    if (x.dtype === weight.dtype) continue;
    throw new DTypeError(
      "bilinear",
      [x.dtype, weight.dtype],
      "inputs and weight must have one dtype",
      `Cast the inputs with .to("${weight.dtype}").`,
    );
  }
  const count = leading.reduce((product, extent) => product * extent, 1);
  const [left, right] = [x1.reshape([count, in1Features]), x2.reshape([count, in2Features])];
  const product = einsum("bi,oij,bj->bo", left, weight, right).reshape([...leading, outFeatures]);
  return bias === null ? product : product.add(bias);
}
