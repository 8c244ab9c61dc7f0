// `gradus train` as a process: what it prints, and that a run that was killed or interrupted goes on to the same weights.
// Trains the perceptron on little data from a folder of IDX files, in batches so small that a signal finds it at work.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const bin = fileURLToPath(new URL("../dist/bin.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gradus-train-"));
const COUNTS = { train: 640, t10k: 100 };

/** An IDX file of bytes: the magic number, the sizes, the elements. */
function writeIdx(name: string, shape: readonly number[], elements: Uint8Array): void {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x0800 + shape.length, 0);
  for (const [i, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  writeFileSync(join(folder, name), Buffer.concat([header, elements]));
}

beforeAll(() => {
  for (const [split, count] of Object.entries(COUNTS)) {
    const labels = Uint8Array.from({ length: count }, (_, i) => (i * 7) % 10);
    // Bright stripes at a height that depends on the class, and noise.
    const images = Uint8Array.from({ length: count * 784 }, (_, i) => {
      const label = labels[Math.floor(i / 784)];
      const row = Math.floor((i % 784) / 28);
      return ((i * 2654435761) >>> 24) / 4 + (Math.floor(row / 2.8) === label ? 180 : 0);
    });
    writeIdx(`${split}-images-idx3-ubyte`, [count, 28, 28], images);
    writeIdx(`${split}-labels-idx1-ubyte`, [count], labels);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly err: string;
}

/**
 * @param watch sees all that was printed so far, whenever something is
 * @param environment variables beside those of this process
 */
function start(
  argv: readonly string[],
  watch?: (child: ChildProcess, out: string) => void,
  environment: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const env = { ...process.env, GRADUS_CACHE_DIR: join(folder, "cache"), ...environment };
  const child = spawn(process.execPath, [bin, "train", ...argv], { cwd: folder, env });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
    watch?.(child, out);
  });
  child.stderr.on("data", (chunk) => (err += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, lines: out.trimEnd().split("\n"), err }));
  });
}

const options = ["--model", "mlp", "--data", "mnist", "--data-dir", folder, "--batch-size", "2", "--threads", "1"];
const newRun = (name: string, ...more: string[]) => [...options, "--epochs", "3", "--run-dir", name, ...more];
const resumed = (name: string, ...more: string[]) => ["--resume", name, "--data-dir", folder, ...more];
const checkpointOf = (name: string): Buffer => readFileSync(join(folder, name, "checkpoint.safetensors"));

describe.skipIf(!existsSync(bin))("gradus train", () => {
  let whole: Ended;
  beforeAll(async () => {
    whole = await start(newRun("whole"));
  });

  test("says what runs first, and its accuracy and report last", () => {
    const { code, lines, err } = whole;
    // Where nothing is in the cache and the machine is slow.
    const compiling = /^gradus: compiling \d files? of native code with .*\n/;
    expect([code, err.replace(compiling, "")]).toEqual([0, ""]);
    expect(lines[0]).toMatch(/^mlp on mnist: 640 training and 100 test images; device cpu, codegen \w+, 1 thread$/);
    expect(lines).toContain("Run: whole");
    expect(lines.at(-2)).toMatch(/^test accuracy: [01]\.\d{4}$/);
    expect(Number(lines.at(-2)!.split(" ").at(-1))).toBeGreaterThan(0.9);
    expect(lines.at(-1)).toBe(`report: ${join("whole", "report.html")}`);
    expect(existsSync(join(folder, "whole", "report.html"))).toBe(true);
  });

  test("goes on after kill -9 to the same bits, on another number of threads", async () => {
    // Killed as soon as the first epoch is told of, in the middle of the second.
    const { code } = await start(newRun("killed", "--checkpoint-every", "7"), (child, out) => {
      if (out.includes("Epoch 1/3:")) child.kill("SIGKILL");
    });
    expect(code).toBeNull();
    const { code: after, lines } = await start(resumed("killed", "--threads", "2"));
    expect(after).toBe(0);
    expect(lines).toContainEqual(expect.stringMatching(/^Going on with killed after step \d+$/));
    expect(lines.at(-2)).toBe(whole.lines.at(-2));
    expect(checkpointOf("killed").equals(checkpointOf("whole"))).toBe(true);
  });

  test("saves and exits with 130 on Ctrl-C, and goes on from the checkpoint before a damaged one", async () => {
    let sent = false;
    const { code, lines } = await start(newRun("interrupted"), (child, out) => {
      if (!sent && out.includes("Epoch 1/3:")) sent = child.kill("SIGINT");
    });
    expect(code).toBe(130);
    expect(lines.at(-1)).toMatch(/^Interrupted after step \d+\. Go on with: npm start -- --resume interrupted$/);
    truncateSync(join(folder, "interrupted", "checkpoint.safetensors"), 5_000);
    const next = await start(resumed("interrupted"));
    expect(next.code).toBe(0);
    expect(next.lines).toContainEqual(expect.stringMatching(/cut short.*Going on from the checkpoint before it/));
    expect(checkpointOf("interrupted").equals(checkpointOf("whole"))).toBe(true);
  });

  const shortRun = (name: string, ...more: string[]) => newRun(name, "--epochs", "1", "--batch-size", "64", ...more);

  test("says first what native code lacks, and does without it", async () => {
    const { code, lines, err } = await start(shortRun("lacking"), undefined, {
      PATH: folder,
      CC: "",
      GRADUS_CODEGEN: "",
    });
    expect([code, err]).toEqual([0, ""]);
    expect(lines[0]).toMatch(/; device cpu, codegen wasm, 1 thread; native code cannot be made: \w.*\w\.$/);
  });

  test("takes the code generator that is asked for, whatever the environment says", async () => {
    const { code, lines, err } = await start(shortRun("asked", "--codegen", "wasm"), undefined, {
      GRADUS_CODEGEN: "native",
    });
    expect([code, err]).toEqual([0, ""]);
    expect(lines[0]).toMatch(/; device cpu, codegen wasm, 1 thread$/);
  });

  test("refuses to change what a run began with, and to begin where a run is", async () => {
    const changed = await start(resumed("whole", "--lr", "0.5"));
    expect([changed.code, changed.err]).toEqual([2, expect.stringMatching(/^gradus: --lr 0\.5 .*has 0\.002.*\n$/)]);
    const again = await start(newRun("whole"));
    expect([again.code, again.err]).toEqual([2, expect.stringMatching(/^gradus: .*holds a run already.*\n$/)]);
  });

  test("tells failures of the work in one line with exit code 1", async () => {
    writeFileSync(join(folder, "file"), "");
    const { code, err } = await start(newRun(join("file", "below")));
    expect([code, err]).toEqual([1, expect.stringMatching(/^gradus: .*file.*\n$/)]);
  });
});
