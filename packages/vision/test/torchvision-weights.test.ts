// Weights of torchvision: a file of torch.save loads unchanged, and the model then says what PyTorch's says.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { resnet18 } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";

beforeAll(() => gd.init({ threads: 1 }));

interface Run {
  /** [1, 3, 32, 32] */
  readonly image: readonly number[];
  /** [1, 1000] */
  readonly logits: readonly number[];
}

test("ResNet-18 takes torchvision's state dict and gives PyTorch's logits", async () => {
  // tools/golden_io.py wrote both.
  const golden = join(import.meta.dirname, "golden", "resnet18.json");
  const { image, logits } = JSON.parse(await readFile(golden, "utf8")) as Run;
  const file = join(import.meta.dirname, "../../gradus/test/golden/io/resnet18.pt");
  const model = resnet18();
  const report = model.loadStateDict(gd.io.decodePtState(await readFile(file), file));
  expect(report).toEqual({ missingKeys: [], unexpectedKeys: [] });
  model.eval();
  const found = await model.forward(gd.tensor(image).reshape([1, 3, 32, 32])).data();
  expect(found.length).toBe(1000);
  const largest = Math.max(...logits.map(Math.abs));
  // Twenty layers of sums in another order than PyTorch's: a few units of float32 of the largest logit.
  const worst = Math.max(...logits.map((logit, i) => Math.abs(found[i] - logit)));
  expect(worst / largest).toBeLessThan(1e-5);
});
