// Tensors print as PyTorch prints them, but for TypeScript's spelling (true, requiresGrad, size=[0, 3]) and int32 as the
// integer dtype that goes without saying. tools/golden_ops.py writes the texts.

import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import golden from "../golden/printing.json";
import { canBlock, useDevice } from "../support/device.ts";
import { type StoredTensor, tensorOf } from "../support/golden.ts";

interface PrintedCase {
  readonly name: string;
  readonly requiresGrad: boolean;
  readonly tensor: StoredTensor;
  readonly text: string;
}

beforeAll(useDevice);

for (const { name, requiresGrad, tensor, text } of golden as unknown as readonly PrintedCase[]) {
  test(`${name}, as PyTorch prints it`, async () => {
    expect(await tensorOf(tensor, requiresGrad).format()).toBe(text);
  });
}

test("a parameter prints its name, and a tensor can be printed at once where its value is at hand", async () => {
  const parameter = new gd.Parameter(gd.tensor([1.5, 2]));
  await gd.flush();
  expect(parameter.toString()).toBe("Parameter([1.5000, 2.0000], requiresGrad=true)");
  expect(`${gd.tensor([[1, 2]])}`).toBe("tensor([[1., 2.]])");
});

test("a tensor that has to be computed is printed at once where the thread may block, elsewhere as what it is", () => {
  const sum = gd.tensor([[1, 2]]).add(1);
  expect(`${sum}`).toBe(canBlock() ? "tensor([[2., 3.]])" : "tensor(shape=[1, 2], dtype=float32)");
});
