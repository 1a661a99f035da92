import type { Target } from "./target.ts";

/** A lane's row in SHOW SERVERS: there while it has a connection. */
export class LaneRow {
  readonly #target: Target;
  #row = -1;

  constructor(target: Target) {
    this.#target = target;
  }

  open(): void {
    const { laneTable, settings } = this.#target;
    this.close();
    this.#row = laneTable.open(settings.host, settings.port, Date.now());
    if (this.#row < 0) return;
    laneTable.identify(this.#row, 0, settings.login.user, settings.name, "");
  }

  /** @param state one of ClientState. */
  show(state: number): void {
    if (this.#row >= 0) this.#target.laneTable.setState(this.#row, state);
  }

  close(): void {
    if (this.#row >= 0) this.#target.laneTable.close(this.#row);
    this.#row = -1;
  }
}
