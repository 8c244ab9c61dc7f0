// What a browser project stands for is really there: threads in the isolated page, one thread in the other. Only the
// browser projects run this.

import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import { canBlock, useDevice } from "../../support/device.ts";

declare global {
  interface ImportMeta {
    readonly env: Readonly<Record<string, string | undefined>>;
  }
}

const isolated = import.meta.env.GRADUS_TEST_ISOLATED === "yes";

beforeAll(useDevice);

test("the page is cross-origin isolated where it should be, and has no Node", () => {
  expect(globalThis.crossOriginIsolated).toBe(isolated);
  expect(globalThis.process?.versions?.node).toBeUndefined();
});

test("an isolated page has a thread for every core and never blocks, another has one that does all", () => {
  const cores = Math.min(16, navigator.hardwareConcurrency);
  const threads = isolated ? cores : 1;
  expect(gd.config()).toEqual({ device: "cpu", codegen: "wasm", threads });
  expect(canBlock()).toBe(threads === 1);
});
