import type { Model } from "../graph/ir.js";
import { decodeModel } from "./decode.js";
import { encodeModel } from "./encode.js";

/**
 * The same model in memory of its own. Parts of a model that was read are views on the whole file, be it an attribute of
 * one node: whoever keeps some of them for long, without the weights, holds all of it.
 */
export const compactModel = (model: Model): Model => decodeModel(encodeModel(model));
