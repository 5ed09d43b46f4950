/** Whether documents of a run folder are what halp writes: they may be old, cut off or changed by hand. */
import { isNumber, isObject, type JsonObject } from "../json.js";
import type { LayerTimes, NetworkLayers } from "../latency/index.js";
import type { DeviceRecord, PruneResult, SearchGroup, Staircase } from "../pipeline/index.js";

const isText = (x: unknown): x is string => typeof x === "string";
const isOrNull = (is: (x: unknown) => boolean) => (x: unknown) => x === null || is(x);
const isListOf = (x: unknown, is: (x: unknown) => boolean): x is readonly unknown[] => Array.isArray(x) && x.every(is);
const isPair = (x: unknown): boolean => isObject(x) && isNumber(x.dense) && isNumber(x.pruned);
const isTime = isOrNull(isNumber);

const ofDevice = ["budgetRatio", "predictedRatio", "measuredRatio", "spread"];
const figures = [...ofDevice, "maskedError", "outputError", "importanceKept", "steps", "rounds"];

export function isResult(r: JsonObject): r is JsonObject & PruneResult {
  return (
    figures.every((name) => isNumber(r[name])) &&
    isHeld(r) &&
    (r.devices === undefined || isListOf(r.devices, isDeviceResult)) &&
    isPair(r.parameters) &&
    (r.accuracy === null || isPair(r.accuracy)) &&
    isText(r.output) &&
    isListOf(r.warnings, isText) &&
    isListOf(
      r.groups,
      (g) =>
        isObject(g) &&
        isText(g.name) &&
        isNumber(g.dense) &&
        isNumber(g.kept) &&
        (g.frozen === undefined || isText(g.frozen)),
    )
  );
}

const isHeld = ({ heldAgainst, latencyNs }: JsonObject): boolean =>
  (heldAgainst === "measured" || heldAgainst === "predicted") && isPair(latencyNs);

function isDeviceResult(x: unknown): boolean {
  return isObject(x) && isText(x.name) && ofDevice.every((name) => isNumber(x[name])) && isHeld(x);
}

export function isLayerRecord({ dense, pruned }: JsonObject): boolean {
  return [dense, pruned].every(isNetworkLayers);
}

function isNetworkLayers(x: unknown): x is NetworkLayers {
  return isObject(x) && isTime(x.unattributedNs) && isListOf(x.layers, isLayer);
}

function isLayer(x: unknown): x is LayerTimes {
  return isObject(x) && isText(x.name) && isText(x.operators) && isTime(x.predictedNs) && isTime(x.measuredNs);
}

export function isSearchRecord({ latencyNs, solution, importance, groups, layers }: JsonObject): boolean {
  return (
    isObject(latencyNs) &&
    [latencyNs.dense, latencyNs.present, latencyNs.chosen].every((ns) => isNumber(ns) && ns > 0) &&
    (solution === null || (isObject(solution) && isNumber(solution.value) && isNumber(solution.latency))) &&
    isObject(importance) &&
    isNumber(importance.whole) &&
    isNumber(importance.share) &&
    isListOf(groups, isSearchGroup) &&
    isListOf(layers, isStaircase)
  );
}

function isSearchGroup(x: unknown): x is SearchGroup {
  return (
    isObject(x) &&
    isText(x.name) &&
    isListOf(x.options, isNumber) &&
    isNumber(x.chosen) &&
    isListOf(x.scores, isNumber) &&
    isListOf(x.origins, (o) => isObject(o) && isText(o.group) && isListOf(o.kept, isNumber))
  );
}

function isStaircase(x: unknown): x is Staircase {
  return (
    isObject(x) &&
    isText(x.name) &&
    isText(x.operators) &&
    isTime(x.wholeNs) &&
    isTime(x.chosenNs) &&
    isListOf(
      x.sides,
      (s) =>
        isObject(s) &&
        isListOf(s.groups, isText) &&
        isNumber(s.chosen) &&
        isListOf(s.points, (p) => isListOf(p, isNumber) && p.length === 2),
    )
  );
}

export function isDeviceRecord(d: JsonObject): d is JsonObject & DeviceRecord {
  return (
    typeof d.isThisMachine === "boolean" &&
    isText(d.cpu) &&
    isNumber(d.threads) &&
    isObject(d.runtime) &&
    [d.runtime.name, d.runtime.version, d.runtime.provider].every(isText)
  );
}
