/** Networks without shortcuts. */
import { attr } from "../../src/graph/attributes.js";
import type { Layers } from "./layers.js";
import type { ZooNetwork } from "./types.js";

const vgg: ZooNetwork = {
  name: "VGG",
  build(n) {
    let y = n.image();
    y = n.maxPool(n.relu(n.layer("c2", n.relu(n.layer("c1", y, 3, 8)), 8, 8)));
    y = n.maxPool(n.relu(n.layer("c4", n.relu(n.layer("c3", y, 8, 12)), 12, 16)));
    y = n.op("Flatten", [y]);
    y = n.op("Dropout", [n.relu(n.linear("fc1", y, 16 * 16, 20))]);
    n.b.output(n.linear("fc3", n.relu(n.linear("fc2", y, 20, 14)), 14, 5));
  },
  free: ["c1:8", "c2:8", "c3:12", "c4:16", "fc1:20", "fc2:14"],
  frozen: ["fc3:5"],
  share: 0.99,
};

function fire(n: Layers, name: string, x: string, cin: number, inner: number, half: number): string {
  const squeezed = n.relu(n.layer(`${name}.squeeze`, x, cin, inner, { k: 1 }));
  const left = n.relu(n.layer(`${name}.left`, squeezed, inner, half, { k: 1 }));
  return n.concat([left, n.relu(n.layer(`${name}.right`, squeezed, inner, half))]);
}

const squeezeNet: ZooNetwork = {
  name: "SqueezeNet",
  build(n) {
    let y = n.maxPool(n.relu(n.layer("stem", n.image(), 3, 8, { stride: 2 })));
    y = fire(n, "f2", y, 8, 4, 8);
    // From here on the shortcut of the "simple bypass" version.
    y = n.add(y, fire(n, "f3", y, 16, 4, 8));
    y = fire(n, "f4", y, 16, 6, 12);
    y = n.relu(n.layer("classes", y, 24, 5, { k: 1 }));
    n.b.output(n.op("Flatten", [n.globalPool(y)]));
  },
  // The bypass ties the two halves of fire 2 and fire 3 one by one.
  free: [
    "stem:8",
    "f2.squeeze:4",
    "f2.left:8",
    "f2.right:8",
    "f3.squeeze:4",
    "f4.squeeze:6",
    "f4.left:12",
    "f4.right:12",
  ],
  frozen: ["classes:5"],
  share: 0.99,
};

const inception: ZooNetwork = {
  name: "Inception",
  build(n) {
    const stem = n.cbr("stem", n.image(12), 3, 8, { stride: 2 });
    const one = n.cbr("a", stem, 8, 5, { k: 1 });
    const three = n.cbr("b2", n.cbr("b1", stem, 8, 4, { k: 1 }), 4, 6);
    const seven = n.cbr("c3", n.cbr("c2", n.cbr("c1", stem, 8, 4, { k: 1 }), 4, 4, { k: [1, 7] }), 4, 6, { k: [7, 1] });
    const pooled = n.cbr("d", n.avgPool(stem, 3, 1), 8, 3, { k: 1 });
    const mixed = n.concat([one, three, seven, pooled]);
    // The reduction: a strided convolution beside a pool of all that came in.
    const shrunk = n.concat([n.cbr("e", mixed, 20, 7, { stride: 2 }), n.maxPool(mixed)]);
    n.classify(n.cbr("f", n.op("LRN", [n.cbr("g", shrunk, 27, 6)], { size: attr.int(3) }), 6, 9, { k: 1 }), 9);
  },
  free: ["stem:8", "a:5", "b1:4", "b2:6", "c1:4", "c2:4", "c3:6", "d:3", "e:7", "f:9"],
  // The old LRN takes each channel together with its neighbours.
  frozen: ["g:6", "fc:5"],
  share: 0.99,
};

const denseNet: ZooNetwork = {
  name: "DenseNet",
  build(n) {
    let y = n.layer("stem", n.image(8), 3, 8);
    let c = 8;
    const act = (name: string, x: string, width: number) => n.relu(n.bn(name, x, width));
    for (const block of ["b1", "b2"]) {
      for (let i = 0; i < 3; i++) {
        const name = `${block}.${i}`;
        const inner = n.layer(`${name}.a`, act(`${name}.n1`, y, c), c, 8, { k: 1 });
        y = n.concat([y, n.layer(`${name}.b`, act(`${name}.n2`, inner, 8), 8, 4)]);
        c += 4;
      }
      if (block === "b2") break;
      y = n.avgPool(n.layer("transition", act("nt", y, c), c, c / 2, { k: 1 }), 2, 2);
      c /= 2;
    }
    n.classify(act("last", y, c), c);
  },
  free: [
    "stem:8",
    ...["b1.0", "b1.1", "b1.2"].flatMap((b) => [`${b}.a:8`, `${b}.b:4`]),
    "transition:10",
    ...["b2.0", "b2.1", "b2.2"].flatMap((b) => [`${b}.a:8`, `${b}.b:4`]),
  ],
  frozen: ["fc:5"],
  share: 0.99,
};

export const plainNetworks: readonly ZooNetwork[] = [vgg, squeezeNet, inception, denseNet];
