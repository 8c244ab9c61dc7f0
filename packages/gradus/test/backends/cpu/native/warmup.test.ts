// With `init({ warmup: "wasm" })` a program runs as WebAssembly for as long as its native code is being made. A compiler
// that waits for a sign makes that last as long as a test wants.

import { join } from "node:path";
import type { Config } from "gradus";
import { beforeAll, describe, expect, it } from "vitest";
import { hasNative } from "../../../support/native.ts";
import { announcement, compilerThat, expectClose, install, model, run, train } from "./installed.ts";
import { newFolder } from "./support.ts";

/** A script's head: which code a program that has just run would run as now. Native code, once there, stays. */
const observing = `${model}
  import { existsSync, writeFileSync } from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  import { engine } from "./node_modules/gradus/dist/tensor/engine.js";
  const form = () => engine.lastExecutable?.form.generator.name;`;

describe.skipIf(!hasNative)("until native code is there", () => {
  let home = "";
  beforeAll(async () => {
    home = await install({ koffi: true });
  });

  /** Compiles no program before the file is there, the test has ended, or half a minute has passed. */
  const waitingFor = (file: string): Promise<string> =>
    compilerThat(`if [ $part = program ]; then
      n=0; while [ ! -e '${file}' ] && [ -e "$0" ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n + 1)); done
    fi`);

  it("WebAssembly runs at once, then native code takes over, and a model learns what it learns without", async () => {
    const sign = join(newFolder(), "sign");
    const { code, out, err } = await run<{ config: Config; losses: number[]; before: string[]; after: string[] }>(
      home,
      `${observing}
       const [losses, before, after] = [[], [], []];
       for (let i = 0; i < 8; i++) {
         if (i === 4) {
           writeFileSync(options.sign, "");
           // Without a turn of the event loop in between: none is needed.
           for (const end = Date.now() + 20_000; form() !== "native" && Date.now() < end; );
         }
         before.push(form());
         losses.push(await step());
         after.push(form());
       }
       console.log(JSON.stringify({ config: gd.config(), losses, before, after }));`,
      { warmup: "wasm", threads: 2, sign },
      { CC: await waitingFor(sign), GRADUS_CACHE_DIR: newFolder() },
    );
    expect([code, err]).toEqual([0, expect.stringMatching(announcement)]);
    expect(out!.config).toEqual({ device: "cpu", codegen: "native", threads: 2 });
    // Four steps have run before the compiler was let go; what was native before a step ran as that.
    expect(out!.after.slice(0, 4)).toEqual(["wasm", "wasm", "wasm", "wasm"]);
    expect(out!.before.slice(4)).toEqual(["native", "native", "native", "native"]);
    const { losses } = await train(home, { codegen: "wasm" }, {});
    expectClose(out!.losses, losses);
    expect(out!.losses.slice(0, 4)).toEqual(losses.slice(0, 4));
  });

  it("which it is from the start where it was kept, WebAssembly runs nothing", async () => {
    const variables = { GRADUS_CACHE_DIR: newFolder() };
    const { bits } = await train(home, {}, variables);
    const warm = await train(home, { warmup: "wasm" }, variables);
    expect([warm.config.codegen, warm.bits]).toEqual(["native", bits]);
  });

  it("a process may end, and does so at once", async () => {
    const sign = join(newFolder(), "sign");
    const { code, out, err } = await run<string>(
      home,
      `${observing}
       await step();
       console.log(JSON.stringify(form()));`,
      { warmup: "wasm" },
      { CC: await waitingFor(sign), GRADUS_CACHE_DIR: newFolder() },
    );
    // No sign was given.
    expect([code, out, err]).toEqual([0, "wasm", expect.stringMatching(announcement)]);
  });

  it("a compiler that fails goes unnoticed, and is an error in the step in which native code would have taken over", async () => {
    const { code, out } = await run<string>(
      home,
      `${observing}
       let last = await step();
       const message = await (async () => {
         for (const end = Date.now() + 20_000; Date.now() < end; await sleep(20)) last = await step();
       })().catch((error) => error.message);
       console.log(JSON.stringify(message));`,
      { warmup: "wasm" },
      {
        CC: await compilerThat('if [ $part = program ]; then sleep 1; echo "no more" >&2; exit 1; fi'),
        GRADUS_CACHE_DIR: newFolder(),
      },
    );
    expect(code).toBe(0);
    expect(out).toMatch(/exit code 1\.\nno more\nSet GRADUS_CODEGEN=wasm to do without native code\.$/);
  });
});
