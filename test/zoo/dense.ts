/** Networks whose output is a map: segmentation, detection, super-resolution. */
import { attr } from "../../src/graph/attributes.js";
import type { Layers } from "./layers.js";
import type { ZooNetwork } from "./types.js";

const unet: ZooNetwork = {
  name: "UNet",
  build(n) {
    const double = (name: string, x: string, cin: number, c: number) =>
      n.cbr(`${name}.2`, n.cbr(`${name}.1`, x, cin, c), c, c);
    const e1 = double("e1", n.image(), 3, 6);
    const e2 = double("e2", n.maxPool(e1), 6, 8);
    const e3 = double("e3", n.maxPool(e2), 8, 12);
    const d2 = double("d2", n.concat([n.deconv("up2", e3, 12, 8), e2]), 16, 8);
    const d1 = double("d1", n.concat([n.deconv("up1", d2, 8, 6), e1]), 12, 6);
    n.b.output(n.layer("classes", d1, 6, 3, { k: 1 }));
  },
  free: [
    "e1.1:6",
    "e1.2:6",
    "e2.1:8",
    "e2.2:8",
    "e3.1:12",
    "e3.2:12",
    "up2:8",
    "d2.1:8",
    "d2.2:8",
    "up1:6",
    "d1.1:6",
    "d1.2:6",
  ],
  frozen: ["classes:3"],
  share: 0.99,
};

const fpn: ZooNetwork = {
  name: "FPN",
  build(n) {
    const c2 = n.cbr("c2", n.image(), 3, 6, { stride: 2 });
    const c3 = n.cbr("c3", c2, 6, 8, { stride: 2 });
    const c4 = n.cbr("c4", c3, 8, 12, { stride: 2 });
    const p4 = n.layer("lat4", c4, 12, 8, { k: 1 });
    const p3 = n.add(n.up(p4), n.layer("lat3", c3, 8, 8, { k: 1 }));
    const p2 = n.add(n.up(p3), n.layer("lat2", c2, 6, 8, { k: 1 }));
    [p2, p3, p4].forEach((p, i) => {
      const smooth = n.relu(n.layer(`smooth${i + 2}`, p, 8, 8));
      n.b.output(n.layer(`head${i + 2}`, smooth, 8, 4, { k: 1 }));
    });
  },
  // The sums down the pyramid tie all laterals.
  free: ["c2:6", "c3:8", "c4:12", "lat4:8", "smooth2:8", "smooth3:8", "smooth4:8"],
  frozen: ["head2:4", "head3:4", "head4:4"],
  share: 0.99,
};

const retina: ZooNetwork = {
  name: "RetinaNet head",
  build(n) {
    // One tower, used on every level of the pyramid with the same weights.
    const w1 = n.scaled("tower1.w", [8, 8, 3, 3], 72);
    const w2 = n.scaled("tower2.w", [6, 8, 3, 3], 72);
    const wh = n.scaled("head.w", [4, 6, 1, 1], 6);
    const pads = { pads: attr.ints([1, 1, 1, 1]) };
    let y = n.image();
    const levels = [0, 1, 2].map((i) => {
      y = n.cbr(`c${i}`, y, i === 0 ? 3 : 6 + 2 * i - 2, 6 + 2 * i, { stride: 2 });
      return n.layer(`lat${i}`, y, 6 + 2 * i, 8, { k: 1 });
    });
    levels.forEach((p, i) => {
      const a = n.relu(n.op("Conv", [p, w1], pads, `tower1.${i}`));
      const b = n.relu(n.op("Conv", [a, w2], pads, `tower2.${i}`));
      n.b.output(n.op("Conv", [b, wh], {}, `head.${i}`));
    });
  },
  free: ["c0:6", "lat0:8", "c1:8", "c2:10", "tower1.0:8", "tower2.0:6"],
  frozen: ["head.0:4"],
  share: 0.99,
};

const ssd: ZooNetwork = {
  name: "SSD",
  build(n) {
    const anchors = 2;
    let y = n.cbr("c1", n.image(), 3, 8, { stride: 2 });
    let c = 8;
    const parts: { boxes: string[]; scores: string[] } = { boxes: [], scores: [] };
    [10, 12].forEach((width, i) => {
      y = n.cbr(`c${i + 2}`, y, c, width, { stride: 2 });
      c = width;
      for (const [what, size] of [
        ["boxes", 4],
        ["scores", 3],
      ] as const) {
        const map = n.layer(`${what}${i}`, y, c, anchors * size);
        parts[what].push(n.reshape(n.transpose(map, [0, 2, 3, 1]), [0, -1, size]));
      }
    });
    n.b.output(n.concat(parts.boxes, 1));
    n.b.output(n.softmax(n.concat(parts.scores, 1), 2));
  },
  free: ["c1:8", "c2:10", "c3:12"],
  // Of one anchor's numbers, over all anchors and maps.
  frozen: ["boxes0:4", "scores0:3"],
  share: 0.99,
};

