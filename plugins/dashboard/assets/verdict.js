import { byId, el, keepList, setText } from "./dom.js";

const MARKS = { pass: "✓", fail: "✕", insufficient: "…" };
const WORDS = { pass: "passes", fail: "fails", insufficient: "not yet" };
/** What stands in the way comes first. */
const ORDER = ["fail", "insufficient", "pass"];
const KINDS = { "READY": "good", "NOT READY": "bad", "INCONCLUSIVE": "open" };

/** The answer to the one question, and the gates that it rests on. */
export function createVerdict() {
  const answer = byId("answer");
  const state = el("strong", { class: "state" });
  const advice = el("span", { class: "advice" });
  const score = el("span", { class: "score" });
  const notes = el("ul", { class: "notes" });
  answer.append(state, advice, score);
  const list = el("ul", { class: "gate-list" });
  byId("gates").append(notes, list);
  const known = new Map();

  return {
    /** @param verdict of one mirror. */
    update(verdict) {
      const kind = KINDS[verdict.state] ?? "open";
      answer.parentElement.dataset.kind = kind;
      const scope = verdict.headline.slice(verdict.state.length);
      setText(state, verdict.state);
      setText(
        advice,
        `${scope === "" ? "" : `${scope.trim()}. `}${verdict.recommendation}.`,
      );
      setText(score, `Score ${verdict.score} of 100 towards READY`);
      notes.hidden = verdict.reasons.length === 0;
      const text = verdict.reasons.join("\n");
      if (notes.dataset.text !== text) {
        notes.dataset.text = text;
        notes.replaceChildren(
          ...verdict.reasons.map((reason) => el("li", {}, `Note: ${reason}.`)),
        );
      }
      const gates = verdict.gates.toSorted((a, b) =>
        ORDER.indexOf(a.status) - ORDER.indexOf(b.status)
      );
      keepList(list, known, gates, ({ gate }) => gate, createGate);
    },
  };
}

function createGate() {
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const name = el("span", { class: "name" });
  const status = el("span", { class: "status" });
  const sentence = el("span", { class: "sentence" });
  const root = el("li", {}, mark, name, status, sentence);
  return {
    root,
    update(gate) {
      root.dataset.status = gate.status;
      setText(mark, MARKS[gate.status] ?? "?");
      setText(name, gate.gate.replaceAll("_", " "));
      setText(status, WORDS[gate.status] ?? gate.status);
      setText(sentence, gate.sentence);
    },
  };
}
