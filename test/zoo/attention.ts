/** Networks of layer normalisation and attention. */
import type { Layers } from "./layers.js";
import type { ZooNetwork } from "./types.js";

const convNeXt: ZooNetwork = {
  name: "ConvNeXt",
  build(n) {
    const normed = (name: string, x: string, c: number) =>
      n.transpose(n.layerNorm(name, n.transpose(x, [0, 2, 3, 1]), c), [0, 3, 1, 2]);
    const block = (name: string, x: string, c: number) => {
      const deep = n.transpose(n.layer(`${name}.dw`, x, c, c, { k: 7, group: c }), [0, 2, 3, 1]);
      const inner = n.gelu(n.dense(`${name}.1`, n.layerNorm(`${name}.norm`, deep, c), c, 4 * c));
      const out = n.mul(n.dense(`${name}.2`, inner, 4 * c, c), n.weights(`${name}.gamma`, [c]));
      return n.add(x, n.transpose(out, [0, 3, 1, 2]));
    };
    let y = normed("n0", n.layer("stem", n.image(), 3, 24, { stride: 2 }), 24);
    y = block("b1", block("b0", y, 24), 24);
    y = n.layer("down", normed("n1", y, 24), 24, 32, { k: 2, stride: 2 });
    y = block("b2", y, 32);
    const mean = n.layerNorm("n2", n.op("Flatten", [n.globalPool(y)]), 32);
    n.b.output(n.linear("fc", mean, 32, 5));
  },
  free: ["b0.1:96", "b1.1:96", "b2.1:128"],
  // The trunk is normalised over its channels: each depends on all of them.
  frozen: ["stem:24", "down:32", "fc:5"],
  // Depthwise convolutions and the layers between stages work on the trunk alone.
  share: 0.7,
};

interface Attention {
  readonly heads: number;
  readonly width: number;
}

/** Q, K and V by three layers. */
function splitAttention(n: Layers, name: string, x: string, c: number, { heads, width }: Attention): string {
  const project = (what: string) => {
    const y = n.reshape(n.dense(`${name}.${what}`, x, c, heads * width), [0, -1, heads, width]);
    return n.transpose(y, what === "k" ? [0, 2, 3, 1] : [0, 2, 1, 3]);
  };
  return attend(n, name, project("q"), project("k"), project("v"), c, { heads, width });
}

/** One layer for all three, parted by Reshape and an index (timm), or by Split (others). */
function fusedAttention(
  n: Layers,
  name: string,
  x: string,
  c: number,
  { heads, width }: Attention,
  by: "index" | "split",
): string {
  const qkv = n.dense(`${name}.qkv`, x, c, 3 * heads * width);
  let parts: string[];
  if (by === "split")
    parts = n
      .split(qkv, [heads * width, heads * width, heads * width], 2)
      .map((p) => n.transpose(n.reshape(p, [0, -1, heads, width]), [0, 2, 1, 3]));
  else {
    const turned = n.transpose(n.reshape(qkv, [0, -1, 3, heads, width]), [2, 0, 3, 1, 4]);
    parts = n.split(turned, [1, 1, 1], 0).map((p) => n.squeeze(p, [0]));
  }
  const [q = "", k = "", v = ""] = parts;
  return attend(n, name, q, n.transpose(k, [0, 1, 3, 2]), v, c, { heads, width });
}

function attend(
  n: Layers,
  name: string,
  q: string,
  k: string,
  v: string,
  c: number,
  { heads, width }: Attention,
): string {
  const scores = n.op("MatMul", [n.mul(q, n.b.float32(1 / Math.sqrt(width))), k]);
  const mixed = n.op("MatMul", [n.softmax(scores, 3), v]);
  return n.dense(`${name}.out`, n.reshape(n.transpose(mixed, [0, 2, 1, 3]), [0, -1, heads * width]), heads * width, c);
}

function vit(
  name: string,
  attention: (n: Layers, name: string, x: string, c: number, how: Attention) => string,
  expected: Pick<ZooNetwork, "free" | "frozen" | "share">,
  how: Attention = { heads: 2, width: 6 },
): ZooNetwork {
  return {
    name,
    build(n) {
      const c = 16;
      const patches = n.reshape(n.layer("patch", n.image(), 3, c, { k: 4, stride: 4 }), [0, c, -1]);
      let y = n.add(n.transpose(patches, [0, 2, 1]), n.weights("position", [1, 16, c]));
      for (const block of ["b0", "b1"]) {
        y = n.add(y, attention(n, block, n.layerNorm(`${block}.n1`, y, c), c, how));
        const inner = n.gelu(n.dense(`${block}.mlp1`, n.layerNorm(`${block}.n2`, y, c), c, 4 * c));
        y = n.add(y, n.dense(`${block}.mlp2`, inner, 4 * c, c));
      }
      n.b.output(n.linear("fc", n.mean(n.layerNorm("n", y, c), [1], false), c, 5));
    },
    ...expected,
  };
}

/** The trunk is normalised over its channels; what is free is inside the blocks. */
const trunk = ["patch:16", "fc:5"];

export const attentionNetworks: readonly ZooNetwork[] = [
  convNeXt,
  vit("ViT, Q, K and V apart", splitAttention, {
    // Q and K meet in their product: one group of places in every head. V has its own.
    free: ["b0.q:6", "b0.v:6", "b0.mlp1:64", "b1.q:6", "b1.v:6", "b1.mlp1:64"],
    frozen: trunk,
    share: 0.7,
  }),
  vit("ViT, QKV fused and split", (n, name, x, c, how) => fusedAttention(n, name, x, c, how, "split"), {
    free: ["b0.qkv:6", "b0.qkv#2:6", "b0.mlp1:64", "b1.qkv:6", "b1.qkv#2:6", "b1.mlp1:64"],
    frozen: trunk,
    share: 0.7,
  }),
  vit("ViT, QKV fused and indexed", (n, name, x, c, how) => fusedAttention(n, name, x, c, how, "index"), {
    // The Reshape to [3, heads, width] holds all three to one width.
    free: ["b0.qkv:6", "b0.mlp1:64", "b1.qkv:6", "b1.mlp1:64"],
    frozen: trunk,
    share: 0.7,
  }),
  vit(
    "ViT, more heads than places",
    splitAttention,
    {
      // Whole heads go, and each takes its Q, K and V along.
      free: ["b0.q:4", "b0.mlp1:64", "b1.q:4", "b1.mlp1:64"],
      frozen: trunk,
      share: 0.7,
    },
    { heads: 4, width: 3 },
  ),
];
