// Every recipe as a process on a few images: that it trains, leaves its folder behind, and goes on after a kill. They run with WebAssembly, which needs no compiler's time.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const bin = fileURLToPath(new URL("../dist/bin.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gradus-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** @param watch sees all that was printed so far, whenever something is */
function example(argv: readonly string[], watch?: (child: ChildProcess, out: string) => void): Promise<Ended> {
  const env = { ...process.env, GRADUS_CODEGEN: "wasm" };
  const child = spawn(process.execPath, [bin, ...argv], { cwd: folder, env });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
    watch?.(child, out);
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, out, err })));
}

const bytesOf = (name: string): Uint8Array => readFileSync(join(folder, name));

/** Clothes and coloured images as files of their datasets: noise with a stripe at a height that tells the class. */
function writeDatasets(): void {
  const pixel = (i: number, row: number, label: number): number =>
    ((Math.imul(i, 2654435761) >>> 24) >> 2) + (row === label ? 150 : 0);
  const idx = (name: string, shape: readonly number[], elements: Uint8Array): void => {
    const header = Buffer.alloc(4 + 4 * shape.length);
    header.writeUInt32BE(0x0800 + shape.length, 0);
    for (const [i, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * i);
    writeFileSync(join(folder, name), Buffer.concat([header, elements]));
  };
  for (const [split, count] of [
    ["train", 64],
    ["t10k", 20],
  ] as const) {
    const labels = Uint8Array.from({ length: count }, (_, i) => (i * 7) % 10);
    const images = Uint8Array.from({ length: count * 784 }, (_, i) =>
      pixel(i, Math.floor((i % 784) / 84), labels[Math.floor(i / 784)]),
    );
    idx(`${split}-images-idx3-ubyte`, [count, 28, 28], images);
    idx(`${split}-labels-idx1-ubyte`, [count], labels);
  }
  const cifar = join(folder, "cifar-100-binary");
  mkdirSync(cifar);
  for (const [name, count] of [
    ["coarse", 20],
    ["fine", 100],
  ] as const) {
    const names = Array.from({ length: count }, (_, i) => `${name} ${i}\n`);
    writeFileSync(join(cifar, `${name}_label_names.txt`), names.join(""));
  }
  // A record is a coarse label, a fine one, and 32x32 pixels of each colour.
  const record = 2 + 3 * 1024;
  for (const [name, count] of [
    ["train", 8],
    ["test", 2],
  ] as const) {
    const bytes = Uint8Array.from({ length: count * record }, (_, i) => {
      const at = i % record;
      return at < 2 ? Math.floor(i / record) % 20 : pixel(i, (at >> 7) % 8, 3);
    });
    writeFileSync(join(cifar, `${name}.bin`), bytes);
  }
}
beforeAll(writeDatasets);

/** A run that a recipe can make within seconds. */
const QUICK: Readonly<Record<string, readonly string[]>> = {
  initialization: ["--limit", "128", "--epochs", "1", "--depth", "3", "--width", "16"],
  "mnist-contest": ["--limit", "64", "--minutes", "0.15", "--batch-size", "32", "--leaderboard", "board.json"],
  normalization: ["--limit", "128", "--epochs", "1"],
  "fashion-resnet": ["--data-dir", ".", "--epochs", "1", "--batch-size", "32", "--width", "4"],
  cifar100: ["--data-dir", "cifar-100-binary", "--epochs", "1", "--batch-size", "2"],
  transfer: ["--per-class", "2", "--epochs", "1", "--batch-size", "10"],
  dcgan: ["--limit", "64", "--epochs", "1", "--batch-size", "32", "--features", "4", "--latent", "8"],
};

/** Recipes that train several models, each in a folder of its own. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  initialization: ["too-small-n", "orthogonal"],
  normalization: ["none", "batch", "instance", "group", "layer"],
  transfer: ["fine-tuned", "frozen", "scratch"],
};

/** Kills a run hard after some output; the next one goes on with it. */
function killedAt(argv: readonly string[], mark: RegExp): Promise<Ended> {
  return example(argv, (child, out) => {
    if (mark.test(out)) child.kill("SIGKILL");
  });
}

describe("a recipe that is killed goes on, ends, and leaves its folder behind", () => {
  test.each(Object.entries(QUICK))(
    "%s",
    async (name, options) => {
      const run = join(folder, `run-${name}`);
      const given = [name, ...options, "--checkpoint-every", "1", "--run-dir", `run-${name}`];
      const { out: begun } = await killedAt(given, /Epoch 1\//);
      expect(begun).toContain(`Run: run-${name}`);
      const { code, out, err } = await example([name, "--resume", `run-${name}`]);
      expect(err).toBe("");
      expect(code).toBe(0);
      expect(out).toContain(`Going on with run-${name}`);
      expect(out).toContain("going on after step");
      expect(JSON.parse(readFileSync(join(run, "options.json"), "utf8")).recipe).toBe(name);
      expect(readFileSync(join(run, "report.html"), "utf8")).toContain("</html>");
      for (const part of PARTS[name] ?? ["."]) {
        const files = readdirSync(join(run, part));
        expect(files).toEqual(expect.arrayContaining(["checkpoint.safetensors", "metrics.jsonl", "report.html"]));
        expect(files.some((file) => file.startsWith("events.out.tfevents"))).toBe(true);
      }
    },
    120_000,
  );

  test("the GAN draws its fixed latent vectors before the first epoch and after each", () => {
    expect(readdirSync(join(folder, "run-dcgan", "images"))).toEqual(["epoch-0000.png", "epoch-0001.png"]);
  });

  test("weights are stored in half precision, with what made them", () => {
    const bytes = bytesOf(join("run-fashion-resnet", "weights.safetensors"));
    const header = JSON.parse(
      Buffer.from(bytes.subarray(8, 8 + Number(Buffer.from(bytes).readBigUInt64LE()))).toString(),
    );
    expect(header["conv1.weight"].dtype).toBe("F16");
    expect(header.__metadata__).toMatchObject({ recipe: "fashion-resnet", seed: "0", width: "4" });
  });
});

/** What the last line of a run's log says: the means of its last epoch. */
function lastEpochOf(run: string): Record<string, number> {
  return JSON.parse(
    readFileSync(join(folder, run, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .at(-1)!,
  );
}

describe("a run that was killed goes on", () => {
  const dcgan = ["dcgan", ...QUICK.dcgan, "--epochs", "3", "--checkpoint-every", "1"];

  test("with two networks and two optimizers", async () => {
    await example([...dcgan, "--run-dir", "whole"]);
    const { signal } = await killedAt([...dcgan, "--run-dir", "killed"], /Epoch 2\/3/);
    expect(signal).toBe("SIGKILL");
    const { code, out } = await example(["dcgan", "--resume", "killed"]);
    expect(code).toBe(0);
    expect(out).toContain("going on after step");
    // The first step after a resume computes what later ones keep from one network's update to the other's: the same but for
    // rounding, which half precision mostly hides and Adam's first steps do not enlarge beyond a part in a thousand.
    const [killed, whole] = ["killed", "whole"].map(lastEpochOf);
    expect(killed.step).toBe(whole.step);
    for (const name of ["epochLoss", "epochD(x)", "epochD(G(z)) after"]) {
      expect(Math.abs(killed[name] - whole[name])).toBeLessThan(1e-3 * Math.abs(whole[name]));
    }
    expect(readdirSync(join(folder, "killed", "images"))).toHaveLength(4);
  }, 120_000);

  test("in the middle of several trainings, of which those that are done are not repeated", async () => {
    const options = ["normalization", ...QUICK.normalization, "--epochs", "2"];
    await example([...options, "--run-dir", "all"]);
    await killedAt([...options, "--run-dir", "some"], /(Epoch 2\/2:[\s\S]*){2}Epoch 1\/2/);
    expect(existsSync(join(folder, "some", "layer"))).toBe(false);
    const { code } = await example(["normalization", "--resume", "some"]);
    expect(code).toBe(0);
    for (const part of PARTS.normalization) {
      const [some, all] = ["some", "all"].map((run) => {
        const lines = readFileSync(join(folder, run, part, "metrics.jsonl"), "utf8")
          .trim()
          .split("\n");
        return lines.map((line) => JSON.parse(line)).map(({ time: _, seconds: __, ...measured }) => measured);
      });
      expect(some).toEqual(all);
    }
  }, 120_000);

  test("and Ctrl-C saves, says how to go on, and ends with 130", async () => {
    const { code, out } = await example([...dcgan, "--run-dir", "interrupted"], (child, so) => {
      if (/Epoch 2\/3/.test(so) && !/Stopping/.test(so)) child.kill("SIGINT");
    });
    expect(code).toBe(130);
    expect(out).toMatch(/Go on with: npm run example -- dcgan --resume interrupted/);
  }, 120_000);
});

describe("arguments that cannot be are told in one line", () => {
  test.each([
    [["normalization", "--epochs", "none"], /--epochs.*It must be an integer from 1/],
    [["dcgan", "--resume", "nowhere"], /holds no run of a recipe/],
    [["transfer", "--weights", "nowhere.safetensors"], /--weights nowhere.safetensors does not exist/],
    [["fashion-resnet", "--data-dir", "nowhere"], /nowhere/],
    [["unknown"], /unknown command/],
  ])(
    "%j",
    async (argv, message) => {
      const { code, err } = await example(argv);
      expect(code).toBe(2);
      expect(err).toMatch(message);
      expect(err.trim().split("\n")).toHaveLength(1);
    },
    60_000,
  );

  test("an option other than what the run began with", async () => {
    const { code, err } = await example(["dcgan", "--resume", "run-dcgan", "--features", "5"]);
    expect(code).toBe(2);
    expect(err).toContain("--features 5 does not fit the run to resume, which has 4");
    expect((await example(["normalization", "--resume", "run-dcgan"])).err).toContain("is a run of dcgan");
  }, 60_000);

  test("a leaderboard that is none, before anything is trained", async () => {
    writeFileSync(join(folder, "broken.json"), "{");
    const { code, err } = await example(["mnist-contest", "--minutes", "0.2", "--leaderboard", "broken.json"]);
    expect(code).toBe(2);
    expect(err).toContain("broken.json is no leaderboard");
  }, 60_000);
});

test("the help names every recipe, and each recipe its options", async () => {
  const { out } = await example(["--help"]);
  for (const name of Object.keys(QUICK)) {
    expect(out).toContain(name);
    const { code, out: help } = await example([name, "--help"]);
    expect(code).toBe(0);
    expect(help).toMatch(/--seed[\s\S]*--resume/);
  }
}, 60_000);
