/** Networks of depthwise convolutions. */
import type { ConvOptions, Layers } from "./layers.js";
import type { ZooNetwork } from "./types.js";

const v1: ZooNetwork = {
  name: "MobileNetV1",
  build(n) {
    const separable = (name: string, x: string, cin: number, cout: number, stride = 1) =>
      n.cbr(`${name}.pw`, n.cbr(`${name}.dw`, x, cin, cin, { group: cin, stride }), cin, cout, { k: 1 });
    let y = n.cbr("stem", n.image(), 3, 8, { stride: 2 });
    y = separable("b2", separable("b1", y, 8, 12), 12, 16, 2);
    n.classify(separable("b3", y, 16, 16), 16);
  },
  free: ["stem:8", "b1.pw:12", "b2.pw:16", "b3.pw:16"],
  frozen: ["fc:5"],
  share: 0.99,
};

/** Inverted residual: expand, depthwise, maybe squeeze and excitation, project. */
function inverted(
  n: Layers,
  name: string,
  x: string,
  [cin, inner, cout]: readonly [number, number, number],
  act: (v: string) => string,
  options: ConvOptions & { excite?: (v: string) => string } = {},
): string {
  const { excite, ...depthwise } = options;
  const wide = inner === cin ? x : act(n.convBn(`${name}.expand`, x, cin, inner, { k: 1 }));
  const deep = act(n.convBn(`${name}.dw`, wide, inner, inner, { ...depthwise, group: inner }));
  const y = n.convBn(`${name}.project`, excite ? excite(deep) : deep, inner, cout, { k: 1 });
  return cin === cout && (depthwise.stride ?? 1) === 1 ? n.add(x, y) : y;
}

const v2: ZooNetwork = {
  name: "MobileNetV2",
  build(n) {
    const relu6 = (v: string) => n.clip(v, 0, 6);
    let y = relu6(n.convBn("stem", n.image(), 3, 8, { stride: 2 }));
    y = inverted(n, "b0", y, [8, 8, 6], relu6);
    y = inverted(n, "b1", y, [6, 18, 8], relu6, { stride: 2 });
    y = inverted(n, "b2", y, [8, 24, 8], relu6);
    y = inverted(n, "b3", y, [8, 24, 8], relu6);
    n.classify(relu6(n.convBn("last", y, 8, 20, { k: 1 })), 20);
  },
  free: ["stem:8", "b0.project:6", "b1.expand:18", "b1.project:8", "b2.expand:24", "b3.expand:24", "last:20"],
  frozen: ["fc:5"],
  share: 0.99,
};

const v3: ZooNetwork = {
  name: "MobileNetV3",
  build(n) {
    const swish = (v: string) => n.hardSwish(v);
    const relu = (v: string) => n.relu(v);
    const excite = (name: string, c: number) => (v: string) => n.excite(name, v, c, 4, (g) => n.hardSigmoid(g));
    let y = swish(n.convBn("stem", n.image(), 3, 8, { stride: 2 }));
    y = inverted(n, "b0", y, [8, 8, 8], relu, { excite: excite("b0", 8) });
    y = inverted(n, "b1", y, [8, 16, 10], relu, { stride: 2, k: 5, excite: excite("b1", 16) });
    y = inverted(n, "b2", y, [10, 20, 10], swish, { k: 5 });
    y = swish(n.convBn("last", y, 10, 24, { k: 1 }));
    // The last layers work on one pixel; the classifier is a 1x1 convolution, then Flatten.
    y = swish(n.layer("wide", n.globalPool(y), 24, 20, { k: 1 }));
    n.b.output(n.op("Flatten", [n.layer("classes", y, 20, 5, { k: 1 })]));
  },
  free: [
    "stem:8",
    "b0.squeeze:4",
    "b1.expand:16",
    "b1.squeeze:4",
    "b1.project:10",
    "b2.expand:20",
    "last:24",
    "wide:20",
  ],
  frozen: ["classes:5"],
  share: 0.99,
};

const efficientNet: ZooNetwork = {
  name: "EfficientNet",
  build(n) {
    const silu = (v: string) => n.silu(v);
    // Squeeze and excitation as TensorFlow writes it: a mean over space, linear layers, back to four axes.
    const excite = (name: string, c: number) => (v: string) => {
      const mean = n.mean(v, [2, 3], false);
      const inner = n.silu(n.dense(`${name}.squeeze`, mean, c, 4));
      return n.mul(v, n.unsqueeze(n.sigmoid(n.dense(`${name}.excite`, inner, 4, c)), [2, 3]));
    };
    let y = silu(n.convBn("stem", n.image(), 3, 8, { stride: 2 }));
    y = inverted(n, "b0", y, [8, 8, 6], silu, { excite: excite("b0", 8) });
    y = inverted(n, "b1", y, [6, 24, 10], silu, { stride: 2, excite: excite("b1", 24) });
    y = inverted(n, "b2", y, [10, 40, 10], silu, { k: 5, excite: excite("b2", 40) });
    n.classify(silu(n.convBn("last", y, 10, 24, { k: 1 })), 24);
  },
  free: [
    "stem:8",
    "b0.squeeze:4",
    "b0.project:6",
    "b1.expand:24",
    "b1.squeeze:4",
    "b1.project:10",
    "b2.expand:40",
    "b2.squeeze:4",
    "last:24",
  ],
  frozen: ["fc:5"],
  share: 0.99,
};

/** Reshape, Transpose, Reshape: channel i of half h goes to 2 i + h. */
function shuffle(n: Layers, x: string, c: number, side: number): string {
  const turned = n.transpose(n.reshape(x, [-1, 2, c / 2, side, side]), [0, 2, 1, 3, 4]);
  return n.reshape(turned, [-1, c, side, side]);
}

const shuffleNet: ZooNetwork = {
  name: "ShuffleNetV2",
  build(n) {
    const branch = (name: string, x: string, cin: number, c: number, stride: number) => {
      const a = n.cbr(`${name}.1`, x, cin, c, { k: 1 });
      return n.cbr(`${name}.3`, n.convBn(`${name}.2`, a, c, c, { group: c, stride }), c, c, { k: 1 });
    };
    const down = (name: string, x: string, cin: number, c: number) => {
      const left = n.convBn(`${name}.left`, x, cin, cin, { group: cin, stride: 2 });
      const wide = n.cbr(`${name}.leftpw`, left, cin, c / 2, { k: 1 });
      return n.concat([wide, branch(`${name}.right`, x, cin, c / 2, 2)]);
    };
    let y = n.cbr("stem", n.image(), 3, 8, { stride: 2 });
    y = shuffle(n, down("s1", y, 8, 16), 16, 4);
    for (const name of ["u1", "u2"]) {
      const [left = "", right = ""] = n.split(y, [8, 8], 1);
      y = shuffle(n, n.concat([left, branch(name, right, 8, 8, 1)]), 16, 4);
    }
    n.classify(n.cbr("last", y, 16, 20, { k: 1 }), 20);
  },
  // A shuffle lets i of the left half and i of the right half go together only. What the left halves carry on from unit
  // to unit so ties ever more: 16 places of the stage's two halves are in the end 2 + 2 + 4 channels.
  free: ["stem:8", "s1.leftpw:2", "s1.leftpw#2:2", "s1.leftpw#3:4", "s1.right.1:8", "u1.1:8", "u2.1:8", "last:20"],
  frozen: ["fc:5"],
  share: 0.99,
};

export const mobileNetworks: readonly ZooNetwork[] = [v1, v2, v3, efficientNet, shuffleNet];
