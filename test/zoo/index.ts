/** Networks that people deploy, small, with random weights. */
import { attentionNetworks } from "./attention.js";
import { denseNetworks } from "./dense.js";
import { mobileNetworks } from "./mobile.js";
import { plainNetworks } from "./plain.js";
import { residualNetworks } from "./residual.js";
import type { ZooNetwork } from "./types.js";

export const zoo: readonly ZooNetwork[] = [
  ...plainNetworks,
  ...residualNetworks,
  ...mobileNetworks,
  ...denseNetworks,
  ...attentionNetworks,
];
