// Images of another size. Along each side, every pixel of the result is a weighted mean of pixels of the image, the same for
// all rows: a product with a matrix that is known beforehand. After `torchvision.transforms.Resize` and
// `torch.nn.functional.interpolate` with half-pixel centers.

import { type Tensor, tensor } from "gradus";
import {
  checkImages,
  checkInterpolation,
  heightAndWidth,
  type ImageSize,
  type Interpolation,
  Transform,
  text,
} from "./transform.ts";

/** Options of `resize` and `Resize`. */
export interface ResizeOptions {
  /** Default "bilinear". */
  readonly interpolation?: Interpolation;
  /**
   * Whether a smaller image has each pixel averaged over all that it covers, instead of taken from at most four. For
   * "bilinear" only. Default true, as in torchvision.
   */
  readonly antialias?: boolean;
}

/** Rows of weights, [to, from], that a side of `from` pixels becomes one of `to` by. */
function bilinearWeights(from: number, to: number, antialias: boolean): Float64Array {
  const weights = new Float64Array(to * from);
  const scale = from / to;
  // Half the width of the triangle that a pixel sees, in pixels of the image.
  const support = antialias ? Math.max(scale, 1) : 1;
  for (let i = 0; i < to; i++) {
    const unclamped = (i + 0.5) * scale - 0.5;
    // A narrow triangle beyond the middle of the outermost pixel sees that pixel alone.
    const middle = antialias ? unclamped : Math.min(Math.max(unclamped, 0), from - 1);
    const row = weights.subarray(i * from, (i + 1) * from);
    let total = 0;
    for (let j = 0; j < from; j++) {
      const weight = Math.max(0, 1 - Math.abs(j - middle) / support);
      row[j] = weight;
      total += weight;
    }
    for (let j = 0; j < from; j++) row[j] /= total;
  }
  return weights;
}

/** One side, `axis` of [..., H, W], from its extent to another. */
function resizeSide(
  images: Tensor,
  axis: -2 | -1,
  to: number,
  { interpolation = "bilinear", antialias = true }: ResizeOptions,
): Tensor {
  const from = images.shape[images.ndim + axis];
  if (from === to) return images;
  if (interpolation === "nearest") {
    // Each pixel of the result takes the one that its left upper corner lies in, as float32 knows it: as in PyTorch.
    const scale = Math.fround(from / to);
    const places = Int32Array.from({ length: to }, (_, i) => Math.min(Math.floor(Math.fround(i * scale)), from - 1));
    return images.indexSelect(axis, tensor(places));
  }
  const weights = tensor(bilinearWeights(from, to, antialias), { dtype: images.dtype }).reshape([to, from]);
  return axis === -1 ? images.matmul(weights.T) : weights.matmul(images);
}

/**
 * Images of another size, [..., H, W] to [..., height, width] (`torchvision.transforms.functional.resize`).
 *
 * @param size [height, width], or a number for the shorter side; the longer one then keeps its proportion
 */
export function resize(images: Tensor, size: ImageSize, options: ResizeOptions = {}): Tensor {
  checkImages("resize", images);
  checkInterpolation("resize", options.interpolation ?? "bilinear");
  const [height, width] = resizedTo(images.shape, size);
  // The side that shrinks most comes first, which leaves less to do for the other.
  const [rows, columns] = images.shape.slice(-2);
  return height * columns <= rows * width
    ? resizeSide(resizeSide(images, -2, height, options), -1, width, options)
    : resizeSide(resizeSide(images, -1, width, options), -2, height, options);
}

function resizedTo(shape: readonly number[], size: ImageSize): readonly [height: number, width: number] {
  const wanted = heightAndWidth("resize", size);
  if (typeof size !== "number") return wanted;
  const [height, width] = shape.slice(-2);
  return height <= width ? [size, Math.trunc((size * width) / height)] : [Math.trunc((size * height) / width), size];
}

/**
 * Images of another size: [N, C, H, W] to [N, C, height, width] (`torchvision.transforms.Resize`).
 *
 * @example
 * new transforms.Resize([32, 32])
 */
export class Resize extends Transform {
  /**
   * @param size [height, width], or a number for the shorter side; the longer one then keeps its proportion
   * @param options how values between pixels are found
   */
  constructor(
    readonly size: ImageSize,
    readonly options: ResizeOptions = {},
  ) {
    super();
    heightAndWidth("Resize", size);
    checkInterpolation("Resize", options.interpolation ?? "bilinear");
  }

  protected transform(images: Tensor): Tensor {
    return resize(images, this.size, this.options);
  }

  override extraRepr(): string {
    return text(this.size);
  }
}
