import assert from "node:assert/strict";
import { Episode } from "../../src/listen/episode.ts";

Deno.test("Episode: told of when it begins, and again when it had stayed away", () => {
  const episode = new Episode(100);
  const told = [0, 1, 100, 200, 301, 302].map((ms) => episode.shows(ms));
  assert.deepEqual(told, [true, false, false, false, true, false]);
});
