import type { CoreExports } from "./exports.js";

/** A problem prepared in the core's memory. */
export interface Tenant {
  /** Another problem needs the memory: keep what is needed to come back. */
  leave(): void;
  /** Takes the memory again, as prepared. */
  enter(): void;
}

/**
 * The WASM core and whose problem is in its memory. One problem at a time is there, always at the same addresses; so nothing
 * needs freeing.
 */
export class Residence {
  readonly core: CoreExports;
  #tenant: Tenant | null = null;

  constructor(core: CoreExports) {
    this.core = core;
  }

  /** Makes the memory free for a new problem, which becomes the tenant. */
  clearFor(tenant: Tenant): void {
    this.#tenant?.leave();
    this.#tenant = tenant;
  }

  /** Sees to it that the tenant's problem is in memory. */
  visit(tenant: Tenant): void {
    if (this.#tenant === tenant) return;
    this.#tenant?.leave();
    this.#tenant = null;
    tenant.enter();
    this.#tenant = tenant;
  }

  /** The memory is in an unknown state: nobody's. */
  abandon(): void {
    this.#tenant = null;
  }
}
