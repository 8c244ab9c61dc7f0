// Einstein summation and the general convolution, as one loop over every multiplication each.

import { type Node, parseDotSpec, type Shape, sizeOf, stridesOf } from "../../graph/index.ts";
import { eachIndex, positionOf } from "./indices.ts";
import { addAs, multiplyAs } from "./rounding.ts";

/** out[labels of out] = sum over all other labels of a[labels of a] * b[labels of b]. */
export function dot(node: Node<"dot">, a: Float64Array, b: Float64Array): Float64Array {
  const labels = parseDotSpec(node.attributes.spec);
  const [shapeA, shapeB] = node.inputs.map((input) => input.shape);
  const every = [...new Set(labels.out + labels.a + labels.b)];
  const extents = every.map((label) =>
    labels.a.includes(label) ? shapeA[labels.a.indexOf(label)] : shapeB[labels.b.indexOf(label)],
  );
  /** An operand's stride along every label: 0 along the ones it does not have. */
  const stridesAlong = (operand: string, shape: Shape) => {
    const strides = stridesOf(shape);
    return every.map((label) => (operand.includes(label) ? strides[operand.indexOf(label)] : 0));
  };
  const stridesA = stridesAlong(labels.a, shapeA);
  const stridesB = stridesAlong(labels.b, shapeB);
  const stridesOut = stridesAlong(labels.out, node.shape);
  const out = new Float64Array(sizeOf(node.shape));
  eachIndex(extents, (index) => {
    const product = multiplyAs(node.dtype, a[positionOf(index, stridesA)], b[positionOf(index, stridesB)]);
    const position = positionOf(index, stridesOut);
    out[position] = addAs(node.dtype, out[position], product);
  });
  return out;
}

/**
 * Cross-correlation of x `[N, C, ...]` with w `[O, C / groups, ...]`. Element `p` of an output axis and `k` of the kernel
 * meet at `p * stride + k * kernelDilation - low` of the dilated input; what falls beside or between its elements is zero.
 */
export function conv(node: Node<"conv">, x: Float64Array, w: Float64Array): Float64Array {
  const { stride, low, inputDilation, kernelDilation, groups } = node.attributes;
  const [shapeX, shapeW] = node.inputs.map((input) => input.shape);
  const spatial = shapeX.length - 2;
  const [outputChannels, channelsPerGroup, ...kernel] = shapeW;
  const outputsPerGroup = outputChannels / groups;
  const stridesX = stridesOf(shapeX);
  const stridesW = stridesOf(shapeW);
  const stridesOut = stridesOf(node.shape);
  const out = new Float64Array(sizeOf(node.shape));
  eachIndex([...node.shape, channelsPerGroup, ...kernel], (index) => {
    const [image, output] = index;
    const channel = index[spatial + 2];
    const group = Math.floor(output / outputsPerGroup);
    let fromX = image * stridesX[0] + (group * channelsPerGroup + channel) * stridesX[1];
    let fromW = output * stridesW[0] + channel * stridesW[1];
    for (let i = 0; i < spatial; i++) {
      const k = index[spatial + 3 + i];
      const dilated = index[i + 2] * stride[i] + k * kernelDilation[i] - low[i];
      const element = dilated / inputDilation[i];
      if (!Number.isInteger(element) || element < 0 || element >= shapeX[i + 2]) return;
      fromX += element * stridesX[i + 2];
      fromW += k * stridesW[i + 2];
    }
    const position = positionOf(index, stridesOut);
    out[position] = addAs(node.dtype, out[position], multiplyAs(node.dtype, x[fromX], w[fromW]));
  });
  return out;
}
