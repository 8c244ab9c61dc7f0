import { describe, expect, test } from "vitest";
import { type Contestant, contest, type Plan, stepsThatFit } from "../src/contest.ts";
import type { Ready } from "../src/protocol.ts";

const plan: Plan = { rounds: 3, steps: 4, turnLimit: 1000, warmUp: 0, settle: 0 };
const ready: Ready = { kind: "ready", version: "1", threads: 1, firstMs: 5, check: [] };

/** A contestant whose every step takes `stepTime`, and that writes down when it was asked. */
function scripted(name: string, log: string[], stepTime = 10, failAt = Number.POSITIVE_INFINITY): Contestant {
  let calls = 0;
  return {
    start: async () => {
      log.push(`${name} start`);
      return ready;
    },
    run: async (steps) => {
      log.push(`${name} run ${steps}`);
      if (++calls >= failAt) throw new Error("out of memory");
      return Array.from({ length: steps }, () => stepTime);
    },
    peakMemory: async () => {
      log.push(`${name} memory`);
      return 64;
    },
    stop: async () => {
      log.push(`${name} stop`);
    },
  };
}

describe("a contest", () => {
  test("starts contestants one by one, then lets them take turns in rotating order", async () => {
    const log: string[] = [];
    const contestants = new Map([
      ["a", scripted("a", log)],
      ["b", scripted("b", log)],
    ]);
    await contest(contestants, plan);
    expect(log).toEqual([
      ...["a start", "a run 1", "b start", "b run 1"],
      ...["a run 4", "b run 4"],
      ...["b run 4", "a run 4"],
      ...["a run 4", "b run 4"],
      ...["a memory", "a stop", "b memory", "b stop"],
    ]);
  });

  test("counts the timed steps only", async () => {
    const contestants = new Map([["a", scripted("a", [], 10)]]);
    const outcomes = await contest(contestants, { ...plan, warmUp: 100 });
    expect(outcomes.get("a")).toMatchObject({ kind: "measured", ready, times: new Array(12).fill(10), peakMb: 64 });
  });

  test("warms up whoever has short steps, and spares whoever has long ones", async () => {
    const log: string[] = [];
    const contestants = new Map([
      ["short", scripted("short", log, 10)],
      ["long", scripted("long", log, 300)],
    ]);
    await contest(contestants, { ...plan, rounds: 1, warmUp: 100 });
    expect(log.filter((line) => line.startsWith("short run"))).toEqual([
      "short run 1",
      ...new Array(5).fill("short run 2"),
      "short run 4",
    ]);
    expect(log.filter((line) => line.startsWith("long run"))).toEqual(["long run 1", "long run 3"]);
  });

  test("lets the machine be measured before the first round and after the last", async () => {
    const log: string[] = [];
    const refuses: Contestant = { ...scripted("c", log), start: () => Promise.reject(new Error("not here")) };
    const contestants = new Map([
      ["a", scripted("a", log)],
      ["c", refuses],
    ]);
    await contest(contestants, { ...plan, rounds: 1 }, undefined, async (ready) => {
      log.push(`at rest: ${[...ready.keys()]} ${ready.get("a")?.version}`);
    });
    expect(log.filter((line) => !line.startsWith("c"))).toEqual([
      ...["a start", "a run 1", "at rest: a 1"],
      ...["a run 4", "a memory", "a stop", "at rest: a 1"],
    ]);
  });

  test("goes on without the one that fails, and tells why", async () => {
    const log: string[] = [];
    const contestants = new Map([
      ["weak", scripted("weak", log, 10, 2)],
      ["strong", scripted("strong", log)],
    ]);
    const told: string[] = [];
    const outcomes = await contest(contestants, plan, (line) => told.push(line));
    expect(outcomes.get("weak")).toEqual({ kind: "absent", reason: "out of memory" });
    expect(outcomes.get("strong")).toMatchObject({ kind: "measured", times: new Array(12).fill(10) });
    expect(told).toContain("weak is out: out of memory");
    expect(log.filter((line) => line === "weak stop")).toHaveLength(1);
  });
});

describe("the steps of a turn", () => {
  test.each([
    [20, 1000, 10, 20],
    [20, 1000, 100, 10],
    [20, 1000, 5000, 1],
    [20, 1000, 0, 20],
  ])("of %i asked for within %i ms at %f ms each are %i", (steps, limit, stepTime, expected) => {
    expect(stepsThatFit(steps, limit, stepTime)).toBe(expected);
  });
});
