/** Another run has the proxy's place in the store. */
export class HeldError extends Error {
  override name = "HeldError";
  /** The other run lives; else it has fallen silent, and is waited for. */
  readonly live: boolean;

  constructor(proxy: string, live: boolean) {
    super(
      live
        ? `Another proxy that runs now writes history as "${proxy}"; give each its own name: [plugins.history] proxy`
        : `The last run of "${proxy}" has not said goodbye; waiting until it is silent for long enough`,
    );
    this.live = live;
  }
}
