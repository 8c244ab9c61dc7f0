// Renaming the keys of state dicts.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

const { renameKeys, stripPrefix } = gd.io;

describe("keys", () => {
  const [a, b, c] = [1.5, 2.5, 3.5].map((value) => gd.tensor(value));
  const state = new Map([
    ["module.a", a],
    ["module.module.b", b],
    ["c", c],
  ]);

  test("lose a prefix once, where they have it", () => {
    expect([...stripPrefix(state, "module.")]).toEqual([
      ["a", a],
      ["module.b", b],
      ["c", c],
    ]);
  });

  test("are renamed in order, and left out where the new name is null", () => {
    expect([...renameKeys(state, (key) => (key === "c" ? null : key.toUpperCase()))]).toEqual([
      ["MODULE.A", a],
      ["MODULE.MODULE.B", b],
    ]);
  });

  test("that would be one are refused by both names", () => {
    expect(() => stripPrefix(new Map([...state, ["a", c]]), "module.")).toThrow(
      "renameKeys: module.a and a would both be called a. Give each its own key, or leave one out with null.",
    );
  });
});
