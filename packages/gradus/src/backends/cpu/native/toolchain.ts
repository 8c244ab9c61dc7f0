// The system's C compiler: which one there is, what it is told, and all that decides what comes out of it. Leans on Node
// alone. One run of the preprocessor is the whole probe: it shows that the compiler starts, that it takes the flags and
// finds the headers of the C library, and it prints the macros, which name the compiler and the instruction sets.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, statSync } from "node:fs";
import { cpus } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";

export interface Toolchain {
  /** Absolute path of the compiler. */
  readonly command: string;
  /** For messages: "gcc 12.2.0" or "clang 14.0.6". */
  readonly name: string;
  /** What is always passed, before the files. */
  readonly flags: readonly string[];
  /** Macros without parameters that the compiler defines under these flags: `__AVX512F__` is "1". */
  readonly macros: ReadonlyMap<string, string>;
  /** SHA-256 in hexadecimal of all that decides what comes out, apart from the source. */
  readonly fingerprint: string;
}

const constantFlags: readonly string[] = [
  "-O2",
  "-ffp-contract=off", // a multiply-add is fused where the printed code says so
  "-fno-math-errno", // sqrt becomes an instruction
  "-fno-trapping-math", // selects become branchless
  "-fwrapv", // int32 wraps around, as in WebAssembly
  "-fno-strict-aliasing", // one heap holds every type
  "-fPIC",
  "-shared",
  "-pthread",
  "-w", // warnings about printed code help nobody
];

/** How compilers call the machine they run on, in the order tried; Apple's clang knew only the second for long. */
const machineFlags: readonly (readonly string[])[] = [["-march=native"], ["-mcpu=native"], []];

const names: readonly string[] = ["cc", "gcc", "clang"];
const probeMilliseconds = 10_000;

/**
 * Finds a C compiler: `$CC` first (a command, and flags that go before those of Gradus if they are words and after
 * them, so that they win, from the first dash on), then cc, gcc and clang in PATH. The first that works is taken.
 *
 * @param environment where CC and PATH are read, and what the compiler is run in; default: `process.env`
 * @returns the compiler, or in `missing` a phrase that says why there is none
 */
export async function findToolchain(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Toolchain | { readonly missing: string }> {
  if (process.platform === "win32") return { missing: "native code is not supported on Windows" };
  const [chosen, ...words] = environment.CC?.trim().split(/\s+/).filter(Boolean) ?? [];
  const candidates = [...(chosen === undefined ? [] : [{ name: chosen, words }]), ...names.map(withoutWords)];
  const tried = new Set<string>();
  let broken: string | null = null;
  for (const { name, words } of candidates) {
    const command = locate(name, environment.PATH ?? "");
    if (command === null || tried.has([command, ...words].join(" "))) continue;
    tried.add([command, ...words].join(" "));
    const result = await probe(command, words, environment);
    if (typeof result !== "string") return result;
    broken ??= `${name} does not work: ${result}`;
  }
  const wanted = chosen === undefined || names.includes(chosen) ? "" : `${chosen}, `;
  return { missing: broken ?? `no C compiler (${wanted}cc, gcc or clang) in PATH` };
}

function withoutWords(name: string): { readonly name: string; readonly words: readonly string[] } {
  return { name, words: [] };
}

/** Relative entries of PATH are passed over: what runs must not depend on the working directory. */
function locate(name: string, path: string): string | null {
  if (name.includes("/")) return isExecutable(resolve(name)) ? resolve(name) : null;
  const folders = path.split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The compiler as a toolchain, or why it is none. */
async function probe(
  command: string,
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<Toolchain | string> {
  const dash = words.findIndex((word) => word.startsWith("-"));
  const [before, after] = dash < 0 ? [words, []] : [words.slice(0, dash), words.slice(dash)];
  let problem = "";
  for (const machine of machineFlags) {
    const flags = [...before, ...machine, ...constantFlags, ...after];
    const run = await preprocess(command, flags, environment);
    if (run.succeeded) return describe(command, flags, parseMacros(run.output));
    problem = run.problem;
    if (run.hopeless) break;
  }
  return problem;
}

type Preprocessing =
  | { readonly succeeded: true; readonly output: string }
  // Hopeless is what other flags would not help.
  | { readonly succeeded: false; readonly problem: string; readonly hopeless: boolean };

function preprocess(command: string, flags: readonly string[], environment: NodeJS.ProcessEnv): Promise<Preprocessing> {
  // math.h stands for the C library's headers, which some systems install apart from the compiler.
  const args = [...flags, "-include", "math.h", "-dM", "-E", "-x", "c", "/dev/null"];
  const options = {
    env: { ...environment, LC_ALL: "C" },
    timeout: probeMilliseconds,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 24,
  } as const;
  return new Promise((settle) => {
    try {
      const child = execFile(command, args, options, (error, output, errors) => {
        if (error === null) return settle({ succeeded: true, output });
        const slow = error.killed === true;
        const firstLine = errors.split("\n").find((line) => line.trim() !== "");
        const ending = typeof error.code === "number" ? `it exits with code ${error.code}` : error.message;
        const problem = slow ? `it takes longer than ${probeMilliseconds / 1000} seconds` : (firstLine ?? ending);
        settle({ succeeded: false, problem: problem.trim(), hopeless: slow || typeof error.code === "string" });
      });
      child.stdin?.end();
    } catch (error) {
      // Node's permission model, for one, refuses processes by throwing.
      settle({ succeeded: false, problem: (error as Error).message, hopeless: true });
    }
  });
}

function parseMacros(output: string): ReadonlyMap<string, string> {
  const definitions = output.matchAll(/^#define (\w+)(?: (.*))?$/gm);
  return new Map([...definitions].map(([, name, value]) => [name, (value ?? "").trim()]));
}

function describe(command: string, flags: readonly string[], macros: ReadonlyMap<string, string>): Toolchain | string {
  const numbers = (...parts: readonly string[]) => parts.map((part) => macros.get(part) ?? "0").join(".");
  if (!macros.has("__GNUC__")) return "it is neither gcc nor clang";
  const name = macros.has("__clang__")
    ? `clang ${numbers("__clang_major__", "__clang_minor__", "__clang_patchlevel__")}`
    : `gcc ${numbers("__GNUC__", "__GNUC_MINOR__", "__GNUC_PATCHLEVEL__")}`;
  // The macros hold the compiler's and the C library's version and the instruction sets; the processor's model stands
  // for what it is tuned to.
  const decisive = [
    command,
    flags,
    [...macros].sort(([a], [b]) => (a < b ? -1 : 1)),
    process.platform,
    process.arch,
    cpus()[0]?.model ?? "",
  ];
  const fingerprint = createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
  return { command, name, flags, macros, fingerprint };
}
