import { expect, it, vi } from "vitest";
import { detectFeatures, hasRelaxedSimd, hasThreads } from "../../../src/backends/cpu/wasm/features.ts";

it("Node has vectors, relaxed vectors and threads, relaxed ones behind a flag that detection sets where needed", async () => {
  expect(await detectFeatures()).toEqual({ simd: true, relaxedSimd: true, threads: true });
  expect(hasRelaxedSimd()).toBe(true);
});

it("without SharedArrayBuffer there are no threads", () => {
  expect(hasThreads()).toBe(true);
  vi.stubGlobal("SharedArrayBuffer", undefined);
  expect(hasThreads()).toBe(false);
  vi.unstubAllGlobals();
});
