// Arguments of the command: the help, and that everything wrong is one line on the error stream and exit code 2.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, type Output } from "@gradus/cli";
import { afterAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "gradus-cli-"));
const file = join(folder, "file");
writeFileSync(file, "");
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof written) => ({ write: (text: string) => void (written[name] += text) });
  const output = { stdout: stream("stdout"), stderr: stream("stderr") } as unknown as Output;
  const code = await main(argv, output);
  return { code, out: written.stdout, err: written.stderr };
}

describe("help", () => {
  test("of train explains every option with its default", async () => {
    const { code, out, err } = await run("train", "--help");
    expect([code, err]).toEqual([0, ""]);
    const options = out.split("\n  -").slice(1);
    expect(options.map((text) => text.split(/[ ,]/)[0])).toEqual(
      ["model", "data", "data-dir", "download", "epochs", "batch-size", "lr", "seed", "threads", "device"]
        .concat(["codegen", "run-dir", "resume", "checkpoint-every"])
        .map((name) => `-${name}`)
        .concat("h"),
    );
    for (const option of options.slice(0, -1)) expect(option.match(/default:/g)).toHaveLength(1);
  });

  test("is what comes without arguments", async () => {
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toContain("train [options]");
  });
});

describe("wrong arguments", () => {
  const cases: readonly (readonly [argv: string[], message: string])[] = [
    [["trian"], "unknown command 'trian' (Did you mean train?)"],
    [["train", "--epoch", "3"], "unknown option '--epoch' (Did you mean --epochs?)"],
    [["train", "extra"], "too many arguments"],
    [["train", "--model", "resnet"], "Allowed choices are modern-lenet, lenet, mlp"],
    [["train", "--data", "cifar"], "Allowed choices are digits, mnist, fashion-mnist"],
    [["train", "--device", "gpu"], "Allowed choices are cpu, reference"],
    [["train", "--codegen", "llvm"], "Allowed choices are wasm, native"],
    [["train", "--epochs", "0"], "'0' is invalid. It must be an integer from 1."],
    [["train", "--batch-size", "1.5"], "'1.5' is invalid"],
    [["train", "--threads", "0"], "It must be an integer from 1 to 256."],
    [["train", "--seed", "4294967296"], "It must be an integer from 0 to 4294967295."],
    [["train", "--lr", "-1"], "It must be a number above 0."],
    [["train", "--lr", "fast"], "It must be a number above 0."],
    [["train", "--epochs"], "argument missing"],
    [["train", "--data-dir", join(folder, "nowhere")], "nowhere does not exist"],
    [["train", "--data-dir", file], "is no folder"],
    [["train", "--data", "mnist", "--data-dir", folder], "add --download"],
    [["train", "--resume", join(folder, "nowhere")], "nowhere does not exist"],
    [["train", "--resume", folder], "holds no checkpoint"],
    [["train", "--resume", folder, "--run-dir", folder], "exclude each other"],
    [["train", "--run-dir", file], "is a file"],
  ];
  test.each(cases)("%j is told in one line", async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^gradus: [^\n]+\n$/);
    expect(err).toContain(message);
  });
});
