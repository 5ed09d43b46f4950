/** Networks to prune. */
import type { Model } from "../../src/graph/ir.js";
import { Net } from "../coupling/zoo.js";

/** A small residual network, wide enough that channels cost something. Input [1, 3, extent, extent], 5 classes. */
export function residualNet(extent = 32): Model {
  const n = new Net();
  let x = n.relu(n.bn("bn0", n.conv("stem", n.input(3, extent), 3, 32), 32));
  for (const block of ["a", "b"]) {
    const mid = n.relu(n.bn(`${block}.bn1`, n.conv(`${block}.1`, x, 32, 64), 64));
    x = n.relu(n.op("Add", [n.bn(`${block}.bn2`, n.conv(`${block}.2`, mid, 64, 32), 32), x]));
  }
  n.head(x, 32);
  return n.model();
}
