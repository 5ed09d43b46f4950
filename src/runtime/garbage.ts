/** JavaScript's garbage, collected when it is known that there is much of it. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** Lets go of arrays that nothing refers to any more: JavaScript itself waits until it needs memory, hundreds of megabytes later. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
