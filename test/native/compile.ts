/** Compiles what the addon's tests need, once, and again when a source has changed. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const folder = "build/test/native/compiled";

/** Why there is no compiler to test with; undefined where there is one. */
export function missingCompiler(): string | undefined {
  if (process.platform !== "linux") return "the CUDA part is tested on Linux only";
  for (const compiler of ["gcc", "g++"]) {
    if (spawnSync(compiler, ["--version"]).status !== 0) return `there is no ${compiler}`;
  }
  return undefined;
}

export interface Compiled {
  readonly path: string;
  /** What the compiler said where it failed; undefined where it did not. */
  readonly failure: string | undefined;
}

/** The stub driver as a shared library. */
export function compileStub(sanitised: boolean): Compiled {
  const flags = ["-std=c11", "-O2", "-D_GNU_SOURCE", "-fPIC", "-shared", "-fvisibility=hidden"];
  return compile("gcc", sanitised ? "stub-sanitised.so" : "stub.so", [
    ...flags,
    ...(sanitised ? sanitisers : []),
    "test/native/stub-driver.c",
    "-lm",
  ]);
}

/** The addon's CUDA part in a program of its own, under the sanitisers for addresses, leaks and undefined behaviour. */
export function compileHarness(): Compiled {
  const sources = ["convolution-timer", "cuda-driver", "cudnn", "dynamic-library"].map((name) => `native/${name}.cc`);
  return compile("g++", "harness", ["-std=c++17", ...sanitisers, "test/native/harness.cc", ...sources, "-ldl"]);
}

const sanitisers = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

function compile(compiler: string, name: string, args: readonly string[]): Compiled {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const sources = ["native", "test/native"]
    .flatMap((dir) => readdirSync(dir).map((file) => join(dir, file)))
    .filter((file) => /\.(c|cc|h)$/.test(file));
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(path) && statSync(path).mtimeMs > newest) return { path, failure: undefined };
  const run = spawnSync(compiler, ["-Wall", "-Wextra", "-Werror", "-o", path, ...args], { encoding: "utf8" });
  return { path, failure: run.status === 0 ? undefined : `${run.stdout}${run.stderr}` };
}
