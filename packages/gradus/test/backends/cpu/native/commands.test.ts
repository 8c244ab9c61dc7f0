import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Command,
  type CommandResult,
  runCommands,
  runCommandsSync,
} from "../../../../src/backends/cpu/native/commands.ts";
import { bundle, newFolder } from "./support.ts";

const shell = (line: string): Command => ({ file: "/bin/sh", args: ["-c", line] });

const forms = [
  { form: "without blocking", run: runCommands },
  { form: "blocking", run: async (...args: Parameters<typeof runCommandsSync>) => runCommandsSync(...args) },
] as const;

describe.each(forms)("commands, $form", ({ run }) => {
  it("give their results in order, whichever ends first", async () => {
    const results = await run(
      [shell("sleep 0.2; echo slow >&2; exit 3"), shell("echo fast >&2"), shell("kill -TERM $$")],
      3,
    );
    expect(results).toEqual([
      { code: 3, signal: null, stderr: "slow\n" },
      { code: 0, signal: null, stderr: "fast\n" },
      { code: null, signal: "SIGTERM", stderr: "" },
    ]);
  });

  it("that cannot be started have no code but the reason", async () => {
    const [result] = await run([{ file: "/nowhere/cc", args: ["-c"] }], 1);
    expect(result).toEqual({ code: null, signal: null, stderr: expect.stringContaining("ENOENT") });
    const [invalid] = await run([{ file: "/bin/sh", args: ["\0"] }], 1);
    expect(invalid).toEqual({ code: null, signal: null, stderr: expect.stringContaining("null bytes") });
  });

  it("keep the last 16 KiB of what they say", async () => {
    const many = "i=0; while [ $i -lt 2000 ]; do echo line $i 0123456789 >&2; i=$((i+1)); done; echo end >&2";
    const [{ stderr }] = await run([shell(many)], 1);
    expect(stderr).toHaveLength(16 * 1024);
    expect(stderr.endsWith("line 1999 0123456789\nend\n")).toBe(true);
  });

  it("run no more at a time than was said, and not one after the other", async () => {
    // Each waits for another that must run meanwhile, and counts those that run.
    const folder = newFolder();
    const meet = (i: number) =>
      shell(
        `cd '${folder}'; touch on-${i} was-${i}; while [ ! -e was-${i ^ 1} ]; do sleep 0.01; done; ` +
          `ls | grep -c on- >&2; rm on-${i}`,
      );
    const counts = (await run([0, 1, 2, 3].map(meet), 2)).map(({ stderr }: CommandResult) => Number(stderr));
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(Math.max(...counts)).toBe(2);
  });

  it("of an empty list have no results", async () => {
    expect(await run([], 4)).toEqual([]);
  });

  it("are told to speak English", async () => {
    const [{ stderr }] = await run([shell("echo $LC_ALL >&2")], 1);
    expect(stderr).toBe("C\n");
  });
});

it("tells after each command how many are done", async () => {
  const told: number[] = [];
  await runCommands([shell("exit 1"), shell(""), shell("")], 2, (done) => told.push(done));
  expect(told).toEqual([1, 2, 3]);
});

it("looks up while it blocks, and tells how many are done", () => {
  const told: number[] = [];
  runCommandsSync([shell(""), shell("sleep 0.7")], 2, (done) => told.push(done));
  expect(told.length).toBeGreaterThan(1);
  expect(told.at(-1)).toBe(1);
});

it("blocks on the main thread and in a worker, and keeps no process alive", { timeout: 20_000 }, async () => {
  const folder = newFolder();
  const file = await bundle(
    folder,
    `import { isMainThread, Worker } from "node:worker_threads";
     import { runCommandsSync } from "native/commands.ts";
     const name = isMainThread ? "main" : "worker";
     const [{ code }] = runCommandsSync([{ file: "/bin/sh", args: ["-c", "touch " + name + "; exit 5"] }], 1);
     if (isMainThread) new Worker(new URL(import.meta.url)).on("exit", (inWorker) => (process.exitCode = 10 * code + inWorker));
     else process.exitCode = code;`,
  );
  expect(spawnSync(process.execPath, [file], { cwd: folder, timeout: 15_000 }).status).toBe(55);
  expect(["main", "worker"].map((name) => existsSync(join(folder, name)))).toEqual([true, true]);
});
