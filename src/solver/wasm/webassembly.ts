// The few parts of the WebAssembly API in use. TypeScript has them only with the DOM's types, which Node programs lack.

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** A compiled module, as `new WebAssembly.Module(bytes)` or `WebAssembly.compile(bytes)` give it. */
export type WasmModule = object;

interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: object };
}

/** The host's WebAssembly; undefined where it has none. */
export const webAssembly = (globalThis as unknown as { readonly WebAssembly?: WebAssemblyApi }).WebAssembly;
