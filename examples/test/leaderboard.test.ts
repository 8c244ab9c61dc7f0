// The leaderboard: the best first, and never a file that is something else.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { enter, standings } from "../src/leaderboard.ts";

const folder = mkdtempSync(join(tmpdir(), "gradus-leaderboard-"));
afterAll(() => rmSync(folder, { recursive: true }));

const entry = { player: "ada", accuracy: 0.99, minutes: 5, seconds: 290, epochs: 12, seed: 0 };

test("results are kept, the best first and of equals the fastest, and shown for their budget", async () => {
  const file = join(folder, "new", "board.json");
  await enter(file, entry);
  await enter(file, { ...entry, player: "blaise", accuracy: 0.995 });
  await enter(file, { ...entry, player: "carl", seconds: 200 });
  const board = await enter(file, { ...entry, player: "emmy", minutes: 30, accuracy: 0.999 });
  expect(board.map(({ player }) => player)).toEqual(["emmy", "blaise", "carl", "ada"]);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(board);
  const lines = standings(board, 5).split("\n");
  expect(lines[0]).toBe("Leaderboard, 5 minutes:");
  expect(lines[1]).toMatch(/^ {2}1 {2}99.50% {2}blaise .*12 epochs, 290 s/);
  expect(lines).toHaveLength(4);
});

test.each(["{", "[1]", '{"accuracy":1}'])("a file that holds %s is refused and stays as it is", async (text) => {
  const file = join(folder, "other.json");
  writeFileSync(file, text);
  await expect(enter(file, entry)).rejects.toThrow(/other.json is no leaderboard/);
  expect(readFileSync(file, "utf8")).toBe(text);
});
