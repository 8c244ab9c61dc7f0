// From the bytes of an image to the floats of a tensor. After `torchvision.transforms.ToTensor`.

import { DTypeError, type data, isTensor, ShapeError, Tensor } from "gradus";

/**
 * Bytes as they come from files and canvases, to floats from 0 to 1 (`torchvision.transforms.ToTensor`).
 *
 * @param image uint8 [H, W, C], or [H, W] for gray; also batches [N, H, W, C], as a tensor or as bytes with a shape
 * @returns float32 [C, H, W], or [N, C, H, W]
 *
 * @example
 * const image = toTensor({ data: bytes, shape: [28, 28] }); // [1, 28, 28]
 */
export function toTensor(image: data.HostArray | Tensor): Tensor {
  const bytes = isTensor(image) ? image : Tensor.fromArray(image.data, image.shape, image.dtype);
  if (bytes.dtype !== "uint8") {
    throw new DTypeError("toTensor", [bytes.dtype], "an image is made of bytes", "Pass a Uint8Array.");
  }
  if (bytes.ndim < 2 || bytes.ndim > 4) {
    throw new ShapeError("toTensor", [bytes.shape], "images are [H, W], [H, W, C] or [N, H, W, C]");
  }
  const pixels = bytes.ndim === 2 ? bytes.unsqueeze(2) : bytes;
  const channelsFirst = pixels.ndim === 3 ? pixels.permute(2, 0, 1) : pixels.permute(0, 3, 1, 2);
  return channelsFirst.to("float32").div(255);
}
