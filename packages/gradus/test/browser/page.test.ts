// The built package in plain pages of a headless Chromium: without a bundler and bundled, with threads and without.

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright";
import { build, type Rolldown } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "../support/chromium.ts";
import { launch, open, type Server, type Site, serve } from "../support/pages.ts";

interface Lesson {
  trainXor(steps: number): Promise<{ first: number; last: number; predicted: number[] }>;
  tickDuring(kind: "parallel" | "serial"): Promise<{ ticks: number; longestPause: number; duration: number }>;
  state(): Promise<{ device: string; codegen: string; threads: number; isolated: boolean }>;
}
declare const lesson: Lesson;

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const built = folder("../../dist");
const pages = folder("page");
const executable = findChromium();

const unbundled: Site = {
  "/gradus/": { folder: built },
  "/page/": { folder: pages },
};

/** The page's script with all it imports in one minified file, as Vite makes it of the built package. */
async function bundle(): Promise<Rolldown.OutputChunk[]> {
  const result = await build({
    root: pages,
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: true,
      rolldownOptions: { input: folder("page/lesson.js"), output: { entryFileNames: "lesson.js" } },
    },
  });
  const { output } = (Array.isArray(result) ? result[0] : result) as Rolldown.RolldownOutput;
  return output.filter((file): file is Rolldown.OutputChunk => file.type === "chunk");
}

let chunks: Rolldown.OutputChunk[];

beforeAll(async () => {
  if (!existsSync(`${built}/index.js`)) throw new Error("The package is not built. Run `npm run build` first.");
  chunks = await bundle();
});

describe("a bundle of gradus for browsers", () => {
  test("imports nothing from Node and holds no module that only Node can run", () => {
    const modules = chunks.flatMap((chunk) => chunk.moduleIds);
    expect(modules.some((id) => id.startsWith(built))).toBe(true);
    // What Vite puts in the place of Node's modules.
    expect(modules.filter((id) => id.includes("browser-external") || id.startsWith("node:"))).toEqual([]);
    // Of packages only what decompresses files, in its build for browsers.
    const foreign = modules.filter((id) => id.endsWith("/dist/node.js") || id.includes("/node_modules/"));
    expect(foreign.filter((id) => !id.endsWith("/node_modules/fflate/esm/browser.js"))).toEqual([]);
    for (const { code, imports, dynamicImports } of chunks) {
      const own = chunks.map(({ fileName }) => fileName);
      expect([...imports, ...dynamicImports].filter((name) => !own.includes(name))).toEqual([]);
      expect(code).not.toMatch(/\b(?:from|import)\s*\(?\s*["'`]node:/);
    }
  });
});

describe.skipIf(executable === null)("in a page", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch(executable!);
  });
  afterAll(() => browser?.close());

  const bundled = (): Site => ({
    ...Object.fromEntries(chunks.map(({ fileName, code }) => [`/${fileName}`, { text: code }])),
    "/index.html": { text: '<link rel="icon" href="data:,"><script type="module" src="/lesson.js"></script>' },
  });

  const places = [
    { name: "without a bundler", site: () => unbundled, path: "/page/index.html" },
    { name: "bundled", site: bundled, path: "/index.html" },
  ];
  for (const isolated of [true, false]) {
    for (const { name, site, path } of places) {
      test(`${name}, ${isolated ? "cross-origin isolated" : "not isolated"}, a perceptron learns XOR`, async () => {
        const server: Server = await serve(site(), isolated);
        try {
          const { page, problems } = await open(browser, server.address + path);
          await page.waitForFunction("globalThis.lesson");
          const state = await page.evaluate(() => lesson.state());
          const cores = await page.evaluate(() => navigator.hardwareConcurrency);
          const threads = isolated ? Math.min(16, cores) : 1;
          expect(state).toEqual({ device: "cpu", codegen: "wasm", threads, isolated });
          const { first, last, predicted } = await page.evaluate(() => lesson.trainXor(150));
          expect(predicted).toEqual([0, 1, 1, 0]);
          expect(last).toBeLessThan(first / 4);
          expect(problems).toEqual([]);
          expect(server.requests).not.toContain("/gradus/node.js");
          await page.close();
        } finally {
          await server.close();
        }
      });
    }
  }

  const oneCore = availableParallelism() === 1; // then there is no worker that could do it meanwhile
  test.skipIf(oneCore).each(["parallel", "serial"] as const)(
    "a timer goes on ticking during a long %s program",
    async (kind) => {
      const server = await serve(unbundled, true);
      try {
        const { page, problems } = await open(browser, `${server.address}/page/index.html`);
        await page.waitForFunction("globalThis.lesson");
        const { threads } = await page.evaluate(() => lesson.state());
        expect(threads).toBeGreaterThan(1);
        const { ticks, longestPause, duration } = await page.evaluate((what) => lesson.tickDuring(what), kind);
        // Blocked, the thread would tick once, when all is over.
        expect(ticks).toBeGreaterThan(5);
        expect(longestPause).toBeLessThan(duration / 2);
        expect(problems).toEqual([]);
        await page.close();
      } finally {
        await server.close();
      }
    },
  );
});
