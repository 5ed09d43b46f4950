/** Residual networks and their relatives. */
import type { Layers } from "./layers.js";
import type { ZooNetwork } from "./types.js";

const basic: ZooNetwork = {
  name: "ResNet, basic blocks",
  build(n) {
    const block = (name: string, x: string, cin: number, cout: number, stride: number) => {
      const y = n.convBn(`${name}.2`, n.cbr(`${name}.1`, x, cin, cout, { stride }), cout, cout);
      return n.relu(n.add(y, stride === 1 ? x : n.convBn(`${name}.down`, x, cin, cout, { k: 1, stride })));
    };
    let y = n.maxPool(n.cbr("stem", n.image(), 3, 8));
    y = block("s1b1", block("s1b0", y, 8, 8, 1), 8, 8, 1);
    n.classify(block("s2b1", block("s2b0", y, 8, 12, 2), 12, 12, 1), 12);
  },
  free: ["stem:8", "s1b0.1:8", "s1b1.1:8", "s2b0.1:12", "s2b0.2:12", "s2b1.1:12"],
  frozen: ["fc:5"],
  share: 0.99,
};

const bottleneck: ZooNetwork = {
  name: "ResNet, bottlenecks",
  build(n) {
    const block = (name: string, x: string, cin: number, inner: number, stride: number) => {
      const a = n.cbr(`${name}.1`, x, cin, inner, { k: 1 });
      const c = n.convBn(`${name}.3`, n.cbr(`${name}.2`, a, inner, inner, { stride }), inner, 4 * inner, { k: 1 });
      const same = cin === 4 * inner;
      return n.relu(n.add(c, same ? x : n.convBn(`${name}.down`, x, cin, 4 * inner, { k: 1, stride })));
    };
    let y = n.cbr("stem", n.image(), 3, 6, { stride: 2, k: 7 });
    y = block("s1b1", block("s1b0", y, 6, 3, 1), 12, 3, 1);
    n.classify(block("s2b1", block("s2b0", y, 12, 4, 2), 16, 4, 1), 16);
  },
  free: [
    "stem:6",
    "s1b0.1:3",
    "s1b0.2:3",
    "s1b0.3:12",
    "s1b1.1:3",
    "s1b1.2:3",
    "s2b0.1:4",
    "s2b0.2:4",
    "s2b0.3:16",
    "s2b1.1:4",
    "s2b1.2:4",
  ],
  frozen: ["fc:5"],
  share: 0.99,
};

/** The parameter-free shortcut: every second pixel, zeros for the channels that are new. */
function optionA(n: Layers, x: string, before: number, after: number): string {
  // Averaging windows of one pixel takes every second, at any opset.
  return n.pad(n.avgPool(x, 1, 2), [0, before, 0, 0, 0, after, 0, 0]);
}

const shortcutA: ZooNetwork = {
  name: "ResNet, option A",
  build(n) {
    const block = (name: string, x: string, cin: number, cout: number) => {
      const stride = cin === cout ? 1 : 2;
      const y = n.convBn(`${name}.2`, n.cbr(`${name}.1`, x, cin, cout, { stride }), cout, cout);
      const more = (cout - cin) / 2;
      return n.relu(n.add(y, cin === cout ? x : optionA(n, x, more, more)));
    };
    let y = n.cbr("stem", n.image(), 3, 6);
    y = block("s1", y, 6, 6);
    y = block("s2b1", block("s2b0", y, 6, 10), 10, 10);
    n.classify(block("s3", y, 10, 16), 16);
  },
  // Stage 1's channels live in all stages; stages 2 and 3 bring 4 and 6 of their own.
  free: ["stem:6", "s1.1:6", "s2b0.1:10", "s2b0.2:4", "s2b1.1:10", "s3.1:16", "s3.2:6"],
  frozen: ["fc:5"],
  share: 0.99,
};

const resNeXt: ZooNetwork = {
  name: "ResNeXt",
  build(n) {
    const block = (name: string, x: string, cin: number, inner: number, cout: number, group: number) => {
      const a = n.cbr(`${name}.1`, x, cin, inner, { k: 1 });
      const c = n.convBn(`${name}.3`, n.cbr(`${name}.2`, a, inner, inner, { group }), inner, cout, { k: 1 });
      return n.relu(n.add(c, cin === cout ? x : n.convBn(`${name}.down`, x, cin, cout, { k: 1 })));
    };
    let y = n.cbr("stem", n.image(8), 3, 8);
    y = block("b0", y, 8, 16, 12, 8);
    y = block("b1", y, 12, 16, 12, 8);
    n.classify(block("b2", y, 12, 16, 12, 2), 12);
  },
  // 8 blocks of 2: whole blocks go, with inputs and outputs. 2 blocks of 8: the same places go in both blocks.
  free: ["stem:8", "b0.1:8", "b0.3:12", "b1.1:8", "b2.1:8", "b2.2:8"],
  frozen: ["fc:5"],
  share: 0.99,
};

const regNet: ZooNetwork = {
  name: "RegNetY",
  build(n) {
    const block = (name: string, x: string, cin: number, cout: number, group: number, stride: number) => {
      const b = n.cbr(`${name}.2`, n.cbr(`${name}.1`, x, cin, cout, { k: 1 }), cout, cout, { group, stride });
      const c = n.convBn(`${name}.3`, n.excite(name, b, cout, 4), cout, cout, { k: 1 });
      return n.relu(n.add(c, stride === 1 ? x : n.convBn(`${name}.down`, x, cin, cout, { k: 1, stride })));
    };
    let y = n.cbr("stem", n.image(), 3, 8, { stride: 2 });
    y = block("s1b1", block("s1b0", y, 8, 12, 3, 2), 12, 12, 3, 1);
    n.classify(block("s2", y, 12, 24, 6, 2), 24);
  },
  // Blocks of 4 channels: in each the same 4 places on either side of the grouped convolution, independent of each other.
  free: [
    "stem:8",
    "s1b0.1:4",
    "s1b0.2:4",
    "s1b0.squeeze:4",
    "s1b0.3:12",
    "s1b1.1:4",
    "s1b1.2:4",
    "s1b1.squeeze:4",
    "s2.1:4",
    "s2.2:4",
    "s2.squeeze:4",
    "s2.3:24",
  ],
  frozen: ["fc:5"],
  share: 0.99,
};

export const residualNetworks: readonly ZooNetwork[] = [basic, bottleneck, shortcutA, resNeXt, regNet];
