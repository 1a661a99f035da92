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
  const rules = el("ul", { class: "notes" });
  const since = el("span", { class: "since" });
  answer.append(state, advice, score, since);
  const list = el("ul", { class: "gate-list" });
  byId("gates").append(notes, list, rules);
  const known = new Map();

  return {
    /** @param verdict of one mirror. @param of the document that it is in. */
    update(verdict, of) {
      const kind = KINDS[verdict.state] ?? "open";
      answer.parentElement.dataset.kind = kind;
      const scope = verdict.headline.slice(verdict.state.length);
      setText(state, verdict.state);
      setText(
        advice,
        `${scope === "" ? "" : `${scope.trim()}. `}${verdict.recommendation}.`,
      );
      setText(score, `Score ${verdict.score} of 100 towards READY`);
      keepTexts(notes, [
        ...verdict.reasons.map((reason) => `Note: ${reason}.`),
        ...verdict.causes.map((cause) => `Likely cause: ${cause}.`),
      ]);
      keepTexts(rules, [
        ...of.rules.flatMap(ruleText),
        ...of.excludes.flatMap(excludeText),
      ]);
      setText(
        since,
        `Window since ${
          new Date(of.window.since).toLocaleString()
        }, because ${of.window.because}`,
      );
      const gates = verdict.gates.toSorted((a, b) =>
        ORDER.indexOf(a.status) - ORDER.indexOf(b.status)
      );
      keepList(list, known, gates, ({ gate }) => gate, createGate);
    },
  };
}

/** Who has accepted what, and until when; a rule that fits nothing says nothing. */
function ruleText({ rule, reason, until, state, accepted }) {
  if (state === "unused") return [];
  const end = until === null ? "" : `, until ${until}`;
  return state === "expired"
    ? [`No longer accepted${end}: ${rule} (${reason})`]
    : [`Accepted${end}: ${accepted} results, ${rule} (${reason})`];
}

/** What is not replayed on purpose. */
function excludeText({ kind, name, reason, excluded }) {
  return excluded === 0
    ? []
    : [`Left out as ${kind}: ${excluded} requests, ${name} (${reason})`];
}

function keepTexts(list, texts) {
  list.hidden = texts.length === 0;
  const text = texts.join("\n");
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...texts.map((line) => el("li", {}, line)));
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