/** Cross-stage partial block: two halves, a chain of residuals on one, all of its stages joined (YOLOv8's C2f). */
function c2f(n: Layers, name: string, x: string, cin: number, c: number): string {
  const silu = (v: string) => n.silu(v);
  const [left = "", right = ""] = n.split(silu(n.convBn(`${name}.in`, x, cin, 2 * c, { k: 1 })), [c, c], 1);
  const stages = [left, right];
  for (let i = 0; i < 2; i++) {
    const last = stages.at(-1) ?? "";
    const inner = silu(n.convBn(`${name}.m${i}.1`, last, c, c));
    stages.push(n.add(last, silu(n.convBn(`${name}.m${i}.2`, inner, c, c))));
  }
  return silu(n.convBn(`${name}.out`, n.concat(stages), 4 * c, 2 * c, { k: 1 }));
}

const yolo: ZooNetwork = {
  name: "YOLO",
  build(n) {
    const silu = (v: string) => n.silu(v);
    const c3 = c2f(n, "p3", silu(n.convBn("c1", n.image(), 3, 6, { stride: 2 })), 6, 4);
    const c4 = c2f(n, "p4", silu(n.convBn("c2", c3, 8, 10, { stride: 2 })), 10, 4);
    // Spatial pyramid pooling: one map pooled again and again.
    const inner = silu(n.convBn("spp.in", c4, 8, 4, { k: 1 }));
    const pools = [inner];
    for (let i = 0; i < 3; i++) pools.push(n.maxPool(pools.at(-1) ?? "", 5, 1));
    const coarse = silu(n.convBn("spp.out", n.concat(pools), 16, 8, { k: 1 }));
    const fine = silu(n.convBn("neck", n.concat([n.up(coarse), c3]), 16, 8));
    const outputs = [fine, coarse].map((p, i) => {
      const side = i === 0 ? 8 : 4;
      // Three anchors of (x, y, w, h, objectness, two classes), decoded in the graph.
      const map = n.layer(`head${i}`, p, 8, 21, { k: 1 });
      const turned = n.transpose(n.reshape(map, [-1, 3, 7, side, side]), [0, 1, 3, 4, 2]);
      const [xy = "", wh = "", rest = ""] = n.split(n.sigmoid(turned), [2, 2, 3], 4);
      const centre = n.mul(n.add(n.mul(xy, n.b.float32(2)), n.weights("grid", [1, 1, side, side, 2])), n.b.float32(8));
      const size = n.mul(
        n.op("Pow", [n.mul(wh, n.b.float32(2)), n.b.float32(2)]),
        n.weights("anchors", [1, 3, 1, 1, 2]),
      );
      return n.reshape(n.concat([centre, size, rest], 4), [-1, 3 * side * side, 7]);
    });
    n.b.output(n.concat(outputs, 1));
  },
  // In each block the half that the residuals run on is one group with what they add.
  free: [
    "c1:6",
    "p3.in:4",
    "p3.in#2:4",
    "p3.m0.1:4",
    "p3.m1.1:4",
    "p3.out:8",
    "c2:10",
    "p4.in:4",
    "p4.in#2:4",
    "p4.m0.1:4",
    "p4.m1.1:4",
    "p4.out:8",
    "spp.in:4",
    "spp.out:8",
    "neck:8",
  ],
  // Of one anchor's numbers: x and y, width and height, objectness and classes; over all anchors and both maps.
  frozen: ["head0:2", "head0#2:2", "head0#3:3"],
  share: 0.99,
};

const pixelShuffle: ZooNetwork = {
  name: "PixelShuffle super-resolution",
  build(n) {
    const x = n.image(8);
    const head = n.layer("head", x, 3, 8);
    let y = head;
    for (const name of ["b0", "b1"]) {
      const inner = n.op("PRelu", [n.layer(`${name}.1`, y, 8, 10), n.weights(`${name}.slope`, [10, 1, 1])]);
      y = n.add(n.layer(`${name}.2`, inner, 10, 8), y);
    }
    // Twice: into maps (free), then into pixels (the output).
    const wide = n.layer("up1", n.add(head, y), 8, 24);
    const mode = n.opset >= 11 ? { mode: attr.string("CRD") } : {};
    const up = n.op("DepthToSpace", [wide], { blocksize: attr.int(2), ...mode });
    const last = n.layer("up2", n.relu(up), 6, 12);
    const image = n.op("DepthToSpace", [last], { blocksize: attr.int(2), ...mode });
    n.b.output(n.add(image, n.up(n.up(x))));
  },
  // The four channels that become one channel's pixels are one.
  free: ["head:8", "b0.1:10", "b1.1:10", "up1:6"],
  frozen: ["up2:3"],
  share: 0.99,
};

export const denseNetworks: readonly ZooNetwork[] = [unet, fpn, retina, ssd, yolo, pixelShuffle];
