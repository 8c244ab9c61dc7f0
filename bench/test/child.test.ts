import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ChildContestant, ContestantError } from "../src/child.ts";
import type { Job } from "../src/protocol.ts";

const job: Job = { workload: "mlp", device: "cpu", codegen: "wasm", threads: 3, batchSize: 8 };
const fake = fileURLToPath(new URL("./fake-contestant.mjs", import.meta.url));

function child(backend: string, patience?: number): ChildContestant {
  const launch = { command: process.execPath, args: [fake], job: { backend } };
  return new ChildContestant(launch, job, patience === undefined ? {} : { patience });
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("a contestant in a child process", () => {
  test("is ready with what it tells of itself, past its library's greetings", async () => {
    const contestant = child("works");
    expect(await contestant.start()).toEqual({
      kind: "ready",
      version: "9.9",
      threads: 3,
      firstMs: 12.5,
      check: [2.5, 2.25],
    });
    await contestant.stop();
  });

  test.each([
    ["native", "native"],
    [undefined, "its own choice"],
  ])("has %s for a variable, whatever the harness has", async (value, told) => {
    vi.stubEnv("GRADUS_CODEGEN", "wasm");
    const launch = { command: process.execPath, args: [fake], env: { GRADUS_CODEGEN: value } };
    const contestant = new ChildContestant(launch, { ...job, backend: "tells its codegen" });
    expect(await contestant.start()).toMatchObject({ codegen: told });
    await contestant.stop();
  });

  test("answers each run with one time a step", async () => {
    const contestant = child("works");
    await contestant.start();
    expect(await contestant.run(3)).toEqual([1, 1.25, 1.5]);
    expect(await contestant.run(1)).toEqual([1]);
    await contestant.stop();
  });

  test("tells the most memory it had", async () => {
    const contestant = child("works");
    await contestant.start();
    await contestant.run(2);
    expect(await contestant.peakMemory()).toBe(321.5);
    await contestant.stop();
  });

  test("that answers something else when asked for its memory is an error", async () => {
    const contestant = child("says too little");
    await contestant.start();
    await expect(contestant.peakMemory()).rejects.toThrow(/did not tell how much memory/);
    await contestant.stop();
  });

  test.each([
    ["crashes at once", /ended with code 1: TypeError: no such thing/],
    ["tells an error", /^Kernel 'Conv' is missing$/],
  ])("that %s is an error with the reason", async (backend, reason) => {
    const contestant = child(backend);
    const failure = await contestant.start().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ContestantError);
    expect((failure as Error).message).toMatch(reason);
    await contestant.stop();
  });

  test.each([
    ["crashes when run", /ended with code 7/],
    ["says too little", /did not answer 4 steps with 4 times/],
  ])("that %s is an error with the reason", async (backend, reason) => {
    const contestant = child(backend);
    await contestant.start();
    await expect(contestant.run(4)).rejects.toThrow(reason);
    await contestant.stop();
  });

  test("that is silent is given up", async () => {
    const contestant = child("is silent", 50);
    await expect(contestant.start()).rejects.toThrow(/no answer within 0\.05 s/);
    await contestant.stop();
  });

  test("whose program does not exist is an error with the reason", async () => {
    const contestant = new ChildContestant({ command: "/no/such/program", args: [] }, job);
    await expect(contestant.start()).rejects.toThrow(/could not start: .*ENOENT/);
    await contestant.stop();
  });
});
