import { given } from "./given.js";
import type { OptionValues } from "./options.js";

/** What the options say of the network, of which channels may go, and of how it is measured. */
export function networkOptions({ input, batch, threads, pin, patience, freeze, heads, headWidth }: OptionValues) {
  return {
    ...given("inputs", input),
    ...given("batch", batch),
    ...given("threads", threads),
    ...given("pin", pin),
    ...given("patienceMs", patience),
    ...given("freeze", freeze),
    ...given("heads", heads),
    ...given("headWidth", headWidth),
  };
}
