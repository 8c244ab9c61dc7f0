// The test projects. `node` runs everything on the source, with WebAssembly where a test does not choose. `native` runs
// the suites that fit any device once more with native code, where there is a C compiler. `browser` and `browser-single`
// run them in a headless Chromium, on the built package as users get it: in a cross-origin isolated page, which has
// shared memory and threads, and in a plain one, which has neither.

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import type { Plugin } from "vite";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { findToolchain } from "./packages/gradus/src/backends/cpu/native/toolchain.ts";
import { chromiumArguments, findChromium, isolationHeaders } from "./packages/gradus/test/support/chromium.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
const source = join(root, "packages", "gradus", "src") + sep;
const built = join(root, "packages", "gradus", "dist") + sep;

/** Suites whose tests name no platform. */
const anywhere = ["ops", "tensor", "nn", "optim", "data", "memory"].map(
  (area) => `packages/gradus/test/${area}/**/*.test.ts`,
);

/**
 * A choice of them where all would take long: natively, where every test is a program to compile, and in the plain page, which differs from
 * the other one by its threads. The layers left out are compositions of what is in. GRADUS_TEST_ALL=1 runs everything.
 */
const chosen =
  process.env.GRADUS_TEST_ALL === "1"
    ? anywhere
    : [
        ...["ops", "tensor", "data", "memory"].map((area) => `packages/gradus/test/${area}/**/*.test.ts`),
        "packages/gradus/test/nn/{attention,dropout,layers,losses,module}.test.ts",
        "packages/gradus/test/optim/optimizers.test.ts",
      ];

const insideBrowsers = "packages/gradus/test/browser/inside/*.test.ts";

/** Tests reach internals by the path of their source; here that means the built file, so that each module is there once. */
function sourceMeansBuilt(): Plugin {
  return {
    name: "gradus:source-means-built",
    enforce: "pre",
    async resolveId(specifier, importer, options) {
      if (!specifier.startsWith(".") || importer === undefined) return null;
      const resolved = await this.resolve(specifier, importer, { ...options, skipSelf: true });
      if (!resolved?.id.startsWith(source)) return null;
      const file = built + resolved.id.slice(source.length).replace(/\.ts$/, ".js");
      if (!existsSync(file))
        throw new Error(`${file} is not there. The browser tests take the built package: npm run build.`);
      return file;
    },
  };
}

function browserProject(
  name: string,
  chromium: string,
  { isolated, order, suites }: { readonly isolated: boolean; readonly order: number; readonly suites: string[] },
): TestProjectInlineConfiguration {
  return {
    plugins: [sourceMeansBuilt()],
    server: { headers: isolated ? { ...isolationHeaders } : {} },
    optimizeDeps: { include: ["fast-check"] },
    test: {
      name,
      include: [...suites, insideBrowsers],
      env: { GRADUS_TEST_ISOLATED: isolated ? "yes" : "no" },
      testTimeout: 60_000,
      // After `node`, and one after the other: the machine may be small.
      sequence: { groupOrder: order },
      // One page for all files: starting the device anew for each would take longer than the tests.
      isolate: false,
      fileParallelism: false,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({ launchOptions: { executablePath: chromium, args: [...chromiumArguments] } }),
        instances: [{ browser: "chromium" }],
      },
    },
  };
}

/** Settings of tests that run in Node, on the source. */
const inNode = {
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
};

const compiler = await findToolchain();
if ("missing" in compiler) console.warn(`The tests of native code are skipped: ${compiler.missing}.`);

const chromium = findChromium();
if (chromium === null) {
  console.warn(
    "The browser tests are skipped: no Chromium was found. Install one, or set CHROMIUM to the path of its executable.",
  );
}

export default defineConfig({
  test: {
    // What passing tests write, such as warnings that they provoke, is left out; `--silent=false` shows it.
    silent: "passed-only",
    // By default one core is left idle: on a small machine that doubles the time.
    maxWorkers: availableParallelism(),
    projects: [
      {
        ...inNode,
        test: {
          name: "node",
          env: { GRADUS_CODEGEN: "wasm" },
          include: [
            "packages/*/test/**/*.test.ts",
            "bench/test/**/*.test.ts",
            "examples/test/**/*.test.ts",
            "docs/test/**/*.test.ts",
          ],
          exclude: [insideBrowsers],
          testTimeout: 30_000,
        },
      },
      ...("missing" in compiler
        ? []
        : [
            {
              ...inNode,
              test: {
                name: "native",
                include: chosen,
                // Not the user's own cache.
                env: { GRADUS_CODEGEN: "native", GRADUS_CACHE_DIR: join(root, "node_modules", ".cache", "gradus") },
                testTimeout: 60_000,
                sequence: { groupOrder: 1 },
              },
            },
          ]),
      ...(chromium === null
        ? []
        : [
            browserProject("browser", chromium, { isolated: true, order: 2, suites: anywhere }),
            browserProject("browser-single", chromium, { isolated: false, order: 3, suites: chosen }),
          ]),
    ],
  },
});
