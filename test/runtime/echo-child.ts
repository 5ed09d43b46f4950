/** A child for child.test.ts. */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HalpError } from "../../src/errors.js";
import { serveParent } from "../../src/runtime/index.js";

serveParent({
  echo: (payload: unknown) => payload,
  environment: () => process.env.GLIBC_TUNABLES,
  scratch: () => {
    writeFileSync(join(tmpdir(), "left-behind"), "");
    return tmpdir();
  },
  count: (to: number, report) => {
    for (let i = 1; i <= to; i++) report(i);
    return to;
  },
  refuse: () => {
    throw new HalpError("HALP_TEST", "refused", { node: "n", exitCode: 3 });
  },
  fail: () => {
    throw new TypeError("not so");
  },
  exit: () => {
    process.stderr.write("cannot go on");
    process.exit(7);
  },
  hang: () => new Promise(() => {}),
});
