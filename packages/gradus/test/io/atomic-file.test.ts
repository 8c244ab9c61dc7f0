import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AtomicWriteError, writeFileAtomic, writeFileAtomicSync } from "../../src/io/atomic-file.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gradus-atomic-"));
  path = join(directory, "model.ckpt");
});
afterEach(() => rmSync(directory, { recursive: true }));

const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31 + 5) % 256);

/** What the system raises on a full disk. */
function fullDisk(): never {
  const error = new Error("ENOSPC: no space left on device, write");
  throw Object.assign(error, { code: "ENOSPC", errno: -28, syscall: "write" });
}

function temporary(pid: number, name = "model.ckpt"): string {
  return join(directory, `.${name}.${pid}.tmp`);
}

/** The number of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

/** Both forms under one signature. */
const forms = [
  {
    form: "writeFileAtomic",
    write: (content: Uint8Array | string) => writeFileAtomic(path, content),
    writeParts: (parts: readonly Uint8Array[], then: () => void) =>
      writeFileAtomic(path, async (file) => {
        for (const part of parts) await file.write(part);
        then();
      }),
  },
  {
    form: "writeFileAtomicSync",
    write: async (content: Uint8Array | string) => writeFileAtomicSync(path, content),
    writeParts: async (parts: readonly Uint8Array[], then: () => void) =>
      writeFileAtomicSync(path, (file) => {
        for (const part of parts) writeSync(file, part);
        then();
      }),
  },
] as const;

describe.each(forms)("$form", ({ write, writeParts }) => {
  test("makes a file, replaces it, and leaves nothing beside it", async () => {
    await write(bytes);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    await write("größer");
    expect(readFileSync(path, "utf8")).toBe("größer");
    expect(readdirSync(directory)).toEqual(["model.ckpt"]);
  });

  test("takes a function that writes piece by piece, and shows the old file until it is done", async () => {
    await write("old");
    await writeParts([bytes.subarray(0, 70_000), bytes.subarray(70_000)], () => {
      expect(readFileSync(path, "utf8")).toBe("old");
      expect(readdirSync(directory).sort()).toEqual([`.model.ckpt.${process.pid}.tmp`, "model.ckpt"]);
    });
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(readdirSync(directory)).toEqual(["model.ckpt"]);
  });

  test("on a full disk keeps the old file, removes the temporary, and says so with path and bytes", async () => {
    await write("old");
    const failure = await writeParts([bytes.subarray(0, 1234)], fullDisk).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AtomicWriteError);
    const error = failure as AtomicWriteError;
    expect([error.path, error.bytesWritten, error.bytesTotal]).toEqual([path, 1234, undefined]);
    expect(error.message).toContain(`${path} could not be written, 1234 bytes into it: ENOSPC`);
    expect(error.message).toContain("The old file is intact");
    expect((error.cause as NodeJS.ErrnoException).code).toBe("ENOSPC");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(directory)).toEqual(["model.ckpt"]);
  });

  test("says that there was no file where there was none", async () => {
    await expect(writeParts([], fullDisk)).rejects.toThrow("no file of that name before and there is none now");
    expect(readdirSync(directory)).toEqual([]);
  });

  test("lets an error of the writing function through as it is", async () => {
    await write("old");
    const own = new RangeError("a tensor is stale");
    const fail = () => {
      throw own;
    };
    await expect(writeParts([bytes], fail)).rejects.toBe(own);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(directory)).toEqual(["model.ckpt"]);
  });

  test("says how many bytes were to be written where a rename is refused", async () => {
    mkdirSync(path); // a directory cannot be replaced by a file
    await expect(write(bytes)).rejects.toMatchObject({ name: "AtomicWriteError", bytesTotal: 100_000 });
    expect(readdirSync(directory)).toEqual(["model.ckpt"]);
  });

  test("fails with the path where the directory is missing", async () => {
    path = join(directory, "missing", "model.ckpt");
    await expect(write(bytes)).rejects.toThrow(/missing.model\.ckpt could not be written, 0 of 100000 bytes.*ENOENT/);
  });

  test("removes what killed writers of this file left, and nothing else", async () => {
    const stale = [temporary(endedProcess()), temporary(process.pid)];
    const others = [
      temporary(process.ppid), // a process that runs
      temporary(endedProcess(), "other.ckpt"),
      temporary(endedProcess(), "model.ckpt.best"), // not this file's, though it begins alike
      join(directory, ".model.ckpt.backup.tmp"),
      join(directory, ".model.ckpt.0.tmp"),
    ];
    for (const name of [...stale, ...others]) writeFileSync(name, "half");
    await write(bytes);
    const expected = [...others, path].map((name) => name.slice(directory.length + 1)).sort();
    expect(readdirSync(directory).sort()).toEqual(expected);
  });
});

describe("writes to one path at a time", () => {
  test("asynchronous ones take turns in the order of the calls, also after a failure", async () => {
    const order: string[] = [];
    const writeSlowly = (name: string) =>
      writeFileAtomic(path, async (file) => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        await file.writeFile(name);
        order.push(`${name} ends`);
      });
    const results = await Promise.allSettled([
      writeSlowly("first"),
      writeFileAtomic(path, fullDisk),
      writeSlowly("second"),
      writeFileAtomic(join(directory, "elsewhere"), "meanwhile"),
    ]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(order).toEqual(["first begins", "first ends", "second begins", "second ends"]);
    expect(readFileSync(path, "utf8")).toBe("second");
    expect(readdirSync(directory).sort()).toEqual(["elsewhere", "model.ckpt"]);
  });

  test("a synchronous one refuses to run into an asynchronous one", async () => {
    await writeFileAtomic(path, async (file) => {
      await file.writeFile("asynchronous");
      expect(() => writeFileAtomicSync(path, bytes)).toThrow("another write to it is under way");
    });
    expect(readFileSync(path, "utf8")).toBe("asynchronous");
    writeFileAtomicSync(path, "afterwards");
    expect(readFileSync(path, "utf8")).toBe("afterwards");
  });
});
