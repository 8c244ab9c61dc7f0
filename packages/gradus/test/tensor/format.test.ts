// Tensors print as PyTorch prints them, but for TypeScript's spelling (true, requiresGrad, size=[0, 3]) and int32 as the
// integer dtype that goes without saying. tools/golden_ops.py writes the texts.

import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import golden from "../golden/printing.json";
import { useDevice } from "../support/device.ts";
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

test("a parameter prints its name, and a tensor can be printed at once where the thread may block", () => {
  expect(new gd.Parameter(gd.tensor([1.5, 2])).toString()).toBe("Parameter([1.5000, 2.0000], requiresGrad=true)");
  expect(`${gd.tensor([[1, 2]])}`).toBe("tensor([[1., 2.]])");
});
