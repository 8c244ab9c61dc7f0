import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "vite";
import { afterAll, beforeAll, expect, it } from "vitest";

const path = (relative: string) => JSON.stringify(fileURLToPath(new URL(relative, import.meta.url)));
const entry = `
  import { controlLayout } from ${path("../../../src/backends/cpu/control.ts")};
  import { Heap } from ${path("../../../src/backends/cpu/heap.ts")};
  import { ThreadPool } from ${path("../../../src/backends/cpu/threads.ts")};
  import { summing } from ${path("./thread-programs.ts")};

  const heap = new Heap({ shared: true, reservedBytes: controlLayout.size });
  const pool = await ThreadPool.create(heap, 3);
  const [array, partials, parameters] = [heap.allocate(800), heap.allocate(64) + 8, heap.allocate(12)];
  heap.f64(array, 100).fill(0.5);
  heap.i32(parameters, 3).set([array, 100, partials]);
  pool.run(pool.load(summing(heap)), parameters, true);
  console.log("sum", heap.f64(partials - 8, 1)[0]);
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-threads-"));
});
afterAll(() => rm(folder, { recursive: true }));

it.each([false, true])(
  "a bundle computes with its workers and exits by itself, the pool idle (minified: %s)",
  async (minify) => {
    const source = join(folder, "entry.mjs");
    await writeFile(source, entry);
    await build({
      root: folder,
      configFile: false,
      logLevel: "error",
      build: {
        lib: { entry: source, formats: ["es"], fileName: () => "bundle.mjs" },
        minify,
        target: "es2022",
        outDir: "out",
      },
    });
    const bundle = join(folder, "out", "bundle.mjs");
    // A pool that kept the process alive would be killed here, and the promise reject.
    const { stdout } = await promisify(execFile)(process.execPath, [bundle], { timeout: 20_000 });
    expect(stdout).toBe("sum 50\n");
  },
);
